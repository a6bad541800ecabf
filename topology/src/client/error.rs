//! What can go wrong between the runtime and the log, sorted by what the runtime must do about it.

use crate::record::TopicPartition;

/// An error of a consumer, a group or an admin call.
///
/// ```
/// use std::time::Duration;
/// use candlewick::TopicPartition;
/// use candlewick::client::{ClientError, EmbeddedLog, Log};
/// let mut admin = EmbeddedLog::in_memory().admin().expect("an embedded log makes clients at once");
/// let error = admin.watermarks(&TopicPartition::new("trades", 0), Duration::ZERO).expect_err("the log is empty");
/// assert!(matches!(error, ClientError::UnknownTopic { topic } if topic == "trades"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The log cannot be reached at present; the call may be repeated with backoff.
    #[error(
        "{operation}: the log is not reachable ({reason}); check the broker address and that it is running"
    )]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The topic does not exist.
    #[error(
        "topic {topic} does not exist, or this user lacks Describe on it: create it, or let its producer create it first"
    )]
    UnknownTopic {
        /// The missing topic.
        topic: String,
    },
    /// The position to read from is not in the log (deleted by retention, or never written).
    #[error("{partition}: offset {offset} is out of range; the log holds {low} to {high}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
        /// First offset held.
        low: i64,
        /// One past the last offset held.
        high: i64,
    },
    /// The member is no longer (or not yet) what the group takes it for: its generation is old, it was removed, or a
    /// rebalance is under way. Ordinary: abort, wait for the group's event, and go on with the tasks that remain.
    #[error("the group refused the commit: {reason}")]
    NotCurrent {
        /// The group's words.
        reason: String,
    },
    /// A topic exists already with another shape.
    #[error("topic {topic}: {reason}")]
    TopicConflict {
        /// The topic.
        topic: String,
        /// What differs.
        reason: String,
    },
    /// The caller may not do this.
    #[error("{operation} is not allowed: {reason}; grant the permission to this user")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// The log's own files are damaged or cannot be written.
    #[error("{operation}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Anything that no retry will mend.
    #[error("{operation}: {reason}")]
    Fatal {
        /// What was tried.
        operation: &'static str,
        /// The engine's words.
        reason: String,
    },
}

/// An error of a producer, sorted by what must follow.
///
/// ```
/// use std::time::Duration;
/// use candlewick::client::{ClientError, EmbeddedLog, Log, ProducerError, ProducerSettings};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (log, timeout) = (EmbeddedLog::in_memory(), Duration::from_secs(1));
/// let settings = ProducerSettings { transactional_id: Some("writer-0".into()), ..ProducerSettings::default() };
/// let (mut one, mut other) = (log.producer(&settings)?, log.producer(&settings)?);
/// one.init_transactions(timeout)?;
/// // The id has a new owner.
/// other.init_transactions(timeout)?;
/// let ended = one.begin_transaction().and_then(|()| one.commit_transaction(timeout));
/// assert!(matches!(ended, Err(ProducerError::Fenced)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// The local queue is full: stop reading input, let it drain, send again. Never an error to a user.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The outcome is not known within the deadline. A flush or commit must be repeated to its end.
    #[error("{operation} has not ended in time; its outcome is unknown")]
    Timeout {
        /// What was tried.
        operation: &'static str,
    },
    /// The open transaction must be aborted; the producer may go on after that.
    #[error("the transaction must be aborted: {reason}")]
    Abortable {
        /// The log's words.
        reason: String,
    },
    /// The group refused the offsets sent with the transaction (see [`ClientError::NotCurrent`]): abort, wait, go on.
    #[error("the group refused the transaction's offsets: {reason}")]
    NotCurrent {
        /// The group's words.
        reason: String,
    },
    /// Another producer took this transactional id: this one must be closed and its tasks given up.
    #[error("the transactional id was taken over by another producer")]
    Fenced,
    /// A broker went away before it was known that the end of the last transaction was written everywhere: it must be looked
    /// for before anything else is written under this transactional id, which a new producer does. This one must be closed
    /// and its tasks given up.
    #[error("a broker went away while a transaction ended; the producer must be replaced")]
    Unsettled,
    /// This record can never be written (too large, invalid, unknown topic); others can.
    #[error("a record for {topic} was refused: {reason}")]
    Rejected {
        /// The topic written to.
        topic: String,
        /// The log's words.
        reason: String,
    },
    /// The caller may not do this, and nothing that is tried again will mend it.
    #[error("{operation} is not allowed: {reason}; grant the permission to this user")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// Who lacks which permission.
        reason: String,
    },
    /// The producer is beyond use.
    #[error("the producer failed: {reason}")]
    Fatal {
        /// The log's words.
        reason: String,
    },
}
