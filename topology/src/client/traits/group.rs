//! Membership: who belongs to a group, which partitions it was given, and in whose name it commits. Must not know what
//! a member does with them.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::client::error::ClientError;
use crate::record::Partition;

/// Who a member is at one moment, as commits must say it.
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// let mut group = log.group("readers", "trades", Duration::from_secs(10))?;
/// assert!(group.metadata().is_err(), "it has not joined");
/// group.poll(timeout)?;
/// let member = group.metadata()?;
/// assert_eq!(&*member.group, "readers");
/// assert!(member.generation >= 0 && !member.member.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

/// A change of membership. Until an `Assigned` or `Revoked` has been answered, the group waits for this member.
///
/// ```
/// use std::collections::BTreeSet;
/// use candlewick::{Partition, client::GroupEvent};
/// let events = [GroupEvent::Assigned(vec![Partition(0), Partition(1)]), GroupEvent::Revoked(vec![Partition(1)])];
/// let mut owned = BTreeSet::new();
/// for event in &events {
///     match event {
///         GroupEvent::Assigned(added) => owned.extend(added),
///         GroupEvent::Revoked(gone) | GroupEvent::Lost(gone) => owned.retain(|one| !gone.contains(one)),
///     }
/// }
/// assert_eq!(owned, BTreeSet::from([Partition(0)]));
/// ```
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
///
/// ```
/// # use {candlewick::{client::*, *}, std::time::Duration};
/// # let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// # let mut admin = log.admin()?;
/// # let new = NewTopic { name: "trades".into(), partitions: 1, replication: -1, config: Default::default() };
/// # admin.create(&[new], timeout)?;
/// # let trades = TopicPartition::new("trades", 0);
/// let mut group = log.group("readers", "trades", Duration::from_secs(10))?;
/// assert_eq!(group.poll(timeout)?, [GroupEvent::Assigned(vec![Partition(0)])]);
/// let member = group.metadata()?.member;
/// assert_eq!(admin.group_members("readers", timeout)?, [member.to_string()]);
/// group.leave(timeout)?;
/// assert!(admin.group_members("readers", timeout)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
