//! One process of the application, kept alive as an orchestrator would. Must not know why it ends.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::disk::Disk;
use crate::shipped::Candlewick;

/// How long an instance that was asked to end may take, with the broker away meanwhile.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(60);

/// An instance with a folder of its own.
pub(super) struct Instance {
    folder: PathBuf,
    arguments: Vec<String>,
    process: Option<Candlewick>,
    /// Where it keeps its state, if it could be mounted.
    pub(super) disk: Option<Disk>,
    /// How often it ended by itself, and what it said last.
    pub(super) ended: Vec<String>,
}

impl Instance {
    pub(super) fn start(folder: PathBuf, arguments: &[String]) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder of its own");
        let mut arguments = arguments.to_vec();
        let data = folder.join("data");
        arguments.extend(["--data-dir".to_owned(), data.display().to_string()]);
        let disk = Disk::mount(&data);
        let mut instance = Self { folder, arguments, process: None, disk, ended: Vec::new() };
        instance.revive();
        instance
    }

    /// Starts it unless it runs.
    pub(super) fn revive(&mut self) {
        if let Some(process) = &mut self.process {
            if process.is_running() {
                return;
            }
            let log = process.log();
            self.ended.push(log.lines().last().unwrap_or_default().to_owned());
        }
        self.process = Some(Candlewick::start(&self.folder, &self.arguments));
    }

    pub(super) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    pub(super) fn leave(&mut self) {
        self.signal("-TERM");
        let Some(mut process) = self.process.take() else { return };
        let until = Instant::now() + LEAVE_TIMEOUT;
        while process.is_running() {
            if Instant::now() > until {
                self.ended.push(format!("it did not end within {LEAVE_TIMEOUT:?} of being asked to"));
                process.kill();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            // One that has ended by itself is revived later.
            let _ = Command::new("kill").args([name, &process.pid().to_string()]).status();
        }
    }

    /// What all its runs have logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("candlewick.log")).unwrap_or_default()
    }
}
