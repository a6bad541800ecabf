//! `cargo xtask chaos …`: builds the release binary and the program that plays rounds of chaos with it on real servers,
//! and runs that program. Owns the order; the program knows its own arguments.

use std::io;

/// Plays the rounds; true when nothing was lost and nothing came twice.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    super::build_and_run(("candlewick-tests", "chaos"), arguments)
}
