//! What an instance is given in place of the operating system and of a plain log: threads that are actors, a clock that
//! is the stage's, and the scheduler of its log.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{Call, EmbeddedLog, Fate, Group, Log, Scheduler, Seen, SimLog};
use candlewick::{Clock, Spawned, Threads, Timestamp, millis};

use crate::stage::{self, Wake, on};

/// The time of the stage.
pub(crate) struct StageClock;

impl Clock for StageClock {
    fn wall(&self) -> Timestamp {
        on(|stage| Timestamp(stage.wall_start + millis(stage.now)))
    }

    fn monotonic(&self) -> Duration {
        on(|stage| stage.now)
    }
}

/// The threads of one instance.
pub(crate) struct StageThreads {
    pub(crate) instance: usize,
}

/// An actor, as the one who began it sees it.
struct Handle {
    id: usize,
}

impl Threads for StageThreads {
    fn spawn(&self, name: String, run: Box<dyn FnOnce() + Send>) -> io::Result<Box<dyn Spawned>> {
        let id = on(|stage| stage.spawn(self.instance, name, run));
        Ok(Box::new(Handle { id }))
    }

    fn sleep(&self, duration: Duration) {
        let until = on(|stage| stage.now) + duration;
        stage::rest(until, Wake::Nothing);
    }

    fn wait(&self, timeout: Option<Duration>, is_ready: &mut dyn FnMut() -> bool) -> bool {
        let until = timeout.map_or(Duration::MAX, |timeout| on(|stage| stage.now) + timeout);
        let mut wake = Wake::Peers;
        while !is_ready() && on(|stage| stage.now) < until && !std::thread::panicking() {
            stage::rest(until, wake);
            wake = Wake::PeersAgain;
        }
        true
    }
}

impl Spawned for Handle {
    fn is_finished(&self) -> bool {
        on(|stage| stage.actors[self.id].is_over)
    }

    fn join(self: Box<Self>) {
        let mut wake = Wake::Peers;
        while !self.is_finished() && !std::thread::panicking() {
            stage::rest(Duration::MAX, wake);
            wake = Wake::PeersAgain;
        }
    }
}

/// Decides for the calls of one instance.
struct Calls {
    instance: usize,
}

impl Scheduler for Calls {
    fn before(&self, call: Call) -> Fate {
        stage::call(call, false)
    }

    fn after(&self, call: Call) {
        stage::call(call, true);
    }

    fn wait(&self, until: Duration) {
        stage::rest(until, Wake::Log);
    }

    fn now(&self) -> Duration {
        on(|stage| stage.now)
    }

    fn changed(&self) {
        on(crate::stage::Stage::log_changed);
    }

    fn chance(&self, bound: usize) -> usize {
        on(|stage| stage.chance.place(bound))
    }

    fn see(&self, seen: Seen<'_>) {
        if let Seen::Registered(id) = seen {
            on(|stage| stage.ids.insert(id.to_owned(), self.instance));
            return;
        }
        // The log asks for the time while it is read, so the stage is not held meanwhile.
        let Some(mut watch) = on(|stage| stage.watch.take()) else { return };
        let found = match seen {
            Seen::Committed(offsets) => watch.committed(offsets),
            Seen::Deleted(before) => watch.deleted(before),
            Seen::Registered(_) => Ok(()),
        };
        on(|stage| {
            stage.watch = Some(watch);
            if let Err(reason) = found {
                stage.fail(reason);
            }
        });
    }

    fn bury(&self, group: Box<dyn Group>) -> Option<Box<dyn Group>> {
        on(|stage| {
            if stage.instances[self.instance].is_dead {
                stage.graveyard.push(group);
                return None;
            }
            Some(group)
        })
    }
}

/// The log as this instance reaches it.
pub(crate) fn log_of(log: &Arc<EmbeddedLog>, instance: usize) -> Arc<dyn Log> {
    SimLog::new(Arc::clone(log), Arc::new(Calls { instance }))
}
