//! Tells when the log may delete what windows still need. A log deletes by the time of records and the wall clock, windows
//! live by the time of the stream: those of input whose time is long past are gone from their changelog as soon as they are
//! written. Must not know what the windows hold.

use std::sync::Arc;

use super::application::Application;
use super::thread::StreamThread;
use crate::plan::changelog_retention_ms;
use crate::state::StoreDecl;

/// The stores of each sub-topology whose changelogs expire, and after how many milliseconds.
pub(super) type Expiring = Vec<Vec<(Arc<str>, i64)>>;

/// Worked out once: topic configurations are text.
pub(super) fn expiring(application: &Application) -> Expiring {
    let additional = application.config.window_changelog_additional_retention_ms;
    let of = |store: &StoreDecl| Some((Arc::from(&*store.name), changelog_retention_ms(store, additional)?));
    let subs = application.topology.sub_topologies().iter();
    subs.map(|sub| sub.stores.iter().filter(|store| store.logged).filter_map(of).collect()).collect()
}

impl StreamThread {
    /// After a commit; once for each thread.
    pub(super) fn tell_expiring(&mut self) {
        let Some(expiring) = &self.expiring else { return };
        let now = self.application.clock.wall().as_millis();
        for running in self.tasks.iter().filter(|running| running.task.env.stream_time.0 >= 0) {
            let behind_ms = now.saturating_sub(running.task.env.stream_time.0);
            let stores = &expiring[running.task.id.sub_topology as usize];
            if let Some((store, kept_ms)) = stores.iter().find(|(_, kept_ms)| behind_ms > *kept_ms) {
                tracing::warn!(task = %running.task.id, store = &**store, kept_ms, behind_ms, "the input is older than what the log keeps of this store's changelog, and what is lost here cannot be restored: for recorded input set window-changelog-additional-retention-ms = -1 before the first start");
                self.expiring = None;
                return;
            }
        }
    }
}
