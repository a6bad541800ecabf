//! Errors of the framework, one enum per boundary. A leaf: every room may use it, it knows none of them.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a record could not be processed: the node, and the cause that user code or a serde gave.
///
/// One word wide, so that the success path stays cheap. Any error converts into it with `?`.
///
/// ```
/// use candlewick::ProcessError;
/// fn parse(text: &str) -> Result<f64, ProcessError> {
///     Ok(text.parse()?)
/// }
/// assert!(parse("abc").is_err());
/// ```
pub struct ProcessError(Box<Inner>);

struct Inner {
    node: Option<Arc<str>>,
    cause: Box<dyn Error + Send + Sync>,
    fatal: bool,
    retry: Option<Duration>,
}

impl ProcessError {
    /// An error with this cause, which the processing handler may skip.
    ///
    /// ```
    /// use candlewick::ProcessError;
    /// let error = ProcessError::new("the price is negative");
    /// assert_eq!(error.to_string(), "the price is negative");
    /// assert_eq!(error.node(), None);
    /// ```
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Inner { node: None, cause: cause.into(), fatal: false, retry: None }))
    }

    /// An error that no handler may skip: the framework's own state would be wrong after it.
    pub(crate) fn fatal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Inner { node: None, cause: cause.into(), fatal: true, retry: None }))
    }

    /// The node it happened in, once the arena has named it.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Record, TaskFault};
    /// # use candlewick::*;
    ///
    /// /// Takes prices, which are not negative.
    /// struct Check;
    ///
    /// impl Processor<String, i64, String, i64> for Check {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         if record.value < 0 { Err(ProcessError::new("the price is negative")) } else { cx.forward(record) }
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| Check).named("check");
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let input = driver.input_topic("in", StringSerde, I64Serde);
    /// let fault = input.pipe("BTC".to_owned(), -1, Timestamp(0)).expect_err("it is refused");
    /// assert!(matches!(fault, TaskFault::Process { error, .. } if error.node() == Some("check")));
    /// ```
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// The cause.
    ///
    /// ```
    /// use candlewick::ProcessError;
    /// let error = ProcessError::from("seven".parse::<i64>().expect_err("no digits"));
    /// assert!(error.cause().is::<std::num::ParseIntError>());
    /// ```
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.cause
    }

    pub(crate) fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    /// A handler decided to fail: parents must not ask again.
    pub(crate) fn into_fatal(mut self) -> Self {
        self.0.fatal = true;
        self
    }

    /// A handler decided that the record is tried again after a rest.
    pub(crate) fn into_retry(mut self, after: Duration) -> Self {
        self.0.retry = Some(after);
        self.into_fatal()
    }

    /// It is not tried again, whatever a handler decided.
    pub(crate) fn without_retry(mut self) -> Self {
        self.0.retry = None;
        self
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry
    }

    pub(crate) fn name_node(&mut self, name: &Arc<str>) {
        self.0.node.get_or_insert_with(|| Arc::clone(name));
    }
}

/// The cause of a [`ProcessError`] where user code panicked. What it said is in the message.
///
/// ```
/// use candlewick::{FailedRecord, Panicked, ProcessHandler, ProcessResponse};
///
/// /// A bug in the code is no reason to lose records; anything else may be left out.
/// struct StopAtBugs;
///
/// impl ProcessHandler for StopAtBugs {
///     fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
///         if failed.error.cause().is::<Panicked>() { ProcessResponse::Fail } else { ProcessResponse::Continue }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it panicked: {message}")]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl Panicked {
    /// What a caught panic said; the panic itself where it carries no text, for then somebody unwinds on purpose.
    pub(crate) fn of(panic: Box<dyn Any + Send>) -> Result<Self, Box<dyn Any + Send>> {
        match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => Ok(Self { message: (*text).to_owned() }),
            (None, Some(text)) => Ok(Self { message: text.clone() }),
            (None, None) => Err(panic),
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ProcessError {
    fn from(cause: E) -> Self {
        Self::new(cause)
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.node {
            Some(node) => write!(f, "{node}: {}", self.0.cause),
            None => write!(f, "{}", self.0.cause),
        }
    }
}

impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a topology. `build` reports every one of them together.
///
/// ```
/// use candlewick::{StreamsBuilder, TopologyError};
/// let errors = StreamsBuilder::new().build().expect_err("it reads nothing");
/// assert_eq!(errors.0, [TopologyError::Empty]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// Two nodes carry the same name.
    #[error("node {node}: the name is taken by another node; give one of them another name")]
    DuplicateNode {
        /// The name.
        node: String,
    },
    /// Two stores carry the same name.
    #[error("store {store}: the name is taken by another store; give one of them another name")]
    DuplicateStore {
        /// The name.
        store: String,
    },
    /// A node asks for a store that nobody added.
    #[error("node {node}: store {store} was never added; call add_store with it first")]
    UnknownStore {
        /// The node.
        node: String,
        /// The store.
        store: String,
    },
    /// A node was connected to a global store, which every node may read without.
    #[error(
        "node {node}: {store} is a global store, which every processor may read (ProcessorStores::global); leave it out of the stores that are named here"
    )]
    GlobalStoreNamed {
        /// The node.
        node: String,
        /// The store.
        store: String,
    },
    /// A topic is read by two sources.
    #[error("topic {topic} is read by {first} and by {second}; read it once and use the stream twice")]
    TopicReadTwice {
        /// The topic.
        topic: String,
        /// One source.
        first: String,
        /// The other source.
        second: String,
    },
    /// A source without a topic.
    #[error("node {node}: a source needs at least one topic")]
    NoTopic {
        /// The node.
        node: String,
    },
    /// A child takes another type than its parent gives.
    #[error("node {node} takes {takes} but its parent {parent} gives {gives}")]
    EdgeType {
        /// The child.
        node: String,
        /// The parent.
        parent: String,
        /// What the child takes.
        takes: &'static str,
        /// What the parent gives.
        gives: &'static str,
    },
    /// A name that no topic may carry.
    #[error("node {node}: {name} is no valid topic name (letters, digits, '.', '_' and '-', at most 249)")]
    InvalidName {
        /// The node.
        node: String,
        /// The name.
        name: String,
    },
    /// A store or an internal topic without a name of the user's: inserting an operator would rename it.
    #[error(
        "node {node}: its {what} has a generated name ({generated}), which changes when an operator is inserted before it; {advice}"
    )]
    Unnamed {
        /// The node.
        node: String,
        /// Store or repartition topic.
        what: &'static str,
        /// The name Kafka Streams would generate.
        generated: String,
        /// How to name it.
        advice: &'static str,
    },
    /// A pattern of source topics cannot be read.
    #[error("node {node}: `{pattern}` is no regular expression over topic names: {reason}")]
    InvalidPattern {
        /// The node.
        node: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `suppress` until windows close needs to know the grace.
    #[error("node {node}: suppress until windows close needs a windowed aggregation above it")]
    NoWindowAbove {
        /// The node.
        node: String,
    },
    /// An operation that stores a table needs to know how its keys and values are written.
    #[error(
        "node {node}: the serdes of this table are not known after map_values; aggregate or materialize it before"
    )]
    UnknownSerde {
        /// The node.
        node: String,
    },
    /// A table that has a store, or cannot have one, was given another.
    #[error(
        "node {node}: only tables made by filter and map_values take a store of their own, and only one; leave materialized out here"
    )]
    AlreadyMaterialized {
        /// The node.
        node: String,
    },
    /// A store that keeps one value a key was asked to keep versions.
    #[error(
        "node {node}: only tables of topics and of streams (table, to_table) keep versions; leave versioned out here"
    )]
    NoVersions {
        /// The node.
        node: String,
    },
    /// A join that waits for a table needs the table's versions.
    #[error(
        "node {node}: a join with a grace period needs a table that keeps versions at least as long; use Materialized::versioned"
    )]
    NotVersioned {
        /// The node.
        node: String,
    },
    /// A table that cannot be looked up was joined.
    #[error(
        "node {node}: a suppressed table cannot be looked up; join before suppress, or materialize the table behind it"
    )]
    NotReadable {
        /// The node.
        node: String,
    },
    /// Joined or merged inputs that cannot be brought to the same partitions.
    #[error(
        "node {node}: {left} has {left_count} partitions and {right} has {right_count}; joined topics need the same number: repartition one of them"
    )]
    NotCoPartitioned {
        /// The joining node.
        node: String,
        /// A topic.
        left: String,
        /// Its partitions.
        left_count: i32,
        /// Another topic.
        right: String,
        /// Its partitions.
        right_count: i32,
    },
    /// The topology reads nothing.
    #[error("the topology has no source; start with builder.stream or builder.table")]
    Empty,
}

/// Every error `build` found, in the order of the nodes.
///
/// ```
/// use candlewick::{Consumed, StreamsBuilder, TopologyError};
/// let builder = StreamsBuilder::new();
/// builder.stream("trades", Consumed::<String, String>::default());
/// builder.stream("trades", Consumed::<String, String>::default());
/// let errors = builder.build().expect_err("the topic is read twice");
/// assert!(matches!(&errors.0[..], [TopologyError::TopicReadTwice { topic, .. }] if topic == "trades"));
/// assert!(errors.to_string().starts_with("the topology has 1 error(s):\n  - topic trades is read by"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyErrors(pub Vec<TopologyError>);

impl fmt::Display for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the topology has {} error(s):", self.0.len())?;
        for error in &self.0 {
            write!(f, "\n  - {error}")?;
        }
        Ok(())
    }
}

impl Error for TopologyErrors {}
