//! What a restoration has to read: where each changelog begins and ends, and from where on it is missing in its store.
//! Must not know who reads it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{RestoreProgress, StateUpdater, Stream};
use crate::client::{ClientError, Watermarks};
use crate::record::{TaskId, TopicPartition};
use crate::runtime::application::Changelog;
use crate::runtime::error::StreamsError;
use crate::runtime::hanging::Hanging;
use crate::runtime::planted::{Bug, planted};
use crate::state::TaskState;

/// From where on a changelog is to be read for a store at `position`; nothing when the changelog does not hold that, and
/// the store is to be rebuilt.
pub(super) fn start(
    partition: &TopicPartition,
    position: Option<i64>,
    marks: &Watermarks,
    expires: bool,
) -> Option<i64> {
    let start = position.unwrap_or(marks.low);
    let held = format!("{} to {}", marks.low, marks.high);
    if start < marks.low && expires {
        // Only what is older than the windows' retention was deleted; what the store has is whole.
        tracing::info!(%partition, start, held, "the changelog has expired up to its new start: restored from there");
        return Some(marks.low);
    }
    if start > marks.high || start < marks.low {
        tracing::warn!(%partition, start, held, "the changelog does not hold the store's position: it is rebuilt");
        return None;
    }
    Some(start)
}

impl StateUpdater {
    /// The plan for a task; stores whose position their changelog does not hold are thrown away first and begin anew.
    pub(super) fn checked_plan(
        &mut self,
        task: TaskId,
        mut state: TaskState,
        progress: &RestoreProgress,
    ) -> Result<(TaskState, Vec<Stream>, i64), StreamsError> {
        if let Some((streams, total)) = self.plan(task, &state, progress)? {
            return Ok((state, streams, total));
        }
        state.wipe()?;
        state = self.application.open_local_state(task, false)?;
        let lost =
            ClientError::Fatal { operation: "restore", reason: "an empty store has no position".into() };
        let (streams, total) = self.plan(task, &state, progress)?.ok_or(lost)?;
        Ok((state, streams, total))
    }

    /// Which changelog partitions a task still has to read, and how many records that is at most; nothing when a store's
    /// position is not within its changelog.
    fn plan(
        &mut self,
        task: TaskId,
        state: &TaskState,
        progress: &RestoreProgress,
    ) -> Result<Option<(Vec<Stream>, i64)>, StreamsError> {
        let positions = state.positions().to_vec();
        let mut streams = Vec::new();
        let mut total = 0;
        for Changelog { store, partition, is_source } in self.application.changelogs(task) {
            let expires = self.application.changelog_expires(task, store);
            let marks = if is_source {
                self.processed_marks(&partition, progress)?
            } else {
                self.settled_marks(&partition, progress)?
            };
            if planted(Bug::NoRestoration) {
                continue;
            }
            let Some(start) = start(&partition, positions[store], &marks, expires) else { return Ok(None) };
            if start < marks.stable {
                total += marks.stable - start.max(marks.low);
                streams.push(Stream { partition, store, at: start, end: marks.stable, is_source });
            }
        }
        Ok(Some((streams, total)))
    }

    /// Where a changelog begins and ends, once no open transaction of a former owner hides its end: what lies behind would
    /// be missing in the store. Such a transaction ends when its owner is fenced, or by its own timeout.
    fn settled_marks(
        &mut self,
        partition: &TopicPartition,
        progress: &RestoreProgress,
    ) -> Result<Watermarks, StreamsError> {
        let timeout = self.application.request_timeout();
        let clock = Arc::clone(&self.application.clock);
        let mut warn_at = clock.monotonic() + timeout;
        let mut hanging = Hanging::new(&self.application);
        loop {
            let marks = match self.admin.watermarks(partition, timeout) {
                Err(ClientError::Unavailable { reason, .. })
                    if !progress.is_unwanted.load(Ordering::Relaxed) =>
                {
                    self.wait_for_log(&reason);
                    continue;
                }
                answer => answer?,
            };
            if planted(Bug::RestoredUncommitted) {
                return Ok(Watermarks { stable: marks.high, ..marks });
            }
            if marks.stable >= marks.high || progress.is_unwanted.load(Ordering::Relaxed) {
                return Ok(marks);
            }
            if clock.monotonic() > warn_at {
                warn_at = clock.monotonic() + timeout;
                tracing::warn!(%partition, stable = marks.stable, high = marks.high, "restoration waits for an open transaction of a former owner to end");
            }
            let admin = &mut *self.admin;
            hanging.end_when_due(partition, |limit| admin.end_hanging_transactions(partition, limit));
            self.application.threads.sleep(Duration::from_millis(10));
        }
    }

    /// Where a source topic begins, and where its processing has been committed to: behind that is work to do.
    pub(super) fn processed_marks(
        &mut self,
        partition: &TopicPartition,
        progress: &RestoreProgress,
    ) -> Result<Watermarks, StreamsError> {
        let timeout = self.application.request_timeout();
        loop {
            let low = self.admin.watermarks(partition, timeout).map(|marks| marks.low);
            let asked = std::slice::from_ref(partition);
            let (low, committed) =
                match low.and_then(|low| Ok((low, self.consumer.committed(asked, timeout)?))) {
                    Err(ClientError::Unavailable { reason, .. }) => {
                        if progress.is_unwanted.load(Ordering::Relaxed) {
                            return Ok(Watermarks { low: 0, high: i64::MAX, stable: 0 });
                        }
                        self.wait_for_log(&reason);
                        continue;
                    }
                    answer => answer?,
                };
            let end =
                committed.into_iter().flatten().next().map_or(low, |committed| committed.offset.max(low));
            return Ok(Watermarks { low, high: end, stable: end });
        }
    }
}
