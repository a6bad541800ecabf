//! Deletes from the application's repartition topics what has been processed: they never expire, and nobody else reads them
//! (Kafka Streams' KIP-204). A stream thread tells, after a commit and at most once an interval; the restoring thread asks the
//! log, so that no processing waits for it. Must not know what the records are.

use std::time::Duration;

use super::application::Application;
use super::restore::Work;
use super::thread::StreamThread;
use crate::client::{Admin, ClientError};
use crate::plan::TopicRef;
use crate::record::TopicPartition;

/// Offsets below which nothing is needed any more.
pub(super) type Processed = Vec<(TopicPartition, i64)>;

impl StreamThread {
    /// Between commits: tells what is not needed any more, when it is time.
    pub(super) fn purge_when_due(&mut self) {
        let now = self.application.clock.monotonic();
        let interval = Duration::from_millis(self.application.config.repartition_purge_interval_ms);
        let (told, at) = &mut self.purged;
        if now.saturating_sub(*at) < interval {
            return;
        }
        *at = now;
        let committed = self.tasks.iter().flat_map(|running| &running.committed);
        let processed: Processed = committed
            .filter(|(partition, offset)| **offset > told.get(partition).copied().unwrap_or(0))
            .filter(|(partition, _)| is_repartition(&self.application, &partition.topic))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        told.extend(processed.iter().cloned());
        if !processed.is_empty() {
            // A restoring thread that has ended ends the instance: its topics are purged by the next one.
            let _ = self.updater.send(Work::Purge(processed));
        }
    }
}

fn is_repartition(application: &Application, topic: &str) -> bool {
    let id = &application.config.application_id;
    let name = |decl: &crate::plan::RepartitionDecl| TopicRef::Internal(decl.topic.clone()).resolve(id);
    application.topology.repartitions().iter().any(|decl| *name(decl) == *topic)
}

/// Deletes it; what cannot be deleted now is with the next time. `is_denied` is whether the last time was not allowed.
pub(super) fn purge(
    application: &Application,
    admin: &mut dyn Admin,
    processed: &Processed,
    is_denied: &mut bool,
) {
    match admin.delete_records(processed, application.request_timeout()) {
        Ok(()) => *is_denied = false,
        // Said once.
        Err(ClientError::Denied { .. }) if *is_denied => {}
        Err(error @ ClientError::Denied { .. }) => {
            *is_denied = true;
            tracing::warn!(%error, "repartition topics grow: what was processed in them cannot be deleted");
        }
        Err(error) => tracing::debug!(%error, "repartition topics are purged another time"),
    }
}
