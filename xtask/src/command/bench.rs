//! `cargo xtask bench <which> …`: builds the release binary and the program that measures it, and runs that program.
//! Owns the order; the program knows its own arguments.

use std::io;

/// Runs the bench; true when its outputs were right.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    super::build_and_run(("candlewick-bench", "beside-jvm"), arguments)
}
