//! Which member should run which task. Pure: members, their threads and what each runs now go in, a whole placement comes
//! out; the same input gives the same output. Must not know the log, members' lives or how a task changes hands.
//!
//! A placement is balanced when every member has its share of every sub-topology and of all tasks together, by its number
//! of threads, rounded down or up. Among the balanced ones it moves the fewest tasks.

mod place;
mod shares;

pub(crate) use place::{Candidate, place};
