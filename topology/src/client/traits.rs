//! The traits that every engine implements. They speak of bytes, offsets and deadlines only.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::error::{ClientError, ProducerError};
use crate::record::{Headers, Partition, RecordRun, TopicPartition};
use crate::time::Timestamp;

/// A log: makes the clients that the runtime's threads own. Shared by all threads.
pub trait Log: Send + Sync + 'static {
    /// A consumer that reads assigned partitions.
    ///
    /// # Errors
    /// When the engine cannot make one.
    fn consumer_with(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, ClientError>;

    /// A consumer that is told of records at once; `group` is the group its commits belong to.
    ///
    /// # Errors
    /// When the engine cannot make one.
    fn consumer(&self, group: &str, isolation: Isolation) -> Result<Box<dyn Consumer>, ClientError> {
        self.consumer_with(&ConsumerSettings::new(group, isolation))
    }

    /// A producer.
    ///
    /// # Errors
    /// When the engine cannot make one.
    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, ClientError>;

    /// An administrator of topics and offsets.
    ///
    /// # Errors
    /// When the engine cannot make one.
    fn admin(&self) -> Result<Box<dyn Admin>, ClientError>;

    /// Joins `group` as a member subscribed to `topic` alone. `session_timeout` is how long the member may be silent.
    ///
    /// # Errors
    /// When the engine cannot make one.
    fn group(
        &self,
        group: &str,
        topic: &str,
        session_timeout: Duration,
    ) -> Result<Box<dyn Group>, ClientError>;
}

/// Which records a consumer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All of them.
    ReadUncommitted,
    /// Only those outside of transactions or of committed ones, up to the last stable offset.
    ReadCommitted,
}

/// How a consumer reads.
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
    #[must_use]
    pub fn new(group: &str, isolation: Isolation) -> Self {
        Self { group: group.to_owned(), isolation, gather: Duration::ZERO, fetch_bytes_max: None }
    }
}

/// Where reading of a partition starts.
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
#[derive(Debug, Default)]
pub struct PolledBatch {
    /// The runs, each in offset order.
    pub runs: Vec<RecordRun>,
}

/// First and last offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset held.
    pub low: i64,
    /// One past the last record (read uncommitted).
    pub high: i64,
    /// One past the last record that a read-committed consumer may see now.
    pub stable: i64,
}

/// An offset as the group keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The committer's own text: partition time and the like. Empty when there is none.
    pub metadata: String,
}

/// Reads assigned partitions. Never subscribes and never commits by itself.
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

/// What a producer is made for.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicHandle(pub u32);

/// A record to be written. The producer copies what it needs before `send` returns.
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
    /// When one is open, or the producer is fenced.
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

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// How many replicas; `-1` for the log's default.
    pub replication: i16,
    /// Topic configuration by Kafka's keys.
    pub config: BTreeMap<String, String>,
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
}

/// Topics, offsets and deletion.
pub trait Admin: Send {
    /// Describes topics; `None` for one that does not exist.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn describe(
        &mut self,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError>;

    /// The names of all topics.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn topics(&mut self, timeout: Duration) -> Result<Vec<String>, ClientError>;

    /// A topic's configuration by Kafka's keys.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    fn topic_config(
        &mut self,
        topic: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, ClientError>;

    /// Makes topics; one that exists with the same number of partitions is fine.
    ///
    /// # Errors
    /// [`ClientError::TopicConflict`] when one exists with another number of partitions.
    fn create(&mut self, topics: &[NewTopic], timeout: Duration) -> Result<(), ClientError>;

    /// Deletes topics; a missing one is fine.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn delete(&mut self, topics: &[&str], timeout: Duration) -> Result<(), ClientError>;

    /// Deletes the records below each offset.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn delete_records(
        &mut self,
        before: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<(), ClientError>;

    /// First and last offsets.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<Watermarks, ClientError>;

    /// Ends transactions of this partition that hang: open in it for ever, because their coordinator takes them for ended.
    /// Gives how many were ended. Those that a live producer may still write in, and those of which nobody knows whether
    /// they were committed, are left alone. A log that has no such transactions ends none.
    ///
    /// # Errors
    /// [`ClientError::Denied`] when this user may not end them; [`ClientError::Fatal`] when this client cannot.
    fn end_hanging_transactions(
        &mut self,
        partition: &TopicPartition,
        timeout: Duration,
    ) -> Result<usize, ClientError> {
        let _ = (partition, timeout);
        Ok(0)
    }

    /// The same of the transactions that carry offsets of a group.
    ///
    /// # Errors
    /// As [`end_hanging_transactions`](Self::end_hanging_transactions).
    fn end_hanging_offsets(&mut self, group: &str, timeout: Duration) -> Result<usize, ClientError> {
        let _ = (group, timeout);
        Ok(0)
    }

    /// The first offset whose record has this time or a later one; `None` when there is none.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    fn offset_for_time(
        &mut self,
        partition: &TopicPartition,
        time: Timestamp,
        timeout: Duration,
    ) -> Result<Option<i64>, ClientError>;

    /// All offsets a group has committed.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn group_offsets(
        &mut self,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, ClientError>;

    /// The ids of the group's live members.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn group_members(&mut self, group: &str, timeout: Duration) -> Result<Vec<String>, ClientError>;

    /// Takes out a member of whom it is certain that its process has ended: the others need not wait until its session is
    /// over. One that is no member is fine. `false` where this client cannot.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`, or refuses.
    fn remove_member(&mut self, group: &str, member: &str, timeout: Duration) -> Result<bool, ClientError> {
        let _ = (group, member, timeout);
        Ok(false)
    }

    /// Sets a group's offsets; the group must have no members.
    ///
    /// # Errors
    /// [`ClientError::NotCurrent`] while it has members.
    fn set_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<(), ClientError>;

    /// Deletes a group; a missing one is fine.
    ///
    /// # Errors
    /// [`ClientError::NotCurrent`] while it has members.
    fn delete_group(&mut self, group: &str, timeout: Duration) -> Result<(), ClientError>;
}

/// Who a member is at one moment, as commits must say it.
#[derive(Clone, Debug)]
pub struct GroupMetadata {
    /// The group.
    pub group: Arc<str>,
    /// The member's id, empty before it has joined.
    pub member: Arc<str>,
    /// The generation or member epoch; negative before it has joined.
    pub generation: i32,
    /// The engine's own form of the same, for the engine alone.
    pub native: Option<Arc<dyn Any + Send + Sync>>,
}

impl std::fmt::Debug for dyn Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

/// A change of membership. Until an `Assigned` or `Revoked` has been answered, the group waits for this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// These partitions of the control topic were added.
    Assigned(Vec<Partition>),
    /// These partitions were taken away in good order.
    Revoked(Vec<Partition>),
    /// Membership was lost: all partitions are gone and the member's tasks may already run elsewhere.
    Lost(Vec<Partition>),
}

/// Membership in a group through one subscribed topic. Must be polled all the time by a thread that does nothing slow.
pub trait Group: Send {
    /// Waits up to `timeout` for changes of membership, in their order.
    ///
    /// # Errors
    /// [`ClientError::Unavailable`] may be retried.
    fn poll(&mut self, timeout: Duration) -> Result<Vec<GroupEvent>, ClientError>;

    /// Who this member is right now. Refused while a rebalance waits to be polled.
    ///
    /// # Errors
    /// [`ClientError::NotCurrent`] before joining, after a loss, or while a change is pending.
    fn metadata(&self) -> Result<GroupMetadata, ClientError>;

    /// Leaves the group.
    ///
    /// # Errors
    /// When the log cannot be reached within `timeout`.
    fn leave(&mut self, timeout: Duration) -> Result<(), ClientError>;
}
