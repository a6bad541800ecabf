//! The traits that every engine implements. They speak of bytes, offsets and deadlines only. Owns what all of them share:
//! the log that makes clients, and offsets; must not know which engine stands behind it.

mod admin;
mod consumer;
mod group;
mod producer;

use std::time::Duration;

pub use self::admin::{Admin, NewTopic, TopicDescription, Watermarks};
pub use self::consumer::{Consumer, ConsumerSettings, Isolation, PolledBatch, StartAt};
pub use self::group::{Group, GroupEvent, GroupMetadata};
pub use self::producer::{OutgoingRecord, Producer, ProducerSettings, TopicHandle};
use super::error::ClientError;

/// A log: makes the clients that the runtime's threads own. Shared by all threads.
///
/// ```
/// use candlewick::client::{ClientError, EmbeddedLog, Log};
/// # use std::time::Duration;
/// /// How many topics a log has, whichever engine it is of.
/// fn topics(log: &dyn Log) -> Result<usize, ClientError> {
///     Ok(log.admin()?.topics(Duration::from_secs(1))?.len())
/// }
/// assert_eq!(topics(&*EmbeddedLog::in_memory())?, 0);
/// # Ok::<(), ClientError>(())
/// ```
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

impl std::fmt::Debug for dyn Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

/// An offset as the group keeps it.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// # let mut group = log.group("readers", "trades", Duration::from_secs(10))?;
/// # group.poll(timeout)?;
/// # let mut consumer = log.consumer("readers", Isolation::ReadCommitted)?;
/// let next = CommittedOffset { offset: 2, metadata: "behind Monday".to_owned() };
/// consumer.commit(&[(trades.clone(), next.clone())], &group.metadata()?)?;
/// assert_eq!(consumer.committed(&[trades], timeout)?, [Some(next)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// The committer's own text: partition time and the like. Empty when there is none.
    pub metadata: String,
}
