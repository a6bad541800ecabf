//! Wakes the threads that wait for something to appear in the log. Must not know what it is.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks a mutex; a panic elsewhere while it was held does not make the log unusable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One waiting thread's bell. It is rung with no other lock held, so the waiting thread may take locks while it looks.
#[derive(Debug, Default)]
pub(super) struct Waker {
    gate: Mutex<()>,
    bell: Condvar,
}

impl Waker {
    /// Rings the bell.
    pub(super) fn wake(&self) {
        drop(lock(&self.gate));
        self.bell.notify_all();
    }

    /// Waits until `found` answers true, asking it at once and after every ring, at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration, mut found: impl FnMut() -> bool) {
        let gate = lock(&self.gate);
        drop(self.bell.wait_timeout_while(gate, timeout, |()| !found()));
    }
}
