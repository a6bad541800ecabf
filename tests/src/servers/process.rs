//! Child processes that end with the test process, free ports, and waiting until a server answers.
#![allow(unsafe_code)] // one prctl between fork and exec, and signals to children

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::missing::Missing;

/// A running server; killed when dropped, and by the kernel when the test process ends in any way.
#[derive(Debug)]
pub(super) struct Process {
    server: &'static str,
    child: Child,
    log: PathBuf,
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// The kernel kills a child when the *thread* that made it ends, and a test is a thread. So one thread, which never
/// ends, makes them all.
fn spawner() -> &'static Sender<Order> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (orders, inbox): (Sender<Order>, Receiver<Order>) = channel();
        std::thread::Builder::new()
            .name("servers".to_owned())
            .spawn(move || {
                for (mut command, answer) in inbox {
                    // Nobody waits for an answer whose test has panicked meanwhile.
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread can be started at the begin of a test");
        orders
    })
}

impl Process {
    /// Starts `command`; its output goes to `log`.
    pub(super) fn start(server: &'static str, mut command: Command, log: &Path) -> Result<Self, Missing> {
        let missing = |error: std::io::Error| Missing::new(server, format!("it did not start: {error}"));
        let out = File::options().create(true).append(true).open(log).map_err(missing)?;
        let err = out.try_clone().map_err(missing)?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        #[cfg(target_os = "linux")]
        // SAFETY: prctl is async-signal-safe, and the closure touches no memory of the parent.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let (answer, child) = channel();
        spawner().send((command, answer)).expect("the thread that starts servers never ends");
        let child = child.recv().expect("the thread that starts servers answers").map_err(missing)?;
        Ok(Self { server, child, log: log.to_owned() })
    }

    /// Waits until `ready` holds; `Missing` with the end of the log when the process dies or `limit` passes.
    pub(super) fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(&str) -> bool,
    ) -> Result<(), Missing> {
        let begin = Instant::now();
        loop {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            if ready(&log) {
                return Ok(());
            }
            let tail =
                || log.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
            if let Ok(Some(status)) = self.child.try_wait() {
                let why =
                    format!("it ended at its start with {status}; its last lines:\n{}", tail().join("\n"));
                return Err(Missing::new(self.server, why));
            }
            if begin.elapsed() > limit {
                let why = format!("it was not ready after {limit:?}; its last lines:\n{}", tail().join("\n"));
                return Err(Missing::new(self.server, why));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Tells it to end, as `kill` does.
    pub(super) fn terminate(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SAFETY: a signal to a child that has not been waited for reaches that child and nobody else.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that was free a moment ago, and that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    // Below the range that the kernel gives to outgoing connections, so that none takes it in between.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(37);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(start.wrapping_add(step) % 12_000).expect("below 12,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether something listens on this loopback port.
pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(200)).is_ok()
}

/// Whether a GET of this address brings a success.
pub(super) fn answers(url: &str) -> bool {
    let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build();
    client.and_then(|client| client.get(url).send()).is_ok_and(|response| response.status().is_success())
}

/// A new folder for what lives as long as the test process, such as a server's data. Folders of test processes that have
/// ended are removed first.
///
/// # Errors
/// When it cannot be made.
pub fn data_folder(server: &str) -> std::io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let root = std::env::temp_dir().join("candlewick-servers");
    std::fs::create_dir_all(&root)?;
    for entry in std::fs::read_dir(&root)?.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.split('-').next())
            .and_then(|pid| pid.parse::<i32>().ok().filter(|pid| *pid > 0));
        if owner.is_some_and(has_ended) {
            // Another test process may be removing it at the same moment.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = root.join(format!("{}-{server}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn has_ended(pid: i32) -> bool {
    // SAFETY: signal 0 only asks whether the process exists.
    let asked = unsafe { libc::kill(pid, 0) };
    // A process of somebody else is there, too.
    asked != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}
