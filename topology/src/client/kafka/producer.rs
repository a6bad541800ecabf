//! The Kafka engine of [`Producer`]: idempotent or transactional production.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::error::RDKafkaErrorCode;

use super::consumer::offsets_list;
use super::ending::{Ending, Seen};
use super::errors::{from_rdkafka, record_denied, record_error, transaction_error};
use super::fetch::{FetchSettings, end_left_open, has_ended};
use super::ffi::{MemberSnapshot, NativeError, ProducerClient};
use super::group::Membership;
use super::settings::KafkaSettings;
use super::signals::Signals;
use crate::client::error::{ClientError, ProducerError};
use crate::client::traits::{
    CommittedOffset, GroupMetadata, OutgoingRecord, Producer, ProducerSettings, TopicHandle,
};
use crate::record::{Partition, TopicPartition};
use crate::time::{Clock as _, SystemClock};

/// How long a producer is given to connect; later its records do the same.
const WAKE_TIMEOUT: Duration = Duration::from_millis(200);
/// How long it may take to look for what a predecessor has left.
const LOOK_BACK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long it may take to hear whether a transaction has ended, of a producer that is idle.
const ENDED_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two looks at what was acknowledged.
const LOOK: Duration = Duration::from_millis(10);

/// A producer over librdkafka.
pub(super) struct KafkaProducer {
    /// None once it must be replaced.
    client: Option<ProducerClient>,
    signals: Arc<Signals>,
    id: Option<String>,
    names: Vec<String>,
    by_name: BTreeMap<String, u32>,
    transactional: bool,
    /// Its producer id is there or asked for.
    is_awake: bool,
    settings: KafkaSettings,
    /// It was looked for what its predecessor has left open.
    has_looked_back: bool,
    /// What is left open can be found: so it is worth knowing of.
    watches: bool,
    clock: SystemClock,
    ending: Ending,
    /// Within a transaction; and something was sent in it.
    is_open: bool,
    has_sent: bool,
}

impl KafkaProducer {
    pub(super) fn new(settings: &KafkaSettings, producer: &ProducerSettings) -> Result<Self, ClientError> {
        let signals = Arc::new(Signals::new(settings));
        let client = ProducerClient::new(&settings.producer(producer), Arc::clone(&signals))
            .map_err(|error| from_rdkafka("making a producer", &error, &signals))?;
        let transactional = producer.transactional_id.is_some();
        Ok(Self {
            client: Some(client),
            signals,
            id: producer.transactional_id.clone(),
            names: Vec::new(),
            by_name: BTreeMap::new(),
            transactional,
            is_awake: transactional,
            settings: settings.clone(),
            has_looked_back: false,
            watches: transactional && FetchSettings::can_reach(settings),
            clock: SystemClock::default(),
            ending: Ending::default(),
            is_open: false,
            has_sent: false,
        })
    }

    /// Before it is registered: afterwards nobody can tell any more what has become of its predecessor's last transaction.
    /// So it is not even begun before: what librdkafka has begun goes on by itself after its time.
    fn look_back(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let Some(id) = self.id.as_deref().filter(|_| !self.has_looked_back) else { return Ok(()) };
        match end_left_open(&self.settings, id, timeout.min(LOOK_BACK_TIMEOUT)) {
            Ok(0) => {}
            Ok(ended) => tracing::warn!(
                transactional_id = id,
                ended,
                "ended transactions that hung: the broker had taken them for ended and never wrote so"
            ),
            Err(ClientError::Unavailable { .. }) => {
                return Err(ProducerError::Timeout { operation: "registering the producer" });
            }
            Err(error) => tracing::warn!(
                transactional_id = id,
                %error,
                "it cannot be told whether the last producer of this id has left transactions open"
            ),
        }
        self.has_looked_back = true;
        Ok(())
    }

    /// Lets librdkafka ask for a producer id now. Without a connection at the time it is made, it looks again after half a
    /// second, and the first records wait for that.
    fn wake(&self, topic: usize) {
        let Some(client) = &self.client else { return };
        // The first answer may come over the connection to a named address, which ends with it.
        for _ in 0..2 {
            client.ask_for(topic, WAKE_TIMEOUT);
        }
    }

    fn client(&mut self) -> Result<&mut ProducerClient, ProducerError> {
        self.client.as_mut().ok_or(ProducerError::Unsettled)
    }

    fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.client.as_ref()?.fatal_error()
    }

    fn failed(&self, operation: &'static str, error: &NativeError) -> ProducerError {
        let about = (self.id.as_deref(), &*self.signals);
        transaction_error(operation, error, self.fatal_error(), about)
    }

    /// The first failure of a record sent before, said once.
    fn delivered(&mut self) -> Result<(), ProducerError> {
        let Some((topic, code)) = self.client()?.take_failure() else { return Ok(()) };
        if let Some(topic) = self.signals.denied() {
            return Err(record_denied(&topic, &self.signals));
        }
        if let Some((fatal, reason)) = self.fatal_error() {
            let error = NativeError { code: fatal, text: reason, retriable: false, abort: false };
            return Err(self.failed("writing records", &error));
        }
        let name = self.names.get(topic).map_or("an unknown topic", String::as_str);
        Err(record_error(name, code, &code.to_string(), self.transactional, &self.signals))
    }

    /// Looks whether the end of the last transaction is known to be written everywhere. If it will not be known any more, librdkafka
    /// ends here and now: it must not go on with a broker that has started anew.
    fn watch(&mut self) -> Result<(), ProducerError> {
        if !self.ending.is_open() {
            return Ok(());
        }
        let (closed, acknowledged) = (self.signals.closed(), self.client()?.acknowledged_count());
        if self.ending.is_lost(Seen { closed, acknowledged }) {
            return Err(self.close());
        }
        if let Some(id) =
            self.id.as_deref().filter(|_| !self.is_open && self.ending.is_idle(self.clock.monotonic()))
        {
            match has_ended(&self.settings, id, ENDED_TIMEOUT) {
                Ok(true) => self.ending.confirm(self.signals.closed()),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "it is not known whether the last transaction has ended");
                }
            }
        }
        Ok(())
    }

    /// Waits until something was written behind the end of the last transaction, if something was sent.
    fn settle(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let until = self.clock.monotonic() + timeout;
        loop {
            self.watch()?;
            if !self.ending.is_open() || !self.has_sent || self.client()?.is_empty() {
                return Ok(());
            }
            if self.clock.monotonic() >= until {
                return Err(ProducerError::Timeout { operation: "writing records" });
            }
            self.client()?.poll(LOOK);
        }
    }

    /// The end of the transaction is about to be asked for.
    fn ask_end(&mut self) {
        if self.watches {
            self.ending.ask(self.signals.closed());
        }
    }

    /// It was answered.
    fn decided(&mut self) {
        self.is_open = false;
        let acknowledged = self.client.as_ref().map_or(0, ProducerClient::acknowledged_count);
        self.ending.decide(acknowledged, self.clock.monotonic());
    }

    fn close(&mut self) -> ProducerError {
        tracing::debug!(transactional_id = self.id, "a broker went away while a transaction ended");
        self.client = None;
        ProducerError::Unsettled
    }
}

impl Producer for KafkaProducer {
    fn topic(&mut self, name: &str) -> Result<TopicHandle, ProducerError> {
        if let Some(&handle) = self.by_name.get(name) {
            return Ok(TopicHandle(handle));
        }
        let refused = |reason: String| ProducerError::Rejected { topic: name.to_owned(), reason };
        let c_name = CString::new(name).map_err(|_| refused("a topic's name has no zero byte".to_owned()))?;
        let number = self.client()?.topic(&c_name).map_err(|error| refused(error.text))?;
        if !std::mem::replace(&mut self.is_awake, true) {
            self.wake(number);
        }
        let handle = u32::try_from(number).expect("a producer writes fewer than four billion topics");
        self.names.push(name.to_owned());
        self.by_name.insert(name.to_owned(), handle);
        Ok(TopicHandle(handle))
    }

    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<(), ProducerError> {
        if self.ending.was_cut(|| self.signals.closed()) {
            return Err(self.close());
        }
        self.has_sent = true;
        let topic = record.topic.0 as usize;
        let sent = self.client()?.send(
            topic,
            record.partition.0,
            record.key,
            record.value,
            record.timestamp.0,
            record.headers,
        );
        match sent {
            Ok(()) => Ok(()),
            Err(error) if error.code == RDKafkaErrorCode::QueueFull => Err(ProducerError::QueueFull),
            Err(error) if matches!(error.code, RDKafkaErrorCode::State | RDKafkaErrorCode::Fatal) => {
                match self.failed("sending a record", &error) {
                    // Not fatal: the transaction has failed meanwhile, and takes no more records.
                    ProducerError::Fatal { .. } if self.transactional && self.fatal_error().is_none() => {
                        let reason = "the transaction failed before it was committed".to_owned();
                        Err(ProducerError::Abortable { reason })
                    }
                    failed => Err(failed),
                }
            }
            Err(error) => {
                let (name, signals) = (&self.names[topic], &self.signals);
                Err(record_error(name, error.code, &error.text, self.transactional, signals))
            }
        }
    }

    fn poll(&mut self) -> Result<(), ProducerError> {
        self.client()?.poll(Duration::ZERO);
        self.watch()?;
        self.delivered()
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let flushed = self.client()?.flush(timeout);
        self.delivered()?;
        flushed.map_err(|error| self.failed("flushing", &error))
    }

    fn acknowledged(&self, topic: TopicHandle, partition: Partition) -> Option<i64> {
        self.client.as_ref()?.acknowledged(topic.0 as usize, usize::try_from(partition.0).ok()?)
    }

    fn init_transactions(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        self.look_back(timeout)?;
        self.client()?
            .init_transactions(timeout)
            .map_err(|error| self.failed("registering the producer", &error))
    }

    fn begin_transaction(&mut self) -> Result<(), ProducerError> {
        self.watch()?;
        let begun = self.client()?.begin_transaction();
        begun.map_err(|error| self.failed("opening a transaction", &error))?;
        (self.is_open, self.has_sent) = (true, false);
        Ok(())
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), ProducerError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.settle(timeout)?;
        let Some(client) = &self.client else { return Err(ProducerError::Unsettled) };
        let list: TopicPartitionList = offsets_list(offsets);
        let sent = if Membership::is_outsider(member) {
            let refused =
                |_| ProducerError::NotCurrent { reason: "a group's name has no zero byte".to_owned() };
            let group = CString::new(&*member.group).map_err(refused)?;
            MemberSnapshot::outsider(&group).send_offsets(client, &list, timeout)
        } else {
            let membership = Membership::of(member).map_err(|reason| ProducerError::NotCurrent { reason })?;
            membership.snapshot().send_offsets(client, &list, timeout)
        };
        sent.map_err(|error| self.failed("sending offsets", &error))?;
        // The coordinator has allowed it.
        self.ending.confirm(self.signals.closed());
        Ok(())
    }

    fn commit_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        // Offsets alone show nothing before they are sent; then their commit is the better end for both.
        if self.has_sent {
            self.settle(timeout)?;
        }
        self.ask_end();
        let committed = self.client()?.commit_transaction(timeout);
        match committed {
            Ok(()) => {
                self.decided();
                Ok(())
            }
            Err(error) => {
                // The record that failed says more than the transaction that fails of it.
                let mapped = self.failed("committing the transaction", &error);
                match (mapped, self.delivered()) {
                    (
                        ProducerError::Abortable { .. },
                        Err(error @ (ProducerError::Abortable { .. } | ProducerError::Rejected { .. })),
                    ) => Err(error),
                    (mapped, _) => Err(mapped),
                }
            }
        }
    }

    fn abort_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        self.watch()?;
        self.ask_end();
        let aborted = self.client()?.abort_transaction(timeout);
        // What failed belonged to the transaction that is gone.
        self.client()?.take_failure();
        aborted.map_err(|error| self.failed("aborting the transaction", &error))?;
        self.decided();
        Ok(())
    }
}
