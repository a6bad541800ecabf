//! The runtime: threads, tasks, restoration, commits, membership and the state of the application. The only room with
//! threads and channels; knows the log by its traits alone, and never meets the DSL.

mod application;
mod assignment;
mod budget;
mod collector;
mod commit;
mod config;
mod control;
mod crew;
mod departure;
mod directory;
mod error;
mod failures;
mod former;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod global;
mod global_stores;
mod handlers;
mod handover;
mod hanging;
mod idle;
mod lag;
mod launch;
mod look_ahead;
mod manifest;
mod membership;
mod offset_metadata;
mod partition_group;
mod planted;
mod produce_errors;
mod pulse;
mod purge;
mod query;
mod report;
mod restore;
mod retention;
mod rewind;
mod shared;
mod slow;
mod snapshots;
mod status;
mod streams;
mod takeover;
mod task;
mod thread;
mod threads;
mod topics;
mod topology_view;
mod watchdog;

pub use config::{ConfigError, Guarantee, StreamsConfig};
pub use error::StreamsError;
pub(crate) use global_stores::{GlobalPlan, GlobalStores, Taken};
pub use handlers::{
    DeadLetterOnDecodeError, DeserializationHandler, FailOnDecodeError, FailedBytes, SkipOnDecodeError,
};
#[cfg(feature = "planted-bugs")]
pub use planted::Bug;
pub use query::{Answer, Cursor, Keys, Page, Position, QueryError, StoreInfo, StoreQuery, StoreType, Times};
pub use snapshots::{FolderSnapshots, SnapshotStore};
pub use status::{
    ApplicationState, NodeStatus, NodeView, PartitionStatus, StalledTask, StandbyStatus, Status, TaskPhase,
    TaskStatus, TopologyView,
};
pub use streams::{KafkaStreams, RunningStreams, StreamsHandle};
pub use task::TaskFault;
pub(crate) use task::{Task, TaskPlan};
#[cfg(feature = "sim")]
pub use threads::{Spawned, Threads};
