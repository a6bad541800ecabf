//! How an instance has its threads, and how they wait: with the operating system, or in turns under a simulation. Nothing
//! else in the runtime begins a thread, sleeps, or waits for a channel. Must not know what the threads do.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError};

/// Where threads come from, and where they wait.
#[cfg_attr(not(feature = "sim"), expect(unreachable_pub, reason = "only a simulation brings its own"))]
pub trait Threads: Send + Sync + 'static {
    /// Begins a thread.
    ///
    /// # Errors
    /// When the operating system has none left.
    fn spawn(&self, name: String, run: Box<dyn FnOnce() + Send>) -> io::Result<Box<dyn Spawned>>;

    /// Lets the calling thread rest.
    fn sleep(&self, duration: Duration);

    /// Where threads run in turns, one must not block: this waits, while the others run, until `is_ready` answers true or
    /// the time has passed, and answers true. Where they run at once it answers false at once, and the caller blocks.
    fn wait(&self, timeout: Option<Duration>, is_ready: &mut dyn FnMut() -> bool) -> bool;
}

/// A thread that was begun. It goes on when this is dropped.
#[cfg_attr(not(feature = "sim"), expect(unreachable_pub, reason = "only a simulation brings its own"))]
pub trait Spawned: Send + Sync {
    /// Whether it has ended.
    fn is_finished(&self) -> bool;

    /// Waits for its end.
    fn join(self: Box<Self>);
}

/// The operating system's threads.
pub(crate) struct OsThreads;

impl Threads for OsThreads {
    fn spawn(&self, name: String, run: Box<dyn FnOnce() + Send>) -> io::Result<Box<dyn Spawned>> {
        Ok(Box::new(std::thread::Builder::new().name(name).spawn(run)?))
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn wait(&self, _timeout: Option<Duration>, _is_ready: &mut dyn FnMut() -> bool) -> bool {
        false
    }
}

impl Spawned for JoinHandle<()> {
    fn is_finished(&self) -> bool {
        Self::is_finished(self)
    }

    fn join(self: Box<Self>) {
        // A thread that panicked has been told of where it was run.
        drop(Self::join(*self));
    }
}

/// Takes from a channel, waiting for it at most `timeout`, or for good.
pub(crate) fn receive<T>(
    threads: &dyn Threads,
    channel: &Receiver<T>,
    timeout: Option<Duration>,
) -> Result<T, RecvTimeoutError> {
    let mut outcome = Err(RecvTimeoutError::Timeout);
    let waited = threads.wait(timeout, &mut || {
        outcome = channel.try_recv().map_err(|error| match error {
            TryRecvError::Empty => RecvTimeoutError::Timeout,
            TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
        });
        !matches!(outcome, Err(RecvTimeoutError::Timeout))
    });
    match timeout {
        _ if waited => outcome,
        Some(timeout) => channel.recv_timeout(timeout),
        None => channel.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Waits until one of two channels has something, or nobody is left at its other end; at most `timeout`.
pub(crate) fn wait_for_either<A, B>(
    threads: &dyn Threads,
    one: &Receiver<A>,
    other: &Receiver<B>,
    timeout: Duration,
) {
    if threads.wait(Some(timeout), &mut || !one.is_empty() || !other.is_empty()) {
        return;
    }
    let mut select = Select::new();
    select.recv(one);
    select.recv(other);
    // Whichever it is, the caller looks at both; and when the time has passed, too.
    let _ = select.ready_timeout(timeout);
}
