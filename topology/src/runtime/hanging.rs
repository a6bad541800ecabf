//! What somebody who waits for the end of a transaction does when it does not come: a transaction that outlasts its own
//! timeout hangs, and is ended, if that may be done. Must not know how.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::application::Application;
use crate::client::ClientError;
use crate::time::Clock;

/// Beyond a transaction's timeout, for its coordinator to notice.
const SLACK: Duration = Duration::from_secs(3);
/// Between two tries.
const AGAIN: Duration = Duration::from_secs(10);
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);

/// One wait.
pub(super) struct Hanging {
    clock: Arc<dyn Clock>,
    due: Duration,
}

impl Hanging {
    /// Begins to wait.
    pub(super) fn new(application: &Application) -> Self {
        let clock = Arc::clone(&application.clock);
        let due = clock.monotonic() + Self::patience(application);
        Self { clock, due }
    }

    /// How long a transaction may last that does not hang.
    pub(super) fn patience(application: &Application) -> Duration {
        Duration::from_millis(application.config.transaction_timeout_ms) + SLACK
    }

    /// Ends what hangs, once the wait is too long for anything else. Never fails: whoever waits goes on waiting.
    pub(super) fn end_when_due(
        &mut self,
        place: &dyn Display,
        end: impl FnOnce(Duration) -> Result<usize, ClientError>,
    ) {
        if self.clock.monotonic() < self.due {
            return;
        }
        self.due = self.clock.monotonic() + AGAIN;
        match end(LIMIT) {
            Err(ClientError::Unavailable { .. }) => {}
            Ok(0) => tracing::warn!(
                %place,
                "a transaction has been open for longer than any may be: if it hangs, only an administrator can tell \
                 whether it is to be committed or aborted; look with `kafka-transactions.sh find-hanging`"
            ),
            Ok(ended) => tracing::warn!(
                %place,
                ended,
                "ended transactions that hung: the broker had taken them for ended and never wrote so"
            ),
            Err(error) => tracing::warn!(
                %place,
                %error,
                "a transaction may hang here, and it cannot be ended from here: let an administrator look with \
                 `kafka-transactions.sh find-hanging`, and end it with `kafka-transactions.sh abort`"
            ),
        }
    }
}
