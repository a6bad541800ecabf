//! The background thread of an embedded log: syncs, and looks after timeouts, retention and compaction. Must not know
//! what those do.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::inner::Inner;
use super::waker::lock;

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Housekeeper {
    /// Starts the thread.
    pub(super) fn start(inner: &Arc<Inner>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (log, signal) = (Arc::downgrade(inner), Arc::clone(&stop));
        let thread =
            std::thread::Builder::new().name("embedded-log".to_owned()).spawn(move || run(&log, &signal))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        *lock(&self.stop.0) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the embedded log's background thread panicked");
        }
    }
}

fn run(log: &Weak<Inner>, signal: &(Mutex<bool>, Condvar)) {
    let mut since_sync = 0;
    let mut since_look = 0;
    loop {
        let Some(inner) = log.upgrade() else { return };
        let sync_ms = inner.settings.log_sync_interval_ms.max(1);
        let look_ms = inner.settings.housekeeping_interval_ms.max(1);
        if since_sync >= sync_ms {
            since_sync = 0;
            report(inner.sync(), "the embedded log could not be synced to disk");
        }
        if since_look >= look_ms {
            since_look = 0;
            report(inner.look_after(), "retention or compaction of the embedded log failed");
        }
        drop(inner);
        let pause_ms = (sync_ms - since_sync).min(look_ms - since_look);
        let stopped = lock(&signal.0);
        let waited =
            signal.1.wait_timeout_while(stopped, Duration::from_millis(pause_ms), |stopped| !*stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
        since_sync += pause_ms;
        since_look += pause_ms;
    }
}

fn report(result: std::io::Result<()>, what: &'static str) {
    if let Err(error) = result {
        tracing::error!(%error, "{what}; it will be tried again");
    }
}
