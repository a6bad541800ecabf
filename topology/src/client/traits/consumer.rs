//! Reading: which records, from where, and into what. Owns the terms of a poll; must not know who is a member of the group
//! whose offsets it commits.

use std::time::Duration;

use super::{CommittedOffset, GroupMetadata};
use crate::client::error::ClientError;
use crate::record::{RecordRun, TopicPartition};

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
