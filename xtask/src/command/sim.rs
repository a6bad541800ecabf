//! `cargo xtask sim …`: builds the simulator, optimized and with the runtime's own checks, and runs it. Owns the order;
//! the program knows its own arguments.

use std::io;

/// Plays the seeds; true when all of them held.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let mut program = super::process("cargo")?;
    program.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "candlewick-sim",
        "--bin",
        "candlewick-sim",
        "--",
    ]);
    Ok(program.args(arguments).status()?.success())
}
