//! The runtime: threads, tasks, restoration, commits, membership and the state of the application. The only room with
//! threads and channels; knows the log by its traits alone, and never meets the DSL.

mod config;
mod handlers;
mod offset_metadata;
mod partition_group;
mod status;
mod task;

pub use config::{ConfigError, Guarantee, StreamsConfig};
pub use handlers::{
    DeserializationHandler, FailOnDecodeError, FailedBytes, DeadLetterOnDecodeError, SkipOnDecodeError,
};
pub(crate) use partition_group::PartitionGroup;
pub use status::{
    ApplicationState, NodeStatus, NodeView, PartitionStatus, Status, TaskPhase, TaskStatus, TopologyView,
};
pub use task::TaskFault;
pub(crate) use task::{Task, TaskPlan};
