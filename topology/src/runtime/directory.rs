//! The topics of the log, for sinks whose records choose among them: asked when a name is first seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::client::{Admin, ClientError, Log};
use crate::error::ProcessError;
use crate::processor::TopicDirectory;

/// Asks the log through one administrator, made at the first question.
pub(crate) struct LogDirectory {
    log: Arc<dyn Log>,
    timeout: Duration,
    admin: Mutex<Option<Box<dyn Admin>>>,
}

impl LogDirectory {
    pub(crate) fn new(log: Arc<dyn Log>, timeout: Duration) -> Self {
        Self { log, timeout, admin: Mutex::new(None) }
    }

    fn ask(&self, topic: &str) -> Result<Option<i32>, ClientError> {
        // A panic of another thread while it held the lock left a client behind, which is as good as before.
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let admin = match &mut *admin {
            Some(admin) => admin,
            none => none.insert(self.log.admin()?),
        };
        let found = admin.describe(&[topic], self.timeout)?.into_iter().flatten().next();
        Ok(found.map(|description| description.partitions))
    }
}

impl TopicDirectory for LogDirectory {
    fn partitions(&self, topic: &str) -> Result<Option<i32>, ProcessError> {
        // A log that cannot be reached is no fault of the record: no handler may leave it out for that.
        self.ask(topic).map_err(ProcessError::fatal)
    }
}
