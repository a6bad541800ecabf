//! A program under measurement: started, sampled, told to end, and accounted for by the kernel over its whole life. Owns
//! the process; must not know what it computes. The one file of the bench with calls into the C library.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::BenchError;

const SAMPLE: Duration = Duration::from_millis(50);

/// A running program. It ends with its owner.
pub(crate) struct Child {
    program: String,
    id: u32,
    pid: libc::pid_t,
    started: Instant,
    log: PathBuf,
    peak_kib: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    sampler: Option<JoinHandle<()>>,
    waited: bool,
}

/// What a program has cost from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// User and system time, in seconds, as the kernel counts them.
    pub(crate) cpu_s: f64,
    /// The greatest anonymous resident memory that was seen, in MiB.
    pub(crate) rss_anon_mib: f64,
}

/// Resident memory, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) anonymous_mib: f64,
    /// Pages of files, which the kernel can take back.
    pub(crate) file_mib: f64,
}

/// Reads the processor time of a process in steps of a clock tick.
#[derive(Clone, Debug)]
pub(crate) struct CpuMeter {
    path: String,
}

impl CpuMeter {
    /// Of the process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self { path: format!("/proc/{pid}/stat") }
    }

    /// User and system seconds so far; not a number once the process has ended.
    pub(crate) fn seconds(&self) -> f64 {
        fs::read_to_string(&self.path).ok().and_then(|stat| ticks(&stat)).unwrap_or(f64::NAN)
    }
}

impl Child {
    /// Starts `command`; what it prints goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self, BenchError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let out = File::create(log).map_err(BenchError::io(log))?;
        let err = out.try_clone().map_err(BenchError::io(log))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        // SAFETY: prctl is async-signal-safe, and the closure touches no memory of the parent.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let started = Instant::now();
        let child = command.spawn().map_err(BenchError::io(&program))?;
        let id = child.id();
        let pid = libc::pid_t::try_from(id).expect("a process id is positive and small");
        let (peak_kib, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let sampler = sample(pid, Arc::clone(&peak_kib), Arc::clone(&ended));
        let log = log.to_owned();
        Ok(Self { program, id, pid, started, log, peak_kib, ended, sampler: Some(sampler), waited: false })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// What it has in memory now; nothing once it has ended.
    pub(crate) fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let mib = |name| resident_kib(&status, name).map_or(0.0, |kib| kib as f64 / 1024.0);
        Memory { anonymous_mib: mib("RssAnon:"), file_mib: mib("RssFile:") }
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Reads what it has used so far.
    pub(crate) fn cpu_meter(&self) -> CpuMeter {
        CpuMeter::of(self.id)
    }

    /// What it has cost, if it has ended.
    pub(crate) fn try_end(&mut self) -> Result<Option<Cost>, BenchError> {
        match self.wait(libc::WNOHANG)? {
            None => Ok(None),
            Some((cpu_s, 0)) => {
                let kib = self.peak_kib.load(Ordering::Relaxed);
                Ok(Some(Cost { cpu_s, rss_anon_mib: kib as f64 / 1024.0 }))
            }
            Some((_, status)) => Err(self.ended_with(status)),
        }
    }

    /// Waits for its end, at most `limit`.
    pub(crate) fn wait_for_end(mut self, limit: Duration) -> Result<Cost, BenchError> {
        let begin = Instant::now();
        loop {
            match self.try_end()? {
                Some(cost) => return Ok(cost),
                None if begin.elapsed() > limit => return Err(self.late("its end", limit)),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(self, limit: Duration) -> Result<Cost, BenchError> {
        // SAFETY: a signal to a child that has not been waited for cannot reach another process.
        unsafe { libc::kill(self.pid, libc::SIGTERM) };
        self.wait_for_end(limit)
    }

    /// Ends it as a power cut would, and waits for that.
    pub(crate) fn kill(mut self, limit: Duration) -> Result<(), BenchError> {
        // SAFETY: as in `terminate`.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        let begin = Instant::now();
        while self.wait(libc::WNOHANG)?.is_none() {
            if begin.elapsed() > limit {
                return Err(self.late("its end", limit));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The error that says what did not happen.
    pub(crate) fn late(&self, what: &str, limit: Duration) -> BenchError {
        let what = format!("{}: {what}", self.program);
        BenchError::Late { what, limit, log: self.log_tail() }
    }

    fn ended_with(&self, status: i32) -> BenchError {
        let status = ExitStatus::from_raw(status);
        BenchError::Ended { program: self.program.clone(), status, log: self.log_tail() }
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Its processor time and status once it has ended.
    fn wait(&mut self, flags: c_int) -> Result<Option<(f64, i32)>, BenchError> {
        let mut status = 0;
        // SAFETY: rusage is numbers only, for which zeros are valid.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to locals that live through the call.
        let pid = unsafe { libc::wait4(self.pid, &raw mut status, flags, &raw mut usage) };
        match pid {
            0 => Ok(None),
            pid if pid == self.pid => {
                self.waited = true;
                self.stop_sampling();
                let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
                Ok(Some((seconds(usage.ru_utime) + seconds(usage.ru_stime), status)))
            }
            _ => Err(BenchError::io(&self.program)(std::io::Error::last_os_error())),
        }
    }

    fn stop_sampling(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(sampler) = self.sampler.take() {
            // It reads files and adds up: a panic in it would have been printed.
            let _ = sampler.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.waited {
            // SAFETY: as in `terminate`.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            // It is killed and cannot fail to end; nothing is left to be told.
            let _ = self.wait(0);
        }
        self.stop_sampling();
    }
}

fn sample(pid: libc::pid_t, peak_kib: Arc<AtomicU64>, ended: Arc<AtomicBool>) -> JoinHandle<()> {
    let path = format!("/proc/{pid}/status");
    std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            let status = fs::read_to_string(&path).unwrap_or_default();
            if let Some(kib) = resident_kib(&status, "RssAnon:") {
                peak_kib.fetch_max(kib, Ordering::Relaxed);
            }
            std::thread::sleep(SAMPLE);
        }
    })
}

fn resident_kib(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// User and system time from the text of `/proc/<pid>/stat`, in seconds. The name before them may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<f64>().ok();
    // The kernel's interface has a hundred ticks a second on every machine.
    Some((number(11)? + number(12)?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_accounted_for_to_its_end() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done"]);
        let child = Child::start(command, log.path()).expect("started");
        let cost = child.wait_for_end(Duration::from_secs(60)).expect("it ends well");
        assert!(cost.cpu_s > 0.01, "{cost:?}");
        assert_eq!(fs::read_to_string(log.path()).expect("its log"), "done\n");
    }

    #[test]
    fn an_early_end_is_told_with_the_status_and_the_log() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut command = Command::new("sh");
        command.args(["-c", "echo no broker; exit 3"]);
        let child = Child::start(command, log.path()).expect("started");
        let error = child.wait_for_end(Duration::from_secs(60)).expect_err("status 3").to_string();
        assert!(error.contains("exit status: 3") && error.contains("no broker"), "{error}");
    }

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 0 0 0 0 0 120 30 0 0 20 0";
        assert_eq!(ticks(stat), Some(1.5));
    }
}
