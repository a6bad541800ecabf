//! Tells when the log may delete what windows still need. A log deletes by the time of records and the wall clock, windows
//! live by the time of the stream: those of input whose time is long past are gone from their changelog as soon as they are
//! written. Must not know what the windows hold.

use super::thread::StreamThread;
use crate::plan::changelog_retention_ms;

impl StreamThread {
    /// After a commit; once for each thread.
    pub(super) fn tell_expiring(&mut self) {
        if self.is_expiry_told {
            return;
        }
        let now = self.application.clock.wall().as_millis();
        let additional = self.application.config.window_changelog_additional_retention_ms;
        for running in &self.tasks {
            let behind_ms = now.saturating_sub(running.task.env.stream_time.0);
            if running.task.env.stream_time.0 < 0 {
                continue;
            }
            let stores = &self.application.sub_topology(running.task.id).stores;
            let kept = |store| changelog_retention_ms(store, additional);
            let expiring = stores.iter().filter(|store| store.logged);
            let expiring = expiring.filter_map(|store| Some((store, kept(store)?)));
            if let Some((store, kept_ms)) = expiring.into_iter().find(|(_, kept_ms)| behind_ms > *kept_ms) {
                self.is_expiry_told = true;
                tracing::warn!(task = %running.task.id, store = &*store.name, kept_ms, behind_ms, "the input is older than what the log keeps of this store's changelog, and what is lost here cannot be restored: for recorded input set window-changelog-additional-retention-ms = -1 before the first start");
                return;
            }
        }
    }
}
