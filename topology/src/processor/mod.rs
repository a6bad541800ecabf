//! The Processor API: processors, their context, punctuators, and the arena in which a task's nodes run depth first.
//! Knows stores by handle and output topics by index; knows no thread, no task assignment and no client.

mod arena;
mod blame;
mod context;
mod env;
mod fixed_key;
mod node;
mod output;
mod policy;
mod punctuation;
mod slow;
mod wrapper;

pub(crate) use arena::{Cell, Hop, NodeArena};
pub(crate) use blame::{blaming, take_blamed};
pub use context::{ChildHandle, Context};
pub use env::{
    DropReason, FailOnProcessError, FailedRecord, ProcessHandler, ProcessResponse, SkipOnProcessError,
};
pub(crate) use env::{Env, OutputTopic, Refusals, TopicDirectory};
pub(crate) use fixed_key::FixedKey;
pub use fixed_key::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
pub use node::Processor;
pub(crate) use node::{InPlace, MapNode, Node, SourceError, SourceNode, Typed, take};
pub use policy::{ErrorPolicy, PolicyError};
pub use punctuation::{Punctuation, PunctuationType, PunctuatorId};
pub use slow::{AsyncOrder, Completion, Retry};
pub(crate) use slow::{Desk, Piece, Places, Policy, SlowNode, Terms, Way, Work, Workplace, each, together};
pub use wrapper::ProcessorWrapper;
pub(crate) use wrapper::Wrapped;
