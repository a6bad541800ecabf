//! Why a store cannot be read here and now.

use std::time::Duration;

use crate::record::{Partition, TaskId};
use crate::runtime::status::ApplicationState;
use crate::state::StoreError;

/// Why a store cannot be read here and now.
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
