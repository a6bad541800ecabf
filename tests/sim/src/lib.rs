//! # candlewick-sim
//!
//! Several instances of an application in one thread, under a scheduler that a seed decides for: who runs next, how long
//! everything takes, what fails, who is killed where. What runs is the shipped runtime; what is simulated is the operating
//! system's threads, the time, and the way to the log.
//!
//! A seed is a whole story: topology, configuration, input, schedule and faults. The same seed is the same story, call by
//! call, and so a failure is repeated by one command.

mod chance;
mod faults;
mod fiber;
mod judge;
mod play;
mod ports;
mod setup;
mod stage;
mod watch;
mod work;

pub use play::{Verdict, play};
