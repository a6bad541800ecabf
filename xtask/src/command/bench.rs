//! `cargo xtask bench <which> …`: builds the release binary and the program that measures it, and runs that program.
//! Owns the order; the program knows its own arguments.

use std::io;

/// Runs the one bench that is a command of its own; true when the budget held.
pub(crate) fn soak(arguments: &[String]) -> io::Result<bool> {
    run(&[&["soak".to_owned()], arguments].concat())
}

/// Runs the bench; true when its outputs were right.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    super::build_and_run(("candlewick-bench", "beside-jvm"), arguments)
}
