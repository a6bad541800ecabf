//! Writing: records, and transactions of them with offsets. Owns the terms of a send; must not know who reads.

use std::time::Duration;

use super::{CommittedOffset, GroupMetadata};
use crate::client::error::ProducerError;
use crate::record::{Headers, Partition, TopicPartition};
use crate::time::Timestamp;

/// What a producer is made for.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// let settings = ProducerSettings { transactional_id: Some("writer-0".into()), ..ProducerSettings::default() };
/// let mut first = log.producer(&settings)?;
/// first.init_transactions(timeout)?;
/// // A second owner of the id fences the first one.
/// log.producer(&settings)?.init_transactions(timeout)?;
/// assert!(first.begin_transaction().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProducerSettings {
    /// Transactions under this id, or none (an idempotent producer).
    pub transactional_id: Option<String>,
    /// After how long the log aborts a transaction that its owner left open.
    pub transaction_timeout: Option<Duration>,
    /// How long a record may wait for company.
    pub linger: Option<Duration>,
    /// Bytes that may wait in the local queue.
    pub queue_bytes_max: Option<usize>,
}

/// A topic that a producer has resolved: sending looks up no name.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// let handle = producer.topic("trades")?;
/// assert_eq!(producer.topic("trades")?, handle);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicHandle(pub u32);

/// A record to be written. The producer copies what it needs before `send` returns.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// let (topic, headers) = (producer.topic("trades")?, Headers::default());
/// // A tombstone.
/// producer.send(OutgoingRecord {
///     topic,
///     partition: Partition(0),
///     key: Some(b"BTC"),
///     value: None,
///     headers: &headers,
///     timestamp: Timestamp(10),
/// })?;
/// producer.flush(timeout)?;
/// assert_eq!(producer.acknowledged(topic, Partition(0)), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRecord<'a> {
    /// Where to, by a handle of this producer.
    pub topic: TopicHandle,
    /// The partition; must exist.
    pub partition: Partition,
    /// The key's bytes, or null.
    pub key: Option<&'a [u8]>,
    /// The value's bytes, or null (a tombstone).
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a Headers,
    /// The record's time.
    pub timestamp: Timestamp,
}

/// Writes records: idempotent always, transactional where an id was given.
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
/// # let record = OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp };
/// producer.init_transactions(timeout)?;
/// producer.begin_transaction()?;
/// producer.send(record)?;
/// assert!(producer.begin_transaction().is_err(), "one is open");
/// producer.commit_transaction(timeout)?;
/// // The record, and the mark behind it that it is committed:
/// assert_eq!(admin.watermarks(&trades, timeout)?.stable, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Producer: Send {
    /// Resolves a topic once; the same name gives the same handle.
    ///
    /// # Errors
    /// When the engine refuses the name.
    fn topic(&mut self, name: &str) -> Result<TopicHandle, ProducerError>;

    /// Puts a record into the local queue; does not wait.
    ///
    /// # Errors
    /// [`ProducerError::QueueFull`] is backpressure. A failure of an earlier record may surface here.
    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<(), ProducerError>;

    /// Lets the producer do its housekeeping without waiting; call it once a poll.
    ///
    /// # Errors
    /// The first failure of a record sent before.
    fn poll(&mut self) -> Result<(), ProducerError>;

    /// Waits until all records sent before are written, at most `timeout`.
    ///
    /// # Errors
    /// The first failure of a record sent before; [`ProducerError::Timeout`] when some are still on their way.
    fn flush(&mut self, timeout: Duration) -> Result<(), ProducerError>;

    /// One past the offset of the last record written to this partition by this producer and acknowledged.
    fn acknowledged(&self, topic: TopicHandle, partition: Partition) -> Option<i64>;

    /// Registers the transactional id: fences its older owners and ends their open transaction.
    ///
    /// # Errors
    /// [`ProducerError::Timeout`] may be repeated.
    fn init_transactions(&mut self, timeout: Duration) -> Result<(), ProducerError>;

    /// Opens a transaction.
    ///
    /// # Errors
    /// When one is open, or the producer is fenced. Here and in every later call, [`ProducerError::Unsettled`]: it must be
    /// replaced, and there is nothing to abort.
    fn begin_transaction(&mut self) -> Result<(), ProducerError>;

    /// Adds consumer offsets to the transaction, in the name of the member that `member` describes.
    ///
    /// # Errors
    /// [`ProducerError::NotCurrent`] when the group refuses them; abort then.
    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), ProducerError>;

    /// Commits the transaction. After [`ProducerError::Timeout`] the outcome is unknown: repeat until it is known.
    ///
    /// # Errors
    /// [`ProducerError::Abortable`]: abort it. [`ProducerError::Fenced`]: it was not committed.
    fn commit_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError>;

    /// Aborts the transaction and forgets the records not yet sent.
    ///
    /// # Errors
    /// [`ProducerError::Timeout`] may be repeated.
    fn abort_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError>;
}
