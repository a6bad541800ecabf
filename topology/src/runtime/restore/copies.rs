//! Copies of the stores of tasks that do not run here: standbys, tasks that are about to come, and for a moment those that
//! have just gone. A copy follows its changelogs without an end. It is of use, never of need: whatever is wrong with one is
//! told, and it is made anew. Must not know who decides which there are.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::plan::start;
use super::{Kept, RestoreProgress, StateUpdater, Stream};
use crate::client::{ClientError, Watermarks};
use crate::record::TaskId;
use crate::runtime::application::Changelog;
use crate::runtime::error::StreamsError;
use crate::state::TaskState;

/// The stores of one task.
pub(super) struct TaskCopy {
    state: TaskState,
    /// Nothing until it is known where to begin.
    streams: Option<Vec<Stream>>,
    /// When to look for that again.
    plan_at: Duration,
    /// When what was read is to be brought into the engines.
    commit_at: Duration,
    /// Records of its changelogs that it has not read, as far as is known.
    lag: Option<i64>,
    /// Since when nobody wants it.
    unwanted: Option<Duration>,
}

/// How often a copy brings what it has read into its engines.
const COMMIT_AFTER: Duration = Duration::from_secs(1);
/// How long a copy waits with another try when the log does not answer, or when it has failed.
const PLAN_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long stores stay that a thread has given up, for whoever takes the task up next may do so here.
const LINGER: Duration = Duration::from_secs(3);

impl TaskCopy {
    fn new(state: TaskState, now: Duration) -> Self {
        Self { state, streams: None, plan_at: now, commit_at: now + COMMIT_AFTER, lag: None, unwanted: None }
    }

    pub(super) fn streams(&self) -> &[Stream] {
        self.streams.as_deref().unwrap_or_default()
    }

    pub(super) fn streams_mut(&mut self) -> &mut [Stream] {
        self.streams.as_deref_mut().unwrap_or_default()
    }

    pub(super) fn state(&mut self) -> &mut TaskState {
        &mut self.state
    }

    /// Brings what was read into the engines, with how far that is.
    fn commit(&mut self) -> Result<(), StreamsError> {
        self.state.finish_restore()?;
        let positions: Vec<(usize, i64)> =
            self.streams().iter().map(|stream| (stream.store, stream.at)).collect();
        Ok(self.state.commit(&positions)?)
    }

    /// The stores with all that was read.
    pub(super) fn into_state(mut self) -> Result<TaskState, StreamsError> {
        self.commit()?;
        Ok(self.state)
    }

    fn close(self) -> Result<(), StreamsError> {
        Ok(self.into_state()?.close()?)
    }
}

impl StateUpdater {
    /// Takes the stores of a task that a thread has given up.
    pub(super) fn retire(&mut self, task: TaskId, state: TaskState) {
        self.handed_out.remove(&task);
        let now = self.application.clock.monotonic();
        let unwanted = (!self.kept.copies.contains(&task)).then_some(now);
        self.copies.insert(task, TaskCopy { unwanted, ..TaskCopy::new(state, now) });
    }

    /// Other copies are wanted from now on. They are opened and closed by [`tend_copies`](Self::tend_copies).
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept = kept;
        let now = self.application.clock.monotonic();
        for (task, copy) in &mut self.copies {
            let is_wanted = self.kept.copies.contains(task) || self.kept.held.contains(task);
            copy.unwanted = if is_wanted { None } else { Some(copy.unwanted.unwrap_or(now)) };
        }
        let have = |task: &&TaskId| self.copies.contains_key(task) || self.handed_out.contains(task);
        let missing: Vec<TaskId> = self.kept.copies.iter().filter(|task| !have(task)).copied().collect();
        missing.into_iter().for_each(|task| self.open_copy(task, now, now));
    }

    /// Opens a copy that looks at `plan_at` for where to begin.
    fn open_copy(&mut self, task: TaskId, now: Duration, plan_at: Duration) {
        match self.application.open_state(task) {
            Ok(state) => drop(self.copies.insert(task, TaskCopy { plan_at, ..TaskCopy::new(state, now) })),
            Err(error) => tracing::warn!(%task, %error, "no copy of the task's stores can be kept"),
        }
    }

    fn copies_where(&self, is_one: impl Fn(&TaskCopy) -> bool) -> Vec<TaskId> {
        self.copies.iter().filter(|(_, copy)| is_one(copy)).map(|(task, _)| *task).collect()
    }

    /// Opens, closes and saves copies as it is due, and tells how far they are. While a task is being restored they rest.
    pub(super) fn tend_copies(&mut self) -> Result<(), StreamsError> {
        if !self.restoring.is_empty() {
            return Ok(());
        }
        let now = self.application.clock.monotonic();
        self.close_unwanted(now);
        let unplanned = self
            .copies_where(|copy| copy.streams.is_none() && copy.plan_at <= now && copy.unwanted.is_none());
        let mut is_new = !unplanned.is_empty();
        unplanned.into_iter().for_each(|task| self.plan_copy(task, now));
        for task in self.copies_where(|copy| copy.commit_at <= now) {
            is_new |= self.follow_source(task)?;
            let Some(copy) = self.copies.get_mut(&task) else { continue };
            copy.commit_at = now + COMMIT_AFTER;
            if let Err(error) = copy.commit() {
                self.discard(task, &error);
            }
        }
        // A source topic is read as far as it was processed and no further.
        is_new |= self.copies.values().flat_map(TaskCopy::streams).any(|stream| {
            stream.is_source && stream.at >= stream.end && self.consumer.position(&stream.partition).is_some()
        });
        if is_new {
            self.assign()?;
        }
        self.tell_lags();
        Ok(())
    }

    fn close_unwanted(&mut self, now: Duration) {
        let is_over =
            |copy: &TaskCopy| copy.unwanted.is_some_and(|since| now.saturating_sub(since) >= LINGER);
        for task in self.copies_where(is_over) {
            self.close_copy(task);
        }
    }

    fn close_copy(&mut self, task: TaskId) {
        if let Some(copy) = self.copies.remove(&task)
            && let Err(error) = copy.close()
        {
            tracing::warn!(%task, %error, "a copy of the task's stores was not closed in good order");
        }
    }

    /// Finds where a copy has to read on.
    fn plan_copy(&mut self, task: TaskId, now: Duration) {
        match self.copy_streams(task) {
            Ok(streams) => {
                if let Some(copy) = self.copies.get_mut(&task) {
                    copy.streams = Some(streams);
                    tracing::debug!(%task, "a copy of the task's stores is kept");
                }
            }
            Err(StreamsError::Client(ClientError::Unavailable { reason, .. })) => {
                tracing::warn!(%task, reason, "a copy of the task's stores waits for the log");
                if let Some(copy) = self.copies.get_mut(&task) {
                    copy.plan_at = now + PLAN_AGAIN_AFTER;
                }
            }
            Err(error) => self.discard(task, &error),
        }
    }

    /// The changelogs that a copy follows; one whose position they do not hold is thrown away and begins anew.
    fn copy_streams(&mut self, task: TaskId) -> Result<Vec<Stream>, StreamsError> {
        let mut streams = Vec::new();
        let timeout = self.application.request_timeout();
        for Changelog { store, partition, is_source } in self.application.changelogs(task) {
            let marks = match is_source {
                true => self.processed_marks(&partition, &unwanted())?,
                false => self.admin.watermarks(&partition, timeout)?,
            };
            let expires = self.application.changelog_expires(task, store);
            let end = if is_source { marks.stable } else { i64::MAX };
            let Some(copy) = self.copies.get_mut(&task) else { return Ok(Vec::new()) };
            let Some(at) = start(&partition, copy.state.positions()[store], &marks, expires) else {
                self.rebuild(task)?;
                return self.copy_streams(task);
            };
            streams.push(Stream { partition, store, at, end, is_source });
        }
        Ok(streams)
    }

    fn rebuild(&mut self, task: TaskId) -> Result<(), StreamsError> {
        let Some(copy) = self.copies.remove(&task) else { return Ok(()) };
        copy.state.wipe()?;
        let state = self.application.open_local_state(task, false)?;
        let fresh = TaskCopy::new(state, self.application.clock.monotonic());
        self.copies.insert(task, TaskCopy { unwanted: copy.unwanted, ..fresh });
        Ok(())
    }

    /// Source topics in the place of changelogs are read as far as they are processed by now; whether that is further than
    /// before.
    fn follow_source(&mut self, task: TaskId) -> Result<bool, StreamsError> {
        let sources = |copy: &TaskCopy| -> Vec<_> {
            let sources = copy.streams().iter().filter(|stream| stream.is_source);
            sources.map(|stream| stream.partition.clone()).collect()
        };
        let mut is_further = false;
        for partition in self.copies.get(&task).map(sources).unwrap_or_default() {
            let Watermarks { stable, .. } = self.processed_marks(&partition, &unwanted())?;
            let streams = self.copies.get_mut(&task).map(TaskCopy::streams_mut).unwrap_or_default();
            for stream in streams.iter_mut().filter(|stream| stream.partition == partition) {
                is_further |= stream.end < stable;
                stream.end = stream.end.max(stable);
            }
        }
        Ok(is_further)
    }

    /// How many records each copy is behind, for the leader. One whose end is not known has what was known last.
    fn tell_lags(&mut self) {
        let mut lags = BTreeMap::new();
        for (task, copy) in self.copies.iter_mut().filter(|(_, copy)| copy.unwanted.is_none()) {
            let behind = |stream: &Stream| {
                let known = || self.consumer.known_end(&stream.partition);
                let end = if stream.is_source { Some(stream.end) } else { known() };
                end.map(|end| (end - stream.at).max(0))
            };
            let lag = copy.streams.as_ref().and_then(|streams| streams.iter().map(behind).sum());
            copy.lag = lag.or(copy.lag);
            lags.extend(copy.lag.map(|lag| (*task, lag)));
        }
        self.shared.set_copies(lags);
    }

    /// Throws a copy away that cannot go on; it begins again with what is on the disk.
    fn discard(&mut self, task: TaskId, error: &StreamsError) {
        tracing::warn!(%task, %error, "a copy of the task's stores has failed and is opened again");
        self.copies.remove(&task);
        let now = self.application.clock.monotonic();
        self.open_copy(task, now, now + PLAN_AGAIN_AFTER);
    }

    /// Reading has failed: every copy looks again for where it has to read on.
    pub(super) fn copies_failed(&mut self, error: &StreamsError) {
        tracing::warn!(%error, "copies of stores could not be read on, and look for their places again");
        let plan_at = self.application.clock.monotonic() + PLAN_AGAIN_AFTER;
        for task in self.copies_where(|_| true) {
            let Some(copy) = self.copies.get_mut(&task) else { continue };
            match copy.commit() {
                Ok(()) => (copy.streams, copy.plan_at) = (None, plan_at),
                Err(error) => self.discard(task, &error),
            }
        }
        self.application.threads.sleep(PLAN_AGAIN_AFTER);
    }

    /// The instance ends.
    pub(super) fn close_copies(&mut self) {
        for task in self.copies_where(|_| true) {
            self.close_copy(task);
        }
    }
}

/// Nobody waits for a copy: a log that does not answer is asked again later.
fn unwanted() -> RestoreProgress {
    RestoreProgress { is_unwanted: AtomicBool::new(true), ..RestoreProgress::default() }
}
