//! Starting, watching, killing and stopping the binary.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The release binary, built if need be; `CANDLEWICK_BINARY` names another one.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| given_or_built("CANDLEWICK_BINARY", "plain", &[]))
}

/// The same with TLS and logins to Kafka, and with buckets, as the container image has it; `CANDLEWICK_SECURED_BINARY` names another one.
///
/// # Panics
/// When it cannot be built.
pub fn secured_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let features = ["--features", "kafka-tls,object-store"];
    BINARY.get_or_init(|| given_or_built("CANDLEWICK_SECURED_BINARY", "secured", &features))
}

/// Cargo gives all of them the same name, whatever their features: each is kept beside under one of its own.
fn given_or_built(variable: &str, name: &str, features: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built(features);
    let kept = built.with_file_name(format!("candlewick-{name}"));
    let half = built.with_file_name(format!("candlewick-{name}.{}", std::process::id()));
    std::fs::copy(&built, &half).and_then(|_| std::fs::rename(&half, &kept)).expect("a copy beside it");
    kept
}

/// Builds the release binary.
fn built(more: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--release", "-p", "candlewick-pipelines", "--message-format", "json"];
    let mut command = Command::new(cargo);
    // What cargo tells this test about itself would make build scripts of the binary's crates run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO" {
            command.env_remove(&name);
        }
    }
    let output = command.args(build).args(more).stderr(Stdio::inherit()).output().expect("cargo runs");
    assert!(output.status.success(), "the release binary builds");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executables = artifacts.filter_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    executables.fold(None, |_, path| Some(path)).expect("cargo names the executable")
}

/// A running candlewick. Dropping it kills it.
pub struct Candlewick {
    child: Child,
    folder: PathBuf,
    /// Bytes that earlier runs in the same folder had printed to standard error.
    before: usize,
}

/// What is printed by all runs in a folder, in order.
const PRINTED: &str = "candlewick.out";
/// What is logged by all runs in a folder, in order; the sentence of an error comes last.
const LOGGED: &str = "candlewick.log";

impl Candlewick {
    /// Starts it with these arguments; what it prints goes to files in `folder`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Self {
        Self::start_command(folder, Command::new(binary()).args(arguments))
    }

    /// Starts it by a command that has its arguments and variables already.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_command(folder: &Path, command: &mut Command) -> Self {
        let open = |name: &str| {
            let file = std::fs::File::options().create(true).append(true).open(folder.join(name));
            file.expect("a file for what it prints")
        };
        let before = std::fs::metadata(folder.join(LOGGED)).map_or(0, |file| file.len());
        // What the harness is told is not meant for the binary, which would take some of it for its own.
        let given: Vec<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CANDLEWICK_") && !given.contains(&name) {
                command.env_remove(&name);
            }
        }
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(open(PRINTED))
            .stderr(open(LOGGED))
            .spawn()
            .expect("the binary starts");
        let before = usize::try_from(before).expect("a short log");
        Self { child, folder: folder.to_owned(), before }
    }

    /// Everything that it and earlier runs in its folder have printed.
    #[must_use]
    pub fn output(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read(PRINTED) + &read(LOGGED)
    }

    /// What this run has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join(LOGGED)).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.before..).unwrap_or_default()).into_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    /// When the operating system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child can be waited for").is_none()
    }

    /// Waits until its log says `words`.
    ///
    /// # Panics
    /// When it ends before, or takes longer than `deadline`.
    pub fn wait_for(&mut self, words: &str, deadline: Duration) {
        let until = Instant::now() + deadline;
        while !self.log().contains(words) {
            let ended = self.child.try_wait().expect("the child can be waited for");
            assert!(ended.is_none(), "candlewick ended before it said {words:?}:\n{}", self.output());
            assert!(Instant::now() < until, "candlewick has not said {words:?}:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it ends by itself with this exit code, and gives the one sentence that says why: the last line of its
    /// log.
    ///
    /// # Panics
    /// When it does not end in time, ends otherwise, or says nothing or more than one sentence.
    #[must_use]
    pub fn fails_with(mut self, code: i32, deadline: Duration) -> String {
        let status = self.wait_in_place(deadline);
        let log = self.log();
        assert_eq!(status.code(), Some(code), "{}", self.output());
        let said: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("candlewick: ")).collect();
        let last = log.lines().last().and_then(|line| line.strip_prefix("candlewick: "));
        assert!(said.len() == 1 && last == Some(said[0]), "it says why in one sentence, at its end:\n{log}");
        said[0].to_owned()
    }

    /// Ends it as a power cut would: `kill -9`.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as an orchestrator would, by SIGTERM, and waits for it.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn terminate(mut self, deadline: Duration) -> ExitStatus {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        self.wait_in_place(deadline)
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(mut self, deadline: Duration) -> ExitStatus {
        self.wait_in_place(deadline)
    }

    fn wait_in_place(&mut self, deadline: Duration) -> ExitStatus {
        let until = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return status;
            }
            assert!(Instant::now() < until, "candlewick is still running:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Candlewick {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
