//! What a task of several partitions waits for before it processes: a partition that is empty here and not in the log may
//! hold a record of a lower time, so that records of joined inputs are taken in the order of their times whichever the
//! log hands over first (KIP-695). Must not know what the records mean.

use std::time::Duration;

use super::partition_group::PartitionGroup;
use super::thread::StreamThread;
use crate::client::Consumer;
use crate::time::duration;

/// How long a poll waits for a partition that others wait for: its end may be met without a record.
pub(super) const AWAITED_POLL: Duration = Duration::from_millis(5);

impl StreamThread {
    /// Looks anew which empty partitions are awaited.
    pub(super) fn look_for_lag(&mut self) {
        let now = self.application.clock.monotonic();
        let idle_ms = self.application.config.max_task_idle_ms;
        for running in &mut self.tasks {
            look(&mut running.task.group, &*self.consumer, idle_ms, now);
        }
    }
}

/// `idle_ms` is how long a task waits for more in a partition that is read to its end; negative: it never waits at all.
fn look(group: &mut PartitionGroup, consumer: &dyn Consumer, idle_ms: i64, now: Duration) {
    if group.queues.len() == 1 {
        return;
    }
    for queue in &mut group.queues {
        let is_caught_up = || {
            let (at, end) = (consumer.position(&queue.partition), consumer.known_end(&queue.partition));
            at.zip(end).is_some_and(|(at, end)| at >= end)
        };
        queue.caught_up_since = match queue.len() {
            0 if is_caught_up() => Some(queue.caught_up_since.unwrap_or(now)),
            _ => None,
        };
        let waited =
            queue.caught_up_since.is_some_and(|since| now.saturating_sub(since) >= duration(idle_ms));
        queue.is_awaited = idle_ms >= 0 && !waited;
    }
}
