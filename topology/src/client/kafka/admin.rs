//! The Kafka engine of [`Admin`].

use std::collections::BTreeMap;
use std::ffi::CString;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic as NativeTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::offsets_list;
use super::errors::{client_error, from_native, from_rdkafka};
use super::fetch::{self, FetchSettings, end_hanging, end_hanging_offsets};
use super::ffi::{OffsetSpec, describe_members, drain_main_queue, group_offsets, list_offsets};
use super::settings::KafkaSettings;
use super::signals::{SignalContext, Signals};
use crate::client::error::ClientError;
use crate::client::traits::{Admin, CommittedOffset, NewTopic, TopicDescription, Watermarks};
use crate::record::TopicPartition;
use crate::time::{Clock, SystemClock, Timestamp};

/// An administrator over librdkafka. Its clones share one client: dropping the last takes a tenth of a second, in which
/// the client's thread ends.
#[derive(Clone)]
pub(super) struct KafkaAdmin {
    client: Arc<AdminClient<SignalContext>>,
    signals: Arc<Signals>,
    settings: KafkaSettings,
    clock: SystemClock,
}

/// How long one question about offsets may take before it is asked by another client.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The thread that waits for an answer.
struct Waiter(Thread);

impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread: librdkafka answers every request in its time.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Waiter(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn options(timeout: Duration) -> AdminOptions {
    let timeout = timeout.max(Duration::from_millis(1));
    AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout))
}

impl KafkaAdmin {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, ClientError> {
        let signals = Arc::new(Signals::new(settings));
        let config: ClientConfig = settings.admin();
        let client = config
            .create_with_context(SignalContext(Arc::clone(&signals)))
            .map_err(|error| from_rdkafka("making an administrator", &error, &signals))?;
        let client = Arc::new(client);
        Ok(Self { client, signals, settings: settings.clone(), clock: SystemClock::default() })
    }

    /// How the cluster is reached.
    pub(super) fn settings(&self) -> &KafkaSettings {
        &self.settings
    }

    /// A client of a group without members, to set its offsets.
    pub(super) fn outsider(
        &self,
        operation: &'static str,
        group: &str,
        timeout: Option<Duration>,
    ) -> Result<BaseConsumer<SignalContext>, ClientError> {
        let mut config = self.settings.outsider(group);
        if let Some(timeout) = timeout {
            config.set("socket.timeout.ms", timeout.as_millis().clamp(10, 60_000).to_string());
        }
        config
            .create_with_context(SignalContext(Arc::clone(&self.signals)))
            .map_err(|error| self.rdkafka(operation, &error))
    }

    /// Refuses what only connections of our own can do, where the cluster is reached otherwise.
    fn require_own(&self) -> Result<(), ClientError> {
        if FetchSettings::can_reach(&self.settings) {
            return Ok(());
        }
        let reason = "this takes a connection secured by nothing but a login by PLAIN or SCRAM and TLS with files in PEM";
        let reason = reason.to_owned();
        Err(ClientError::Fatal { operation: "ending hanging transactions", reason })
    }

    /// Waits for a first answer of the cluster.
    pub(super) fn reach(&mut self, timeout: Duration) -> Result<(), ClientError> {
        if FetchSettings::can_reach(&self.settings) {
            // These say at once what librdkafka tries again and again: a wrong password, a certificate that is not trusted.
            fetch::reach(&self.settings, timeout)?;
        }
        if self.client.inner().fetch_cluster_id(timeout).is_some() {
            return Ok(());
        }
        self.listen();
        let reason = self.signals.why("no broker answered");
        Err(ClientError::Unavailable { operation: "connecting to Kafka", reason })
    }

    /// Takes in what the client's connections have said since the last call.
    fn listen(&self) {
        drain_main_queue(self.client.inner(), |code, reason| self.signals.failed(code, reason));
    }

    pub(super) fn native(&self, operation: &'static str, error: &super::ffi::NativeError) -> ClientError {
        self.listen();
        from_native(operation, error, &self.signals)
    }

    pub(super) fn rdkafka(&self, operation: &'static str, error: &rdkafka::error::KafkaError) -> ClientError {
        self.listen();
        from_rdkafka(operation, error, &self.signals)
    }

    fn outcome(&self, operation: &'static str, topic: &str, code: Code) -> ClientError {
        self.listen();
        client_error(operation, code, &code.to_string(), Some(topic), &self.signals)
    }

    /// Partition counts of all topics. Asking for one by name could make the broker create it.
    fn counts(&self, timeout: Duration) -> Result<BTreeMap<String, i32>, ClientError> {
        self.listen();
        let metadata = self
            .client
            .inner()
            .fetch_metadata(None, timeout)
            .map_err(|error| self.rdkafka("reading the topics", &error))?;
        let count = |topic: &rdkafka::metadata::MetadataTopic| {
            let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
            let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
            (topic.error().is_none() && led).then(|| (topic.name().to_owned(), count))
        };
        Ok(metadata.topics().iter().filter_map(count).collect())
    }

    /// Waits until the broker's own picture of the topics is the wanted one: it learns of changes a little later than
    /// the controller.
    fn settle(
        &self,
        timeout: Duration,
        wanted: impl Fn(&BTreeMap<String, i32>) -> bool,
    ) -> Result<(), ClientError> {
        let until = self.clock.monotonic() + timeout;
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            if wanted(&self.counts(left.max(Duration::from_millis(100)))?) {
                return Ok(());
            }
            if left.is_zero() {
                let reason = self.signals.why("the change of topics has not reached the broker");
                return Err(ClientError::Unavailable { operation: "changing topics", reason });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks again while the answer is a passing one, such as a leader that was elected a moment ago. A client whose broker
    /// went away and came back may go on to ask the leader of before: another try is made by a new client.
    fn offset(
        &mut self,
        partition: &TopicPartition,
        spec: OffsetSpec,
        stable: bool,
        timeout: Duration,
    ) -> Result<Option<i64>, ClientError> {
        let until = self.clock.monotonic() + timeout;
        loop {
            let left = until.saturating_sub(self.clock.monotonic()).max(Duration::from_millis(100));
            match self.offset_once(partition, spec, stable, left.min(ANSWER_MAX)) {
                Err(error @ ClientError::Unavailable { .. }) if self.clock.monotonic() < until => {
                    tracing::debug!(%error, %partition, "asking again");
                    std::thread::sleep(Duration::from_millis(10));
                    if left > ANSWER_MAX {
                        *self = Self::new(&self.settings)?;
                    }
                }
                other => return other,
            }
        }
    }

    fn offset_once(
        &self,
        partition: &TopicPartition,
        spec: OffsetSpec,
        stable: bool,
        timeout: Duration,
    ) -> Result<Option<i64>, ClientError> {
        let operation = "looking up offsets";
        let asked = [(partition, spec)];
        let answers = match list_offsets(self.client.inner(), &asked, stable, timeout) {
            Ok(answers) => answers,
            // librdkafka says of a missing topic that its leader is not known.
            Err(_) if !self.counts(timeout)?.contains_key(&*partition.topic) => {
                return Err(ClientError::UnknownTopic { topic: partition.topic.to_string() });
            }
            Err(error) => return Err(self.native(operation, &error)),
        };
        let answer = answers.into_iter().next().expect("one answer for one question");
        answer.map_err(|error| self.outcome(operation, &partition.topic, error.code))
    }

    fn group_name(group: &str) -> Result<CString, ClientError> {
        let reason = "a group's name has no zero byte";
        CString::new(group)
            .map_err(|_| ClientError::Fatal { operation: "naming a group", reason: reason.to_owned() })
    }
}

impl Admin for KafkaAdmin {
    fn describe(
        &mut self,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        let counts = self.counts(timeout)?;
        let describe = |name: &&str| {
            counts.get(*name).map(|&partitions| TopicDescription { name: (*name).to_owned(), partitions })
        };
        Ok(topics.iter().map(describe).collect())
    }

    fn topics(&mut self, timeout: Duration) -> Result<Vec<String>, ClientError> {
        Ok(self.counts(timeout)?.into_keys().collect())
    }

    fn topic_config(
        &mut self,
        topic: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        let operation = "reading a topic's configuration";
        let asked = [ResourceSpecifier::Topic(topic)];
        let answers = wait(self.client.describe_configs(&asked, &options(timeout)))
            .map_err(|error| self.rdkafka(operation, &error))?;
        let mut config = BTreeMap::new();
        for answer in answers {
            let resource = answer.map_err(|code| self.outcome(operation, topic, code))?;
            let set = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
            config.extend(set);
        }
        Ok(config)
    }

    fn create(&mut self, topics: &[NewTopic], timeout: Duration) -> Result<(), ClientError> {
        let operation = "creating topics";
        if topics.is_empty() {
            return Ok(());
        }
        let native: Vec<NativeTopic<'_>> = topics
            .iter()
            .map(|topic| {
                let replication = TopicReplication::Fixed(i32::from(topic.replication));
                let native = NativeTopic::new(&topic.name, topic.partitions, replication);
                topic.config.iter().fold(native, |native, (key, value)| native.set(key, value))
            })
            .collect();
        let answers = wait(self.client.create_topics(&native, &options(timeout)))
            .map_err(|error| self.rdkafka(operation, &error))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let invalid = matches!(code, Code::InvalidConfig | Code::InvalidPartitions);
                    let invalid =
                        invalid || matches!(code, Code::InvalidReplicationFactor | Code::InvalidTopic);
                    let reason = code.to_string();
                    return Err(match invalid {
                        true => ClientError::TopicConflict { topic: name, reason },
                        false => self.outcome(operation, &name, code),
                    });
                }
            }
        }
        self.settle(timeout, |counts| topics.iter().all(|topic| counts.contains_key(&topic.name)))?;
        let counts = self.counts(timeout)?;
        for topic in topics {
            let is = counts.get(&topic.name).copied().unwrap_or(topic.partitions);
            // -1 leaves the number to the broker.
            if is != topic.partitions && topic.partitions > 0 {
                let reason = format!("it exists with {is} partitions, and {} are needed", topic.partitions);
                return Err(ClientError::TopicConflict { topic: topic.name.clone(), reason });
            }
        }
        Ok(())
    }

    fn delete(&mut self, topics: &[&str], timeout: Duration) -> Result<(), ClientError> {
        let operation = "deleting topics";
        if topics.is_empty() {
            return Ok(());
        }
        let answers = wait(self.client.delete_topics(topics, &options(timeout)))
            .map_err(|error| self.rdkafka(operation, &error))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, Code::UnknownTopicOrPartition)) => {}
                Err((name, code)) => return Err(self.outcome(operation, &name, code)),
            }
        }
        self.settle(timeout, |counts| topics.iter().all(|topic| !counts.contains_key(*topic)))
    }

    fn delete_records(
        &mut self,
        before: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let operation = "deleting records";
        let mut list = TopicPartitionList::new();
        for (partition, offset) in before {
            let mut place = list.add_partition(&partition.topic, partition.partition.0);
            place.set_offset(Offset::Offset(*offset)).expect("a plain offset has a number");
        }
        let answer = wait(self.client.delete_records(&list, &options(timeout)))
            .map_err(|error| self.rdkafka(operation, &error))?;
        for place in answer.elements() {
            if let Err(error) = place.error() {
                let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
                return Err(self.outcome(operation, place.topic(), code));
            }
        }
        Ok(())
    }

    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<Watermarks, ClientError> {
        let mut ask = |spec, stable| Ok(self.offset(partition, spec, stable, timeout)?.unwrap_or(0));
        // The stable end first: it never passes the high watermark that is read after it.
        let stable = ask(OffsetSpec::Latest, true)?;
        let high = ask(OffsetSpec::Latest, false)?;
        let low = ask(OffsetSpec::Earliest, false)?;
        Ok(Watermarks { low, high, stable })
    }

    fn end_hanging_transactions(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<usize, ClientError> {
        self.require_own()?;
        end_hanging(&self.settings, partition, timeout)
    }

    fn end_hanging_offsets(&mut self, group: &str, timeout: Duration) -> Result<usize, ClientError> {
        self.require_own()?;
        end_hanging_offsets(&self.settings, group, timeout)
    }

    fn offset_for_time(
        &mut self,
        partition: &TopicPartition,
        time: Timestamp,
        timeout: Duration,
    ) -> Result<Option<i64>, ClientError> {
        self.offset(partition, OffsetSpec::AtTime(time.0), false, timeout)
    }

    fn group_offsets(
        &mut self,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, ClientError> {
        let name = Self::group_name(group)?;
        if FetchSettings::can_reach(&self.settings) {
            return fetch::group_offsets(&self.settings, group, None, false, timeout);
        }
        // By a consumer's client: an administrator's dies in librdkafka of the answer that the coordinator has moved.
        let asker = self.outsider("reading a group's offsets", group, None)?;
        match group_offsets(asker.client(), &name, None, false, timeout) {
            Ok(offsets) => Ok(offsets),
            Err(error) if error.code == Code::GroupIdNotFound => Ok(Vec::new()),
            Err(error) => Err(self.native("reading a group's offsets", &error)),
        }
    }

    fn group_members(&mut self, group: &str, timeout: Duration) -> Result<Vec<String>, ClientError> {
        let name = Self::group_name(group)?;
        describe_members(self.client.inner(), &name, timeout).map_err(|error| {
            let operation = "reading a group's members";
            client_error(operation, error.code, &error.text, Some(group), &self.signals)
        })
    }

    fn remove_member(&mut self, group: &str, member: &str, timeout: Duration) -> Result<bool, ClientError> {
        if !FetchSettings::can_reach(&self.settings) {
            return Ok(false);
        }
        fetch::remove_member(&self.settings, group, member, timeout).map(|()| true)
    }

    fn set_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<(), ClientError> {
        let operation = "setting a group's offsets";
        let outsider = self.outsider(operation, group, Some(timeout))?;
        let whole = |(partition, offset): &(TopicPartition, i64)| {
            (partition.clone(), CommittedOffset { offset: *offset, metadata: String::new() })
        };
        let list = offsets_list(&offsets.iter().map(whole).collect::<Vec<_>>());
        outsider.commit(&list, CommitMode::Sync).map_err(|error| self.rdkafka(operation, &error))
    }

    fn delete_group(&mut self, group: &str, timeout: Duration) -> Result<(), ClientError> {
        let operation = "deleting a group";
        let answers = wait(self.client.delete_groups(&[group], &options(timeout)))
            .map_err(|error| self.rdkafka(operation, &error))?;
        for answer in answers {
            match answer {
                Ok(_) | Err((_, Code::GroupIdNotFound)) => {}
                Err((_, code)) => {
                    return Err(client_error(operation, code, &code.to_string(), Some(group), &self.signals));
                }
            }
        }
        Ok(())
    }
}
