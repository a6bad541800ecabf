//! What the status server asks of an application. Owns the questions and the form of their answers; must not know how they
//! are answered.

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::{Cursor, Status, StoreInfo, TopologyView};
use serde_json::{Map, Value};
use thiserror::Error;

/// A running application, as the status server sees it: [`StreamsApplication`](crate::StreamsApplication) is one.
///
/// The methods are called from the server's own threads, several at a time. They may block briefly, and must not wait for
/// a record to be processed.
///
/// ```
/// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
/// /// How many stores there are to look into.
/// fn stores(application: &dyn Application) -> usize {
///     application.stores().len()
/// }
/// # let application = StreamsApplication::new(running.handle());
/// assert_eq!(stores(&application), 1);
/// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Application: Send + Sync + 'static {
    /// What it is doing right now.
    fn status(&self) -> Status;

    /// The drawing of its topology; the same for as long as it runs.
    fn topology(&self) -> TopologyView;

    /// The description of its topology, in the text format of Kafka Streams.
    fn describe(&self) -> String;

    /// The stores that can be read.
    fn stores(&self) -> Vec<StoreInfo>;

    /// A row such as a store has, made up: it shows the form of its rows before there are any. `None` where nobody has
    /// said it.
    fn sample(&self, store: &str) -> Option<Sample> {
        let _ = store;
        None
    }

    /// What a store of this instance holds, as JSON.
    ///
    /// # Errors
    /// A [`ReadError`] when this instance cannot answer right now.
    fn read(&self, store: &str, question: &Question) -> Result<Reply, ReadError>;
}

/// What is asked of a store.
///
/// ```
/// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
/// # let application = StreamsApplication::new(running.handle());
/// # assert!((0..5_000).any(|_| application.status().state == ApplicationState::Running || { std::thread::sleep(Duration::from_millis(2)); false }));
/// let rows = Rows::One { key: "a".to_owned(), at: None, end: None };
/// let question = Question { rows, staleness_max: Some(Duration::from_secs(1)) };
/// assert!(application.read("numbers", &question)?.rows.is_empty());
/// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which rows.
    pub rows: Rows,
    /// How old the answer may be; without it the last commit will do.
    pub staleness_max: Option<Duration>,
}

/// Which rows of a store are asked for. Times are Unix milliseconds; what is left out is open.
///
/// ```
/// use candlewick_server::{Range, Rows};
/// let window = Rows::One { key: "BTC-USD".to_owned(), at: Some(60_000), end: None };
/// let page = Rows::Many(Range { limit: 100, ..Range::default() });
/// assert_ne!(window, page);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The one row of a key at a time: a window by its start, a session by both, a version by any moment at which it held.
    /// Without a time, the only or the latest value of the key; keys of windows and sessions have none such.
    One {
        /// The key as text.
        key: String,
        /// The start of the window or session, or the moment.
        at: Option<i64>,
        /// The end of the session.
        end: Option<i64>,
    },
    /// Many rows, a page of them.
    Many(Range),
}

/// A range of rows.
///
/// ```
/// use candlewick_server::Range;
/// let times = (Some(0), Some(86_399_999));
/// let today = Range { prefix: Some("BTC-".to_owned()), times, limit: 100, ..Range::default() };
/// assert!(today.after.is_none(), "from the first row on");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// One key, as text, in place of a range of them.
    pub key: Option<String>,
    /// The first key, as text.
    pub from: Option<String>,
    /// The last key, as text.
    pub to: Option<String>,
    /// What the keys' bytes begin with, in place of first and last.
    pub prefix: Option<String>,
    /// First and last time, where rows have one.
    pub times: (Option<i64>, Option<i64>),
    /// The last keys first.
    pub reverse: bool,
    /// Rows at most.
    pub limit: usize,
    /// Only what lies behind this place.
    pub after: Option<Cursor>,
}

/// What a store answers.
///
/// ```
/// use candlewick_server::Reply;
/// let is_whole = |reply: &Reply| reply.next.is_none() && reply.elsewhere.is_empty();
/// let reply = Reply { rows: Vec::new(), next: None, position: Default::default(), elsewhere: Default::default() };
/// assert!(is_whole(&reply));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The rows, in the order of their cursors; one at most where one was asked for.
    pub rows: Vec<Row>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
    /// How far the state was, by task.
    pub position: BTreeMap<String, i64>,
    /// The tasks whose rows are missing because other instances have them, and where those answer.
    pub elsewhere: BTreeMap<String, Option<String>>,
}

/// A row of a store.
///
/// ```
/// use candlewick_server::Row;
/// let mut row = Row { fields: serde_json::Map::new(), cursor: None };
/// row.fields.insert("key".to_owned(), "BTC-USD".into());
/// assert_eq!(row.fields["key"], "BTC-USD");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Key, value and times by name.
    pub fields: Map<String, Value>,
    /// Its place among the rows, of all instances; `None` where only one row was asked for.
    pub cursor: Option<Cursor>,
}

/// The form of a store's rows: a key and a value that it might hold, as JSON.
///
/// ```
/// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
/// # let application = StreamsApplication::new(running.handle());
/// let sample: Sample = application.sample("numbers").expect("text and numbers need no introduction");
/// assert!(sample.key.is_string() && sample.value.is_number());
/// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// A key.
    pub key: Value,
    /// A value, with everything present that may be.
    pub value: Value,
}

/// Why a store could not be read.
///
/// ```
/// use candlewick_server::ReadError;
/// let error = ReadError::Moved { to: Some("10.0.0.7:8080".to_owned()) };
/// assert_eq!(error.to_string(), "The key is held by another instance; ask 10.0.0.7:8080.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The topology has no store of that name.
    #[error("The topology has no such store; `/stores` lists the ones it has.")]
    UnknownStore,
    /// Tasks are being assigned or restored; the answer would be incomplete.
    #[error("The store cannot be read while tasks are being assigned or restored; ask again in a moment.")]
    Rebalancing,
    /// Another instance holds the key.
    #[error("The key is held by another instance; {}.", whom(to.as_deref()))]
    Moved {
        /// Where that instance answers, as `host:port`; `None` when it has set no endpoint.
        to: Option<String>,
    },
    /// What is there is too old, and no commit came in time.
    #[error("No commit came in time for an answer that is young enough; ask again, or allow an older one.")]
    Stale,
    /// The application has stopped or failed.
    #[error("The application does not run, and its stores are closed; start it again.")]
    NotRunning,
    /// The question does not fit the store.
    #[error("{0}")]
    Unfit(String),
    /// The store's keys or values have no form in text and JSON.
    #[error(
        "The store's keys and values have no form as text and JSON; show it with `StreamsApplication::show`, or read it \
         inside the application."
    )]
    NotReadable,
    /// Another instance, which has a part of what was asked for, did not answer for it.
    #[error("{0}")]
    Elsewhere(String),
    /// The store failed.
    #[error("The store failed ({0}); the application's log says more.")]
    Failed(String),
}

fn whom(to: Option<&str>) -> String {
    match to {
        Some(to) => format!("ask {to}"),
        None => "it has set no `endpoint` in its configuration, so it cannot be asked".to_owned(),
    }
}
