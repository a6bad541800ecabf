//! Why a store cannot be read here and now.

use std::time::Duration;

use crate::record::{Partition, TaskId};
use crate::runtime::status::ApplicationState;
use crate::state::StoreError;

/// Why a store cannot be read here and now.
///
/// ```
/// use candlewick::{KeyValueStore, QueryError};
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
/// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
/// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
/// # for (key, n, time) in [("a", 1, 0)] {
/// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
/// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
/// # }
/// # producer.flush(Duration::from_secs(1))?;
/// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
/// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
/// # let running = KafkaStreams::new(topology, config, log).start()?;
/// # let streams = running.handle();
/// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 1));
/// let error = streams.store::<KeyValueStore<String, i64>>("number").err().expect("there is none");
/// assert!(matches!(error, QueryError::UnknownStore { known, .. } if known == ["numbers"]));
/// # running.stop(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The topology has no store of this name.
    #[error("there is no store {store}: the topology has {}", list(known))]
    UnknownStore {
        /// The name.
        store: String,
        /// The stores it has.
        known: Vec<String>,
    },
    /// The store is of another type.
    #[error("the store {store} is a {is}: ask for it as such, not as a {asked}")]
    WrongType {
        /// The name.
        store: String,
        /// What it is.
        is: String,
        /// As what it was asked for.
        asked: String,
    },
    /// The store has no such partition.
    #[error("the store {store} has {count} partitions, and no partition {partition}")]
    UnknownPartition {
        /// The store.
        store: String,
        /// What was asked for.
        partition: Partition,
        /// How many it has.
        count: i32,
    },
    /// Tasks are being assigned or restored.
    #[error("the tasks of the store {store} are being assigned or restored: ask again in a moment")]
    Rebalancing {
        /// The store.
        store: String,
    },
    /// Another instance runs the task that has the key.
    #[error("task {task}, which has the key, runs elsewhere: ask {}", .to.as_deref().unwrap_or("its instance, which has set no endpoint"))]
    Moved {
        /// The task.
        task: TaskId,
        /// Where its instance answers, if it says so.
        to: Option<String>,
    },
    /// What is there is older than was allowed, and no commit came in time.
    #[error(
        "the store {store} could not be brought up to date in {waited:?}: ask again, or allow older answers"
    )]
    Stale {
        /// The store.
        store: String,
        /// How long a commit was waited for.
        waited: Duration,
    },
    /// The application does not run.
    #[error("the application is {state:?}: its stores are closed")]
    NotRunning {
        /// Its state.
        state: ApplicationState,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
