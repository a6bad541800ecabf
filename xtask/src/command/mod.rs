//! The table of commands, and what they share: the workspace's root and a clean call of cargo.

mod bench;
mod chaos;
mod fresh;
mod fuzz;
mod lines;
mod oracle;
mod sim;
mod test;
mod tidy;

use std::io;
use std::path::PathBuf;
use std::process::Command as Process;

/// In place of options: they are passed on to another program, which knows them.
pub(crate) const ANY: &str = "…";

/// A command of `cargo xtask`.
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// One line for the usage text.
    pub(crate) about: &'static str,
    /// The options it takes.
    pub(crate) options: &'static [&'static str],
    /// Runs it: whether all is well, or why it could not run.
    pub(crate) run: fn(&[String]) -> io::Result<bool>,
}

/// All commands.
pub(crate) const ALL: [Command; 10] = [
    Command {
        name: "test",
        about: "formatting, tidy, clippy and every test; --fast needs no server and leaves clippy out",
        options: &["--fast"],
        run: test::run,
    },
    Command { name: "tidy", about: "the rules of the house on every file", options: &[], run: tidy::run },
    Command {
        name: "fresh",
        about: "the release build as on a machine that has Rust, a C compiler and make only",
        options: &[],
        run: fresh::run,
    },
    Command {
        name: "bench",
        about: "beside the JVM on one broker: `bench candles --records N --json FILE`; `bench candles --help` for more",
        options: &[ANY],
        run: bench::run,
    },
    Command {
        name: "soak",
        about: "memory under full load, against a budget: `soak --minutes N --json FILE`",
        options: &[ANY],
        run: bench::soak,
    },
    Command {
        name: "chaos",
        about: "real servers fail while three processes work: `chaos --rounds N --seed S --json FILE`",
        options: &[ANY],
        run: chaos::run,
    },
    Command {
        name: "fuzz",
        about: "bad bytes to every decoder of outside bytes: `fuzz --minutes N --target T`",
        options: &[ANY],
        run: fuzz::run,
    },
    Command {
        name: "sim",
        about: "instances under a seeded scheduler with faults: `sim --from SEED --seeds N --json FILE`, 10,000 a night",
        options: &[ANY],
        run: sim::run,
    },
    Command {
        name: "oracle",
        about: "new cases from Kafka Streams itself, and ours beside them: `oracle --seeds N --seed S --out DIR`",
        options: &[ANY],
        run: oracle::run,
    },
    Command {
        name: "lines",
        about: "lines of Rust in each room, product and tests",
        options: &[],
        run: lines::run,
    },
];

/// What exists, said to somebody who typed `name`.
pub(crate) fn usage(name: &str) -> String {
    let mut text = match name {
        "" => "Which command?\n".to_owned(),
        name => format!("There is no command `{name}`.\n"),
    };
    for command in &ALL {
        text.push_str(&format!("  cargo xtask {:<6} {}\n", command.name, command.about));
    }
    text
}

/// Builds the shipped binary and a program that drives it, both in release, and runs the program.
fn build_and_run(program: (&str, &str), arguments: &[String]) -> io::Result<bool> {
    for (package, binary) in [("candlewick-pipelines", "candlewick"), program] {
        let mut build = process("cargo")?;
        build.args(["build", "--release", "--package", package, "--bin", binary]);
        if !build.status()?.success() {
            return Ok(false);
        }
    }
    let path = target_dir()?.join("release").join(program.1);
    let path = path.to_str().ok_or_else(|| io::Error::other("the target folder's name is not UTF-8"))?;
    Ok(process(path)?.args(arguments).status()?.success())
}

/// The workspace's root.
pub(crate) fn root() -> io::Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let root = manifest.and_then(|folder| folder.parent().map(PathBuf::from));
    root.ok_or_else(|| io::Error::other("call it as `cargo xtask`, from inside the workspace"))
}

/// Where cargo builds.
pub(crate) fn target_dir() -> io::Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(root()?.join(folder)),
        None => Ok(root()?.join("target")),
    }
}

/// A call in the workspace's root, without what `cargo run` told this program about itself: build scripts that watch
/// such variables would run again at every other call.
pub(crate) fn process(program: &str) -> io::Result<Process> {
    let mut process = Process::new(program);
    process.current_dir(root()?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO" {
            process.env_remove(&name);
        }
    }
    Ok(process)
}
