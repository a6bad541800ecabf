//! `cargo xtask bench <which> …`: builds the release binary and the program that measures it, and runs that program.
//! Owns the order; the program knows its own arguments.

use std::io;

/// Runs the bench; true when its outputs were right.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    for (package, binary) in [("candlewick-pipelines", "candlewick"), ("candlewick-bench", "beside-jvm")] {
        let mut build = super::process("cargo")?;
        build.args(["build", "--release", "--package", package, "--bin", binary]);
        if !build.status()?.success() {
            return Ok(false);
        }
    }
    let program = super::target_dir()?.join("release/beside-jvm");
    let program =
        program.to_str().ok_or_else(|| io::Error::other("the target folder's name is not UTF-8"))?;
    Ok(super::process(program)?.args(arguments).status()?.success())
}
