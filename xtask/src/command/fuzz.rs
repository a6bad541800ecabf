//! `cargo xtask fuzz …`: builds the fuzz targets, optimized and with overflow checked, and runs them. Owns the order; the
//! program knows its own arguments.

use std::io;

/// Plays the targets; true when all of them stood everything.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let mut program = super::process("cargo")?;
    program.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    program.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "candlewick-fuzz",
        "--bin",
        "candlewick-fuzz",
        "--",
    ]);
    Ok(program.args(arguments).status()?.success())
}
