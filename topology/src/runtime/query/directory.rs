//! Where each task is, for queries: its reader when it runs here, its owner's endpoint when it runs elsewhere, and when
//! each thread committed last. Written when tasks come and go and at commits; must not know what is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::record::TaskId;
use crate::state::StateReader;

/// A task that runs here.
#[derive(Clone)]
pub(crate) struct LocalTask {
    pub(crate) id: TaskId,
    pub(crate) thread: usize,
    pub(crate) reader: StateReader,
}

/// The tasks that other instances own, with where those answer.
pub(crate) type Elsewhere = BTreeMap<TaskId, Option<String>>;

/// What queries find tasks by. Every lock in it is held for a moment, and taken by a stream thread only when its tasks
/// change or when it commits.
pub(crate) struct Directory {
    local: Mutex<Arc<[LocalTask]>>,
    elsewhere: Mutex<Arc<Elsewhere>>,
    threads: Vec<Commits>,
}

/// The commits of one thread; moments are nanoseconds of the monotonic clock.
#[derive(Default)]
struct Commits {
    /// The state is to contain everything that was processed before this moment.
    wanted: AtomicU64,
    /// It contains everything that was processed before this one.
    last: AtomicU64,
    /// Held while `last` changes.
    turn: Mutex<()>,
    done: Condvar,
}

impl Directory {
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            local: Mutex::new(Arc::new([])),
            elsewhere: Mutex::default(),
            threads: (0..threads).map(|_| Commits::default()).collect(),
        }
    }

    /// These are the tasks that `thread` runs now, no others.
    pub(crate) fn set_local(&self, thread: usize, tasks: impl Iterator<Item = (TaskId, StateReader)>) {
        let mut local = hold(&self.local);
        let others = local.iter().filter(|task| task.thread != thread).cloned();
        let mut all: Vec<LocalTask> =
            others.chain(tasks.map(|(id, reader)| LocalTask { id, thread, reader })).collect();
        all.sort_by_key(|task| task.id);
        *local = all.into();
    }

    pub(crate) fn set_elsewhere(&self, elsewhere: Elsewhere) {
        *hold(&self.elsewhere) = Arc::new(elsewhere);
    }

    pub(crate) fn local(&self) -> Arc<[LocalTask]> {
        Arc::clone(&hold(&self.local))
    }

    pub(crate) fn elsewhere(&self) -> Arc<Elsewhere> {
        Arc::clone(&hold(&self.elsewhere))
    }

    /// Whether a query waits for this thread's next commit.
    pub(crate) fn wants_commit(&self, thread: usize) -> bool {
        let commits = &self.threads[thread];
        commits.wanted.load(Ordering::Relaxed) > commits.last.load(Ordering::Relaxed)
    }

    /// Everything that this thread had processed before `when` is committed.
    pub(crate) fn committed(&self, thread: usize, when: Duration) {
        let commits = &self.threads[thread];
        let turn = hold(&commits.turn);
        commits.last.store(nanoseconds(when), Ordering::Relaxed);
        drop(turn);
        commits.done.notify_all();
    }

    /// Waits until everything is committed that this thread had processed before `since`, for `patience` at most; whether
    /// it is.
    pub(crate) fn await_commit(&self, thread: usize, since: Duration, patience: Duration) -> bool {
        let (commits, since) = (&self.threads[thread], nanoseconds(since));
        let is_old = |(): &mut ()| commits.last.load(Ordering::Relaxed) < since;
        let mut turn = hold(&commits.turn);
        if !is_old(&mut turn) {
            return true;
        }
        commits.wanted.fetch_max(since, Ordering::Relaxed);
        let waited = commits.done.wait_timeout_while(turn, patience, is_old);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

fn nanoseconds(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

/// A panic of another thread while it held the lock left plain data behind, which is as good as before.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wish_is_fulfilled_by_a_commit_that_began_behind_it_and_by_no_earlier_one() {
        let directory = Directory::new(2);
        directory.committed(0, SECOND);
        assert!(directory.await_commit(0, SECOND, Duration::ZERO), "it is young enough");
        assert!(!directory.wants_commit(0));
        assert!(!directory.await_commit(0, 2 * SECOND, Duration::ZERO));
        assert!(directory.wants_commit(0) && !directory.wants_commit(1));
        // One that was under way when the wish came.
        directory.committed(0, SECOND + SECOND / 2);
        assert!(directory.wants_commit(0), "what was wished for has not come");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| directory.await_commit(0, 2 * SECOND, 30 * SECOND));
            directory.committed(0, 2 * SECOND);
            assert!(waiting.join().expect("it does not panic"));
        });
        assert!(!directory.wants_commit(0));
    }

    #[test]
    fn a_thread_replaces_its_own_tasks_alone() {
        let directory = Directory::new(2);
        let task = |n| TaskId { sub_topology: 0, partition: crate::record::Partition(n) };
        let reader = || StateReader::new(std::iter::empty());
        directory.set_local(0, [task(2), task(0)].map(|id| (id, reader())).into_iter());
        directory.set_local(1, [(task(1), reader())].into_iter());
        directory.set_local(0, [(task(3), reader())].into_iter());
        let found: Vec<(TaskId, usize)> =
            directory.local().iter().map(|task| (task.id, task.thread)).collect();
        assert_eq!(found, [(task(1), 1), (task(3), 0)]);
    }
}
