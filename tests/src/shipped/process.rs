//! Starting, watching, killing and stopping the binary.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The release binary, built if need be; `CANDLEWICK_BINARY` names another one.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("CANDLEWICK_BINARY") {
            return path.into();
        }
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
        let output = command.args(build).stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(output.status.success(), "the release binary builds");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let executables = artifacts.filter_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
        executables.fold(None, |_, path| Some(path)).expect("cargo names the executable")
    })
}

/// A running candlewick. Dropping it kills it.
pub struct Candlewick {
    child: Child,
    log: PathBuf,
}

impl Candlewick {
    /// Starts it with these arguments; what it prints goes to a file in `folder`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("candlewick.log");
        let file = std::fs::File::options().create(true).append(true).open(&log).expect("a log file");
        let errors = file.try_clone().expect("a second handle");
        let child = Command::new(binary())
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .expect("the binary starts");
        Self { child, log }
    }

    /// Everything it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
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
