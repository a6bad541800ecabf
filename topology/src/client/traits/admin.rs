//! Administration: topics, their offsets, and those of groups. Must not know records.

use std::collections::BTreeMap;
use std::time::Duration;

use super::CommittedOffset;
use crate::client::error::ClientError;
use crate::record::TopicPartition;
use crate::time::Timestamp;

/// A topic to be made.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// let config = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
/// let prices = NewTopic { name: "prices".into(), partitions: 3, replication: -1, config };
/// admin.create(&[prices.clone()], timeout)?;
/// // One that exists is fine with the same number of partitions, and refused with another.
/// assert!(admin.create(&[prices.clone()], timeout).is_ok());
/// assert!(admin.create(&[NewTopic { partitions: 6, ..prices }], timeout).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// let trades = TopicDescription { name: "trades".into(), partitions: 1 };
/// // There are trades, and no quotes.
/// assert_eq!(admin.describe(&["trades", "quotes"], timeout)?, [Some(trades), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
}

/// First and last offsets of a partition.
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
/// // Of two records, outside of transactions:
/// let watermarks = Watermarks { low: 0, high: 2, stable: 2 };
/// assert_eq!(admin.watermarks(&trades, timeout)?, watermarks);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset held.
    pub low: i64,
    /// One past the last record (read uncommitted).
    pub high: i64,
    /// One past the last record that a read-committed consumer may see now.
    pub stable: i64,
}

/// Topics, offsets and deletion.
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
/// // Of two records the first goes, and then the topic.
/// admin.delete_records(&[(trades.clone(), 1)], timeout)?;
/// assert_eq!(admin.watermarks(&trades, timeout)?.low, 1);
/// admin.delete(&["trades"], timeout)?;
/// assert!(admin.topics(timeout)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
