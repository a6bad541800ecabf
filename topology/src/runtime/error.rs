//! Why an application cannot start or go on.

use super::config::ConfigError;
use super::task::TaskFault;
use crate::client::{ClientError, ProducerError};
use crate::error::TopologyErrors;
use crate::state::StoreError;

/// An error of the whole application.
///
/// ```
/// use candlewick::client::EmbeddedLog;
/// use candlewick::{KafkaStreams, StreamsConfig, StreamsError};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.stream("words", Consumed::<String, String>::default());
/// # let topology = builder.build().expect("valid");
/// let config = StreamsConfig { topic_wait_ms: 0, ..StreamsConfig::new("app") };
/// let started = KafkaStreams::new(topology, config, EmbeddedLog::in_memory()).start();
/// let error = started.err().expect("the log is empty");
/// assert!(matches!(&error, StreamsError::MissingTopics { topics } if topics == &["words"]));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamsError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Joined topics do not fit together.
    #[error(transparent)]
    Topology(#[from] TopologyErrors),
    /// Source topics are missing.
    #[error("these source topics do not exist, or this user lacks Describe on them: {}; create them, or start what writes them", topics.join(", "))]
    MissingTopics {
        /// Their names.
        topics: Vec<String>,
    },
    /// The plan cannot go on where the version that ran last has stopped; see [`KafkaStreams::plan`](crate::KafkaStreams::plan).
    #[error("application {application} cannot be taken over by this plan: {reasons}")]
    Incompatible {
        /// The application's id.
        application: String,
        /// What is refused, each with what to do about it.
        reasons: String,
    },
    /// The log failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Writing failed.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// A task failed.
    #[error(transparent)]
    Task(#[from] TaskFault),
    /// The state folder or a store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gave no thread.
    #[error("no thread could be started: {0}")]
    Thread(#[source] std::io::Error),
    /// A source starts nowhere.
    #[error(
        "{partition}: there is no committed offset, and its reset policy is none; commit one or choose another policy"
    )]
    NoOffset {
        /// The partition.
        partition: String,
    },
    /// A thread did not give a task up in time.
    #[error(
        "task {task}: stream thread {thread} has not given it up within {stuck:?}; the instance ends, so that others can take over. Look for a record that takes that long, or raise task-stuck-after-ms"
    )]
    Stuck {
        /// The task.
        task: String,
        /// Which thread.
        thread: usize,
        /// How long it had.
        stuck: std::time::Duration,
    },
    /// Calls may take longer than a transaction waits.
    #[error(
        "node {node}: with all attempts a call may take {longest:?}, and under exactly-once a commit waits for it {limit:?} at most; lower its timeout or attempts, or raise transaction-timeout-ms (and task-stuck-after-ms) to more than twice of that"
    )]
    SlowCalls {
        /// The node.
        node: String,
        /// How long a record may take.
        longest: std::time::Duration,
        /// How long a commit waits.
        limit: std::time::Duration,
    },
    /// A thread has been in one call of user code for too long.
    #[error(
        "task {task}: stream thread {thread} has been at one record, or at one punctuation, for {limit:?}; the instance ends, so that others can take over. Look for what it waits for, or raise task-stuck-after-ms"
    )]
    Wedged {
        /// The task.
        task: String,
        /// Which thread.
        thread: usize,
        /// How long it had.
        limit: std::time::Duration,
    },
    /// A thread panicked: a bug, in user code or here.
    #[error("stream thread {thread} panicked: {message}")]
    Panicked {
        /// Which thread.
        thread: usize,
        /// What it said.
        message: String,
    },
}
