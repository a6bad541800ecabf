//! The way back from whoever does the work to the node that waits for it. Knows no order, no retries and no task.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::workplace::Place;
use crate::error::{Panicked, ProcessError};

/// What came of one attempt.
pub(super) struct Done<T> {
    pub(super) number: u64,
    pub(super) attempt: u32,
    pub(super) result: Result<T, ProcessError>,
}

/// Where the results of one node of one task arrive.
pub(super) struct Mailbox<T> {
    has_any: AtomicBool,
    done: Mutex<Vec<Done<T>>>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { has_any: AtomicBool::new(false), done: Mutex::new(Vec::new()) }
    }
}

impl<T> Mailbox<T> {
    fn put(&self, done: Done<T>) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        self.has_any.store(true, Ordering::Release);
    }

    /// Everything that has arrived.
    pub(super) fn take(&self) -> Vec<Done<T>> {
        if !self.has_any.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells a topology what came of a slow call. Dropped without a word it tells an error, so that no record is waited for in
/// vain; what comes after the call's timeout is left out.
///
/// ```
/// use std::time::Duration;
/// use candlewick::{AsyncCall, AsyncOptions, Completion, Consumed, Produced, Record, StreamsBuilder};
/// # use candlewick::*;
///
/// /// Any executor will do: here a thread for each call.
/// fn look_up(record: Record<String, i64>, done: Completion<String>) {
///     std::thread::spawn(move || done.complete(Ok(format!("item {}", record.value))));
/// }
///
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("in", Consumed::<String, i64>::default())
///     .async_map(AsyncOptions { concurrency: 8, ..AsyncOptions::default() }, AsyncCall::completing(look_up))
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
/// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 1 and 2:
/// assert_eq!(values, ["item 1", "item 2"]);
/// ```
pub struct Completion<T> {
    mailbox: Arc<Mailbox<T>>,
    number: u64,
    attempt: u32,
    is_told: bool,
    /// Held until the call has ended, however long ago it was given up.
    _place: Place,
}

/// The call ended without telling a result.
#[derive(Debug, thiserror::Error)]
#[error("the call ended without a result: its Completion was dropped; complete it on every path")]
struct NoResult;

impl<T> Completion<T> {
    pub(super) fn new(mailbox: &Arc<Mailbox<T>>, number: u64, attempt: u32, place: Place) -> Self {
        Self { mailbox: Arc::clone(mailbox), number, attempt, is_told: false, _place: place }
    }

    /// Tells the result; from any thread.
    ///
    /// ```
    /// use candlewick::{Completion, ProcessError};
    /// fn tell(status: u16, body: String, done: Completion<String>) {
    ///     match status {
    ///         200 => done.complete(Ok(body)),
    ///         status => done.complete(Err(ProcessError::new(format!("the service answered {status}")))),
    ///     }
    /// }
    /// # let _ = tell;
    /// ```
    pub fn complete(mut self, result: Result<T, ProcessError>) {
        self.tell(result);
    }

    fn tell(&mut self, result: Result<T, ProcessError>) {
        self.is_told = true;
        self.mailbox.put(Done { number: self.number, attempt: self.attempt, result });
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Err(NoResult.into()));
        }
    }
}

/// Runs code of the user's: a panic is an error. One that carries no text is somebody else's, and goes on.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, ProcessError>) -> Result<T, ProcessError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(panic) => Err(Panicked::of(panic).unwrap_or_else(|panic| resume_unwind(panic)).into()),
    }
}
