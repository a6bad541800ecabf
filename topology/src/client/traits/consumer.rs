//! Reading: which records, from where, and into what. Owns the terms of a poll; must not know who is a member of the group
//! whose offsets it commits.

use std::time::Duration;

use super::{CommittedOffset, GroupMetadata};
use crate::client::error::ClientError;
use crate::record::{RecordRun, TopicPartition};

/// Which records a consumer sees.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let settings = ProducerSettings { transactional_id: Some("writer-0".into()), ..ProducerSettings::default() };
/// # let mut producer = log.producer(&settings)?;
/// # let (topic, headers) = (producer.topic("trades")?, Headers::default());
/// # let (partition, key, value, timestamp) = (Partition(0), None, Some(&b"100"[..]), Timestamp(10));
/// # producer.init_transactions(timeout)?;
/// # producer.begin_transaction()?;
/// # producer.send(OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp })?;
/// # producer.flush(timeout)?;
/// # let read = |isolation| -> Result<usize, ClientError> {
/// #     let mut consumer = log.consumer("readers", isolation)?;
/// #     consumer.assign(&[(trades.clone(), StartAt::Beginning)])?;
/// #     let mut batch = PolledBatch::default();
/// #     consumer.poll(100, Duration::from_millis(10), &mut batch)?;
/// #     Ok(batch.runs.iter().map(RecordRun::len).sum())
/// # };
/// // Of a record in a transaction that is still open:
/// assert_eq!(read(Isolation::ReadUncommitted)?, 1);
/// assert_eq!(read(Isolation::ReadCommitted)?, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All of them.
    ReadUncommitted,
    /// Only those outside of transactions or of committed ones, up to the last stable offset.
    ReadCommitted,
}

/// How a consumer reads.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, partition, headers) = (producer.topic("trades")?, Partition(0), Headers::default());
/// # for price in [&b"100"[..], b"120"] {
/// #     let (key, value, timestamp) = (Some(&b"BTC"[..]), Some(price), Timestamp(10));
/// #     producer.send(OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp })?;
/// # }
/// # producer.flush(timeout)?;
/// let settings = ConsumerSettings {
///     gather: Duration::from_millis(100),
///     fetch_bytes_max: Some(1 << 20),
///     ..ConsumerSettings::new("readers", Isolation::ReadCommitted)
/// };
/// let mut consumer = log.consumer_with(&settings)?;
/// consumer.assign(&[(trades.clone(), StartAt::Beginning)])?;
/// consumer.poll(100, timeout, &mut PolledBatch::default())?;
/// // Of two records:
/// assert_eq!(consumer.position(&trades), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// The group its commits belong to.
    pub group: String,
    /// Which records it sees.
    pub isolation: Isolation,
    /// How long the log may gather records, as long as they are few, before it hands them over: a reader whose results are
    /// seen at its next commit only loses nothing by it, and both sides are woken less often.
    pub gather: Duration,
    /// Memory that fetched, not yet polled records may take, in bytes; the engine's default when not given.
    pub fetch_bytes_max: Option<usize>,
}

impl ConsumerSettings {
    /// A consumer that is told of records at once, with the engine's default of memory.
    ///
    /// ```
    /// use candlewick::client::{ConsumerSettings, Isolation};
    /// let settings = ConsumerSettings::new("readers", Isolation::ReadCommitted);
    /// assert!(settings.gather.is_zero());
    /// assert_eq!(settings.fetch_bytes_max, None);
    /// ```
    #[must_use]
    pub fn new(group: &str, isolation: Isolation) -> Self {
        Self { group: group.to_owned(), isolation, gather: Duration::ZERO, fetch_bytes_max: None }
    }
}

/// Where reading of a partition starts.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, partition, headers) = (producer.topic("trades")?, Partition(0), Headers::default());
/// # for price in [&b"100"[..], b"120"] {
/// #     let (key, value, timestamp) = (Some(&b"BTC"[..]), Some(price), Timestamp(10));
/// #     producer.send(OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp })?;
/// # }
/// # producer.flush(timeout)?;
/// # let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
/// # let mut batch = PolledBatch::default();
/// consumer.assign(&[(trades.clone(), StartAt::Offset(1))])?;
/// consumer.poll(100, timeout, &mut batch)?;
/// // Of two records:
/// assert_eq!(batch.runs[0].len(), 1);
/// consumer.seek(&trades, StartAt::Beginning)?;
/// consumer.poll(100, timeout, &mut batch)?;
/// assert_eq!(batch.runs[0].len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At this offset. Out of range is an error, never a silent jump.
    Offset(i64),
    /// At the first offset held.
    Beginning,
    /// At the end: only what is written from now on.
    End,
}

/// What one poll brought: at most one run for each partition, and none that is empty.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, partition, headers) = (producer.topic("trades")?, Partition(0), Headers::default());
/// # for price in [&b"100"[..], b"120"] {
/// #     let (key, value, timestamp) = (Some(&b"BTC"[..]), Some(price), Timestamp(10));
/// #     producer.send(OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp })?;
/// # }
/// # producer.flush(timeout)?;
/// # let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
/// # consumer.assign(&[(trades, StartAt::Beginning)])?;
/// let mut batch = PolledBatch::default();
/// consumer.poll(100, timeout, &mut batch)?;
/// let values: Vec<_> = batch.runs.iter().flat_map(|run| run.iter()).map(|record| record.value).collect();
/// assert_eq!(values, [Some(&b"100"[..]), Some(b"120")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct PolledBatch {
    /// The runs, each in offset order.
    pub runs: Vec<RecordRun>,
}

/// Reads assigned partitions. Never subscribes and never commits by itself.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, partition, headers) = (producer.topic("trades")?, Partition(0), Headers::default());
/// # for price in [&b"100"[..], b"120"] {
/// #     let (key, value, timestamp) = (Some(&b"BTC"[..]), Some(price), Timestamp(10));
/// #     producer.send(OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp })?;
/// # }
/// # producer.flush(timeout)?;
/// # let mut batch = PolledBatch::default();
/// let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
/// consumer.assign(&[(trades.clone(), StartAt::Beginning)])?;
/// consumer.poll(1, timeout, &mut batch)?;
/// assert_eq!(consumer.position(&trades), Some(1));
/// // What is paused stays assigned and brings nothing.
/// consumer.pause(&[trades.clone()])?;
/// consumer.poll(1, Duration::ZERO, &mut batch)?;
/// assert!(batch.runs.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Consumer: Send {
    /// Replaces the set of partitions read, each from its start.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`] when a topic is missing.
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError>;

    /// Moves the position of an assigned partition; records already fetched are dropped.
    ///
    /// # Errors
    /// When the partition is not assigned.
    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError>;

    /// Stops fetching these partitions, which stay assigned. Nothing of them is returned until they are resumed.
    ///
    /// # Errors
    /// When a partition is not assigned.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError>;

    /// Fetches these partitions again.
    ///
    /// # Errors
    /// When a partition is not assigned.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError>;

    /// Brings at most `records_max` records, waiting up to `timeout` for the first one. `batch` is emptied first.
    ///
    /// # Errors
    /// [`ClientError::OffsetOutOfRange`] at once when a position is gone; [`ClientError::Unavailable`] may be retried.
    fn poll(
        &mut self,
        records_max: usize,
        timeout: Duration,
        batch: &mut PolledBatch,
    ) -> Result<(), ClientError>;

    /// The offset that the next poll reads from: behind commit markers and aborted batches that were passed.
    fn position(&self, partition: &TopicPartition) -> Option<i64>;

    /// The end offset (last stable one under read committed) as far as it is known without asking; `None` before the
    /// first fetch.
    fn known_end(&self, partition: &TopicPartition) -> Option<i64>;

    /// The group's offsets; `None` where nothing is committed. Waits for open transactions that carry offsets to end.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError>;

    /// Commits offsets for the group, in the name of the member that `member` describes, and waits for the answer.
    ///
    /// # Errors
    /// [`ClientError::NotCurrent`] when the member is not (or no longer) current.
    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError>;
}
