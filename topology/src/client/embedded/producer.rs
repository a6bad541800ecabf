//! The embedded log's producer. Owns the local queue; must not know how batches are stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::batch::BatchBuilder;
use super::inner::Inner;
use super::partition::PartitionLog;
use super::topics::Topic;
use super::transactions::{TransactionalId, append_failed};
use crate::client::{
    CommittedOffset, GroupMetadata, OutgoingRecord, Producer, ProducerError, ProducerSettings, TopicHandle,
};
use crate::record::{Partition, TopicPartition};
use crate::time::Timestamp;

/// Bytes at which a batch is closed and the next one begun.
const BATCH_BYTES: usize = 64 * 1024;
/// Bytes that may wait, where the settings do not say.
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long a transaction may stay open, where the settings do not say: as in Kafka.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// A producer of an embedded log.
pub(super) struct EmbeddedProducer {
    inner: Arc<Inner>,
    settings: ProducerSettings,
    id: Option<Arc<TransactionalId>>,
    /// The owner's epoch, once registered.
    epoch: Option<u32>,
    is_in_transaction: bool,
    topics: Vec<KnownTopic>,
    by_name: BTreeMap<Arc<str>, TopicHandle>,
    /// Partitions with something queued, as places in `topics`.
    waiting: Vec<(usize, usize)>,
    queued_bytes: usize,
    /// Since when something has been queued, by the clock.
    queued_since: Option<Duration>,
}

struct KnownTopic {
    name: Arc<str>,
    topic: Option<Arc<Topic>>,
    lanes: Vec<Lane>,
}

/// What is queued for one partition.
struct Lane {
    partition: Arc<PartitionLog>,
    batches: VecDeque<BatchBuilder>,
    acknowledged: Option<i64>,
}

impl EmbeddedProducer {
    /// A producer with nothing queued.
    pub(super) fn new(inner: Arc<Inner>, settings: &ProducerSettings) -> Self {
        let name = settings.transactional_id.as_deref();
        let id = name.map(|name| inner.transactional_ids.get(name, &inner.coordination));
        Self {
            inner,
            settings: settings.clone(),
            id,
            epoch: None,
            is_in_transaction: false,
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            waiting: Vec::new(),
            queued_bytes: 0,
            queued_since: None,
        }
    }

    fn wall(&self) -> i64 {
        self.inner.settings.clock.wall().0
    }

    fn owner(&self) -> Result<(&Arc<TransactionalId>, u32), ProducerError> {
        match (&self.id, self.epoch) {
            (Some(id), Some(epoch)) => Ok((id, epoch)),
            (Some(_), None) => Err(ProducerError::Fatal {
                reason: "the transactional id is not registered; call init_transactions first".to_owned(),
            }),
            (None, _) => Err(ProducerError::Fatal {
                reason: "the producer has no transactional id; give it one in its settings".to_owned(),
            }),
        }
    }

    fn write_queue(&mut self) -> Result<(), ProducerError> {
        let wall = self.wall();
        let mut first_error = None;
        for (topic, lane) in std::mem::take(&mut self.waiting) {
            let lane = &mut self.topics[topic].lanes[lane];
            let written = match (&self.id, self.epoch) {
                (Some(id), Some(epoch)) => id.append(epoch, &lane.partition, &mut lane.batches, wall),
                _ => lane
                    .partition
                    .append(&mut lane.batches, 0, wall)
                    .map_err(|error| append_failed(error, &lane.partition.name)),
            };
            lane.batches.clear();
            match written {
                Ok(end) => lane.acknowledged = Some(end),
                Err(error) => {
                    if matches!(error, ProducerError::Rejected { .. }) {
                        self.topics[topic].topic = None;
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        self.queued_bytes = 0;
        self.queued_since = None;
        first_error.map_or(Ok(()), Err)
    }

    fn forget_queue(&mut self) {
        for (topic, lane) in std::mem::take(&mut self.waiting) {
            self.topics[topic].lanes[lane].batches.clear();
        }
        self.queued_bytes = 0;
        self.queued_since = None;
    }

    fn check_may_send(&self) -> Result<(), ProducerError> {
        if self.id.is_none() || self.is_in_transaction {
            return Ok(());
        }
        let (id, epoch) = self.owner()?;
        id.check(epoch)?;
        Err(ProducerError::Fatal {
            reason: "a transactional producer sends within transactions only; call begin_transaction first"
                .to_owned(),
        })
    }
}

impl KnownTopic {
    fn resolve(&mut self, inner: &Inner) -> Result<(), ProducerError> {
        if self.topic.is_some() {
            return Ok(());
        }
        let Some(topic) = inner.topics.find(&self.name) else {
            return Err(self.refuse("the topic does not exist; create it first"));
        };
        self.lanes = topic.partitions.iter().map(|partition| Lane::new(Arc::clone(partition))).collect();
        self.topic = Some(topic);
        Ok(())
    }

    fn refuse(&self, reason: impl Into<String>) -> ProducerError {
        ProducerError::Rejected { topic: self.name.to_string(), reason: reason.into() }
    }
}

impl Lane {
    fn new(partition: Arc<PartitionLog>) -> Self {
        Self { partition, batches: VecDeque::new(), acknowledged: None }
    }

    fn push(&mut self, record: &OutgoingRecord<'_>, size: usize, time: i64) {
        let is_full = |last: &BatchBuilder| last.len() + size > BATCH_BYTES;
        if self.batches.back().is_none_or(is_full) {
            let room = if self.batches.is_empty() { size + 256 } else { BATCH_BYTES };
            self.batches.push_back(BatchBuilder::with_capacity(room));
        }
        let last = self.batches.back_mut().expect("a batch was pushed when there was none");
        last.push(last.count(), time, record.key, record.value, record.headers);
    }
}

fn size_of(record: &OutgoingRecord<'_>) -> usize {
    let headers: usize = if record.headers.is_empty() {
        0
    } else {
        let one = |header: &crate::record::Header| {
            header.name.len() + header.value.as_ref().map_or(0, bytes::Bytes::len) + 10
        };
        record.headers.iter().map(one).sum()
    };
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers + 24
}

impl Producer for EmbeddedProducer {
    fn topic(&mut self, name: &str) -> Result<TopicHandle, ProducerError> {
        if let Some(handle) = self.by_name.get(name) {
            return Ok(*handle);
        }
        let handle = TopicHandle(u32::try_from(self.topics.len()).expect("topics are fewer than 4 billion"));
        let name: Arc<str> = name.into();
        let mut known = KnownTopic { name: Arc::clone(&name), topic: None, lanes: Vec::new() };
        // A topic that is missing now may exist by the time of the first record.
        drop(known.resolve(&self.inner));
        self.topics.push(known);
        self.by_name.insert(name, handle);
        Ok(handle)
    }

    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<(), ProducerError> {
        self.check_may_send()?;
        let size = size_of(&record);
        let queue_max = self.settings.queue_bytes_max.unwrap_or(QUEUE_BYTES_MAX);
        if self.queued_bytes > 0 && self.queued_bytes + size > queue_max {
            return Err(ProducerError::QueueFull);
        }
        let at = record.topic.0 as usize;
        let Some(known) = self.topics.get_mut(at) else {
            let reason = "the topic's handle is of another producer".to_owned();
            return Err(ProducerError::Fatal { reason });
        };
        known.resolve(&self.inner)?;
        let place = usize::try_from(record.partition.0).unwrap_or(usize::MAX);
        let Some(lane) = known.lanes.get_mut(place) else {
            let reason =
                format!("it has {} partitions, not one numbered {}", known.lanes.len(), record.partition);
            return Err(known.refuse(reason));
        };
        let config = &lane.partition.config;
        if size > config.message_bytes_max {
            let reason =
                format!("{size} bytes are more than max.message.bytes, {}", config.message_bytes_max);
            return Err(known.refuse(reason));
        }
        if config.compacts && record.key.is_none() {
            return Err(known.refuse("a compacted topic takes no record without a key"));
        }
        let needs_time = record.timestamp < Timestamp(0) || config.stamps_on_append;
        let time = if needs_time { self.inner.settings.clock.wall() } else { record.timestamp };
        if lane.batches.is_empty() {
            self.waiting.push((at, place));
        }
        lane.push(&record, size, time.0);
        self.queued_bytes += size;
        Ok(())
    }

    fn poll(&mut self) -> Result<(), ProducerError> {
        if self.queued_bytes == 0 {
            return Ok(());
        }
        if let Some(linger) = self.settings.linger.filter(|_| self.queued_bytes < BATCH_BYTES) {
            let now = self.inner.settings.clock.monotonic();
            let since = *self.queued_since.get_or_insert(now);
            if now.saturating_sub(since) < linger {
                return Ok(());
            }
        }
        self.write_queue()
    }

    fn flush(&mut self, _timeout: Duration) -> Result<(), ProducerError> {
        self.write_queue()
    }

    fn acknowledged(&self, topic: TopicHandle, partition: Partition) -> Option<i64> {
        let lanes = &self.topics.get(topic.0 as usize)?.lanes;
        lanes.get(usize::try_from(partition.0).ok()?)?.acknowledged
    }

    fn init_transactions(&mut self, _timeout: Duration) -> Result<(), ProducerError> {
        if let (Some(id), Some(epoch)) = (&self.id, self.epoch) {
            return id.check(epoch);
        }
        let Some(id) = &self.id else { return self.owner().map(|_| ()) };
        self.epoch = Some(id.register(&self.inner.coordination, self.wall())?);
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), ProducerError> {
        let (id, epoch) = self.owner()?;
        let timeout = self.settings.transaction_timeout.unwrap_or(TRANSACTION_TIMEOUT);
        id.begin(epoch, &self.inner.coordination, self.inner.settings.clock.monotonic(), timeout)?;
        self.is_in_transaction = true;
        Ok(())
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
        _timeout: Duration,
    ) -> Result<(), ProducerError> {
        let (id, epoch) = self.owner()?;
        id.add_offsets(epoch, offsets, member, &self.inner.coordination)
    }

    fn commit_transaction(&mut self, _timeout: Duration) -> Result<(), ProducerError> {
        let (id, epoch) = self.owner()?;
        let id = Arc::clone(id);
        self.write_queue()?;
        id.commit(epoch, &self.inner.coordination, self.wall())?;
        self.is_in_transaction = false;
        Ok(())
    }

    fn abort_transaction(&mut self, _timeout: Duration) -> Result<(), ProducerError> {
        let (id, epoch) = self.owner()?;
        let id = Arc::clone(id);
        self.forget_queue();
        id.abort(epoch, &self.inner.coordination, self.wall())?;
        self.is_in_transaction = false;
        Ok(())
    }
}
