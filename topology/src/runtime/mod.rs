//! The runtime: threads, tasks, restoration, commits, membership and the state of the application. The only room with
//! threads and channels; knows the log by its traits alone, and never meets the DSL.

mod handlers;
mod partition_group;
mod task;

pub use handlers::{
    DeserializationHandler, FailOnDecodeError, FailedBytes, DeadLetterOnDecodeError, SkipOnDecodeError,
};
pub(crate) use partition_group::PartitionGroup;
pub use task::TaskFault;
pub(crate) use task::{Task, TaskPlan};
