//! Slow work of an instance: the workshop with one desk for each slow node, and what a stream thread does about records
//! that are unfinished, most of all at a commit. Owns the threads that work; must not know records or results.
//!
//! # What may be committed while records are unfinished
//!
//! A record that waits in a slow node has left its traces already: upstream of the node in stores, on sibling branches in
//! outputs, and what overtook it has gone downstream. Its result has not. There are two ways to keep commits sound:
//!
//! 1. **Hold the offset back** at the lowest unfinished record, and commit everything else. After a crash the records from
//!    there on are processed again. Under exactly-once that is wrong: their effects on stores and outputs were committed
//!    with the transaction, and come twice. Holding *results* back until all before them are finished mends only what is
//!    below the node, not what is above it or beside it. Under at-least-once it is wrong as soon as there is a store: an
//!    operator above the node that says something once (a window that closed, a suppression, a de-duplication) has said it,
//!    its changelog says so, and the replay says nothing: the result is *lost*.
//! 2. **Drain**: take no new records, let everything finish, then commit. Stores, outputs and offsets are then of one
//!    moment. It costs the time of the slowest call at each commit.
//!
//! So: a task without stores under at-least-once holds its offsets back and never waits. Every other task drains. Under
//! at-least-once a commit does not wait for a task that drains: it leaves the task out, offsets, changelogs and all, and
//! takes it along once it is whole. Under exactly-once the tasks of a thread share a transaction, and it is committed when
//! all of them are whole. The thread never blocks meanwhile: tasks without slow nodes go on, results are forwarded, the log
//! is polled. Under exactly-once the wait has a bound, since the log ends transactions that take too long: then the
//! thread goes back to its last commit, and the records are processed again.
//!
//! A task that is taken away is drained too, within the same bound. What is not finished by then is not committed: whoever
//! has the task next does it again. Nothing waits for calls of a task that is gone; what they give is thrown away.
//!
//! Caches above a slow node forward into it when they are flushed. So a task is whole only when nothing is unfinished
//! *after* its nodes were flushed.

mod drain;
mod task;
mod workshop;

pub(super) use drain::check_calls;
pub(crate) use workshop::Workshop;
