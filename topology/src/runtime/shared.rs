//! What the threads of an instance tell each other and the outside: the application's state and a snapshot of the tasks.
//! Written rarely (once a second and at changes), so that a lock costs nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StreamsError;
use super::pulse::Pulse;
use super::query::Directory;
use super::status::{
    ApplicationState, NodeStatus, StalledTask, StandbyStatus, Status, TaskPhase, TaskStatus,
};
use crate::record::TaskId;

/// What one thread last told about itself.
#[derive(Default)]
pub(crate) struct ThreadReport {
    pub(crate) tasks: Vec<TaskStatus>,
    pub(crate) nodes: BTreeMap<String, u64>,
    pub(crate) dropped: BTreeMap<&'static str, u64>,
}

type Listener = Box<dyn Fn(ApplicationState, ApplicationState) + Send + Sync>;

/// Shared by all threads of an instance.
pub(crate) struct Shared {
    state: Mutex<(ApplicationState, Option<String>)>,
    reports: Mutex<Vec<ThreadReport>>,
    commits: AtomicU64,
    /// How many records the copies of tasks' stores are behind that are kept here.
    copies: Mutex<BTreeMap<TaskId, i64>>,
    pub(crate) directory: Directory,
    /// Milliseconds of silence after which stream time follows the wall clock; 0 for never.
    idle_after_ms: AtomicU64,
    is_paused: AtomicBool,
    pulses: Mutex<BTreeMap<usize, Arc<Pulse>>>,
    stalled: Mutex<Vec<StalledTask>>,
    listener: Option<Listener>,
}

/// Stream threads that an instance may have in its life, each under a number of its own.
pub(crate) const THREADS_MAX: usize = 64;

impl Shared {
    pub(crate) fn new(threads: usize, listener: Option<Listener>) -> Self {
        Self {
            state: Mutex::new((ApplicationState::Created, None)),
            reports: Mutex::new((0..threads).map(|_| ThreadReport::default()).collect()),
            commits: AtomicU64::new(0),
            copies: Mutex::default(),
            directory: Directory::new(threads.max(THREADS_MAX)),
            idle_after_ms: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            pulses: Mutex::default(),
            stalled: Mutex::default(),
            listener,
        }
    }

    pub(crate) fn advance_when_idle(&self, after: std::time::Duration) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1);
        self.idle_after_ms.store(after, Ordering::Relaxed);
    }

    pub(crate) fn idle_after(&self) -> Option<std::time::Duration> {
        let after = self.idle_after_ms.load(Ordering::Relaxed);
        (after > 0).then(|| std::time::Duration::from_millis(after))
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_copies(&self, lags: BTreeMap<TaskId, i64>) {
        *hold(&self.copies) = lags;
    }

    pub(crate) fn copies(&self) -> BTreeMap<TaskId, i64> {
        hold(&self.copies).clone()
    }

    pub(crate) fn state(&self) -> ApplicationState {
        hold(&self.state).0
    }

    /// Moves to another state where that is a legal step; a final state stays.
    pub(crate) fn enter(&self, next: ApplicationState) {
        let mut state = hold(&self.state);
        let before = state.0;
        if before == next || !legal(before, next) {
            return;
        }
        state.0 = next;
        drop(state);
        tracing::info!(?before, state = ?next, "application state");
        if let Some(listener) = &self.listener {
            listener(before, next);
        }
    }

    /// The application fails because a thread does; the first error is kept. Threads that fail for one reason, such as a
    /// permission that is missing, tell it once.
    pub(crate) fn fail(&self, thread: &'static str, error: &StreamsError) {
        let error = error.to_string();
        let mut state = hold(&self.state);
        if state.1.as_ref() == Some(&error) {
            tracing::debug!(thread, error, "a thread failed, too");
        } else {
            tracing::error!(thread, error, "a thread failed");
        }
        state.1.get_or_insert(error);
        drop(state);
        self.enter(ApplicationState::PendingError);
    }

    pub(crate) fn error(&self) -> Option<String> {
        hold(&self.state).1.clone()
    }

    pub(crate) fn report(&self, thread: usize, report: ThreadReport) {
        let mut reports = hold(&self.reports);
        if reports.len() <= thread {
            reports.resize_with(thread + 1, ThreadReport::default);
        }
        reports[thread] = report;
    }

    pub(crate) fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Relaxed);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// The pulse of a thread that begins, or nothing of one that has ended.
    pub(crate) fn set_pulse(&self, thread: usize, pulse: Option<Arc<Pulse>>) {
        let mut pulses = hold(&self.pulses);
        match pulse {
            Some(pulse) => drop(pulses.insert(thread, pulse)),
            None => drop(pulses.remove(&thread)),
        }
    }

    pub(crate) fn pulses(&self) -> BTreeMap<usize, Arc<Pulse>> {
        hold(&self.pulses).clone()
    }

    pub(crate) fn each_task(&self, look: impl FnMut(&TaskStatus)) {
        hold(&self.reports).iter().flat_map(|report| &report.tasks).for_each(look);
    }

    pub(crate) fn set_stalled(&self, stalled: Vec<StalledTask>) {
        *hold(&self.stalled) = stalled;
    }

    pub(crate) fn status(&self, application: &str, instance: &str, uptime_ms: u64) -> Status {
        let (state, error) = hold(&self.state).clone();
        let reports = hold(&self.reports);
        let mut nodes = BTreeMap::<&str, u64>::new();
        let mut dropped = BTreeMap::<&str, u64>::new();
        for report in reports.iter() {
            for (name, count) in &report.nodes {
                *nodes.entry(name).or_default() += count;
            }
            for (reason, count) in &report.dropped {
                *dropped.entry(reason).or_default() += count;
            }
        }
        let mut tasks: Vec<TaskStatus> =
            reports.iter().flat_map(|report| report.tasks.iter().cloned()).collect();
        tasks.sort_by(|a, b| a.id.cmp(&b.id));
        Status {
            application: application.to_owned(),
            instance: instance.to_owned(),
            state,
            error,
            uptime_ms,
            is_paused: self.is_paused(),
            stalled: hold(&self.stalled).clone(),
            tasks,
            standbys: hold(&self.copies)
                .iter()
                .map(|(task, lag)| StandbyStatus { id: task.to_string(), lag: *lag })
                .collect(),
            nodes: nodes
                .into_iter()
                .map(|(name, processed)| NodeStatus { name: name.into(), processed })
                .collect(),
            dropped: dropped.into_iter().map(|(reason, count)| (reason.into(), count)).collect(),
        }
    }

    /// How many tasks process records.
    pub(crate) fn running_tasks(&self) -> usize {
        let reports = hold(&self.reports);
        let tasks = reports.iter().flat_map(|report| &report.tasks);
        tasks.filter(|task| task.phase == TaskPhase::Running).count()
    }
}

/// A panic of another thread while it held the lock left plain data behind, which is as good as before.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The transitions of Kafka Streams' state machine:
///
/// ```text
/// CREATED → REBALANCING ⇄ RUNNING → PENDING_SHUTDOWN → NOT_RUNNING
///                 └──────────┴────→ PENDING_ERROR → ERROR
/// ```
fn legal(from: ApplicationState, to: ApplicationState) -> bool {
    use ApplicationState as S;
    matches!(
        (from, to),
        (S::Created, S::Rebalancing | S::PendingShutdown | S::PendingError)
            | (S::Rebalancing, S::Running | S::PendingShutdown | S::PendingError)
            | (S::Running, S::Rebalancing | S::PendingShutdown | S::PendingError)
            | (S::PendingShutdown, S::NotRunning | S::PendingError)
            | (S::PendingError, S::Error)
    )
}
