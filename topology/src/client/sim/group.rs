//! A membership under a scheduler. Its callers hold a lock over it, so nobody else runs during its calls.

use std::sync::Arc;
use std::time::Duration;

use super::{Call, Fate, Scheduler, away};
use crate::client::{ClientError, Group, GroupEvent, GroupMetadata};

/// A membership of an embedded log.
pub(super) struct SimGroup {
    /// Given away only when this is dropped.
    inner: Option<Box<dyn Group>>,
    scheduler: Arc<dyn Scheduler>,
}

impl SimGroup {
    pub(super) fn new(inner: Box<dyn Group>, scheduler: Arc<dyn Scheduler>) -> Self {
        Self { inner: Some(inner), scheduler }
    }
}

fn left() -> ClientError {
    ClientError::NotCurrent { reason: "the membership is over".to_owned() }
}

impl Group for SimGroup {
    fn poll(&mut self, _timeout: Duration) -> Result<Vec<GroupEvent>, ClientError> {
        if self.scheduler.before(Call::GroupPoll) != Fate::Done {
            return Err(away("polling a group"));
        }
        self.inner.as_mut().ok_or_else(left)?.poll(Duration::ZERO)
    }

    fn metadata(&self) -> Result<GroupMetadata, ClientError> {
        self.inner.as_ref().ok_or_else(left)?.metadata()
    }

    fn leave(&mut self, timeout: Duration) -> Result<(), ClientError> {
        self.inner.as_mut().ok_or_else(left)?.leave(timeout)
    }
}

impl Drop for SimGroup {
    fn drop(&mut self) {
        drop(self.inner.take().and_then(|inner| self.scheduler.bury(inner)));
    }
}
