//! Looks whether tasks get on: a thread that stays inside one call of user code ends its instance, so that others can take
//! over; a task that has records and does not move is told. Owns since when; must not know what is done about it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::StreamsError;
use super::shared::Shared;
use super::status::{StalledTask, TaskPhase, TaskStatus};

/// Between two looks.
const LOOK_AFTER: Duration = Duration::from_millis(200);

/// What was seen last, and since when it is so.
#[derive(Default)]
pub(super) struct Watchdog {
    looked: Duration,
    /// The calls that threads are in.
    calls: BTreeMap<usize, (u64, Duration)>,
    /// Where tasks stand that have something to do.
    waiting: BTreeMap<String, (i64, Duration)>,
}

impl Watchdog {
    /// `limit` is how long one call, or standing still, may last.
    pub(super) fn look(
        &mut self,
        now: Duration,
        shared: &Shared,
        limit: Duration,
    ) -> Result<(), StreamsError> {
        if now.saturating_sub(self.looked) < LOOK_AFTER.min(limit / 4) {
            return Ok(());
        }
        self.looked = now;
        for (thread, pulse) in shared.pulses() {
            let Some((call, task)) = pulse.inside() else {
                self.calls.remove(&thread);
                continue;
            };
            let (seen, since) = self.calls.entry(thread).or_insert((call, now));
            if *seen != call {
                (*seen, *since) = (call, now);
            }
            if now.saturating_sub(*since) >= limit {
                return Err(StreamsError::Wedged { task: task.to_string(), thread, limit });
            }
        }
        let is_paused = shared.is_paused();
        let mut stalled = Vec::new();
        shared.each_task(|task| match to_do(task).filter(|_| !is_paused) {
            Some((lag, at)) => {
                let (seen, since) = self.waiting.entry(task.id.clone()).or_insert((at, now));
                if *seen != at {
                    (*seen, *since) = (at, now);
                }
                let stands = now.saturating_sub(*since);
                if stands >= limit {
                    let for_ms = u64::try_from(stands.as_millis()).unwrap_or(u64::MAX);
                    stalled.push(StalledTask { task: task.id.clone(), lag, for_ms });
                }
            }
            None => drop(self.waiting.remove(&task.id)),
        });
        shared.set_stalled(stalled);
        Ok(())
    }
}

/// How many records a task has before it, and how far it is; nothing where it has none, or does not run yet.
fn to_do(task: &TaskStatus) -> Option<(i64, i64)> {
    let lag: i64 = task.partitions.iter().filter_map(|partition| partition.lag()).sum();
    let at = task.partitions.iter().filter_map(|partition| partition.position).sum();
    (task.phase == TaskPhase::Running && lag > 0).then_some((lag, at))
}
