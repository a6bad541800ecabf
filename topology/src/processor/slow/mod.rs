//! Slow work inside a topology: a node that hands records to somebody else (a pool of threads, the user's own executor, a
//! call for many records at once) and forwards what comes back. Owns the node, what a task knows about its unfinished
//! records, and the traits by which somebody else is reached. Must not know threads or channels: whoever runs the task
//! brings a [`Workplace`].
//!
//! A record that is being worked on is *unfinished*: it has left the input, and its result has not been forwarded. The
//! node runs on the task's own thread; results lie in its [`Mailbox`] until the task takes them by `pump`, and then go
//! through the nodes below like any other record, one at a time, with the metadata of the record they belong to.
//!
//! What a commit may do while records are unfinished stands in `runtime/slow`.

mod completion;
mod desk_work;
mod node;
mod policy;
mod unfinished;
mod workplace;

pub use completion::Completion;
pub(crate) use desk_work::{each, together};
pub(crate) use node::{SlowNode, Way};
pub(crate) use policy::Policy;
pub use policy::{AsyncOrder, Retry};
pub(crate) use unfinished::Unfinished;
pub(crate) use workplace::{Desk, Piece, Places, Terms, Work, Workplace};
