//! Records that failed and are tried again, or are left out after a panic: what a task remembers of them across the way
//! back to its last commit, and that way. Must not know why they fail.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::error::StreamsError;
use super::task::{Task, TaskFault};
use super::thread::StreamThread;
use crate::error::{Panicked, ProcessError};
use crate::processor::{ProcessResponse, take_blamed};

/// What is known of records that have failed, by queue and offset.
#[derive(Default)]
pub(crate) struct Failures {
    known: BTreeMap<(usize, i64), Failure>,
    /// Outside of any record, in a punctuation or at a commit: all there were.
    elsewhere: u32,
}

#[derive(Default)]
struct Failure {
    count: u32,
    /// The record is left out when it comes again: by this answer, for this reason.
    verdict: Option<(ProcessResponse, ProcessError)>,
}

impl Failures {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.elsewhere == 0
    }

    pub(super) fn count(&self, place: Option<(usize, i64)>) -> u32 {
        match place {
            Some(place) => self.known.get(&place).map_or(0, |failure| failure.count),
            None => self.elsewhere,
        }
    }

    pub(super) fn add(&mut self, place: Option<(usize, i64)>) {
        match place {
            Some(place) => self.known.entry(place).or_default().count += 1,
            None => self.elsewhere += 1,
        }
    }

    /// What lies behind a commit does not come again.
    pub(super) fn forget_below(&mut self, queue: usize, position: i64) {
        self.known.retain(|(of, offset), _| *of != queue || *offset >= position);
    }
}

impl Task {
    /// How often the record in process has failed; or, outside of one, what runs now.
    #[cold]
    pub(super) fn look_up_failures(&mut self, place: Option<(usize, i64)>) {
        self.env.failures = self.failures.count(place);
    }

    /// The answer about this record, if it is to be left out without being processed again.
    #[cold]
    pub(super) fn verdict(&mut self, place: (usize, i64)) -> Option<(ProcessResponse, ProcessError)> {
        self.failures.known.get_mut(&place)?.verdict.take()
    }

    /// A record that is to be left out when it comes again.
    pub(super) fn leave_out(&mut self, place: (usize, i64), answer: ProcessResponse, error: ProcessError) {
        self.failures.known.entry(place).or_default().verdict = Some((answer, error));
    }

    /// A fault of this error: the end of the task, or another try from its last commit.
    #[cold]
    pub(super) fn fault(&mut self, error: ProcessError) -> TaskFault {
        match error.retry_after() {
            Some(after) => {
                self.failures.add(self.in_process());
                TaskFault::Again { task: self.id, after, error }
            }
            None => TaskFault::Process { task: self.id, error },
        }
    }

    /// Runs nodes; what panics in them becomes an error that names the node. What the panic left half done is not looked
    /// at again: the task ends, or goes back to its last commit.
    pub(super) fn guarded<R>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<R, TaskFault>,
    ) -> Result<R, TaskFault> {
        if !self.failures.is_empty() {
            self.look_up_failures(None);
        }
        let was_inside = self.pulse.enter(self.id);
        let result = catch_unwind(AssertUnwindSafe(|| run(self)));
        if !was_inside {
            self.pulse.leave();
        }
        result.unwrap_or_else(|panic| Err(self.panicked(panic)))
    }

    #[cold]
    fn panicked(&mut self, panic: Box<dyn Any + Send>) -> TaskFault {
        let node = take_blamed();
        let panic = Panicked::of(panic).unwrap_or_else(|panic| resume_unwind(panic));
        let mut error = ProcessError::from(panic);
        if let Some(node) = &node {
            error.name_node(node);
        }
        let place = self.in_process();
        self.look_up_failures(place);
        let policy = node.and_then(|node| self.policy_of(&node));
        match self.env.answer(&error, policy.as_ref()) {
            ProcessResponse::Retry { after } => self.fault(error.into_retry(after)),
            answer @ (ProcessResponse::Continue | ProcessResponse::DeadLetter) if place.is_some() => {
                let again = ProcessError::new(error.to_string());
                self.leave_out(place.unwrap_or_default(), answer, error);
                TaskFault::Again { task: self.id, after: Duration::ZERO, error: again }
            }
            _ => TaskFault::Process { task: self.id, error: error.into_fatal() },
        }
    }
}

impl StreamThread {
    /// Goes back to the last commit, and rests before the record that failed is processed again.
    pub(super) fn again(&mut self, fault: &TaskFault) -> Result<(), StreamsError> {
        if let TaskFault::Again { task, after, error } = fault {
            tracing::warn!(%task, %error, ?after, "going back to the last commit, to try again");
            self.rests_until = Some(self.application.clock.monotonic() + *after);
        }
        self.rewind()
    }

    /// Whether a failed record still waits for its next try.
    pub(super) fn is_resting(&mut self) -> bool {
        let now = self.application.clock.monotonic();
        self.rests_until = self.rests_until.filter(|until| now < *until);
        self.rests_until.is_some()
    }
}
