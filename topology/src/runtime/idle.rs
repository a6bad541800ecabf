//! Time that moves on when input stops: a task whose partitions are read to their ends and silent for long enough takes
//! the wall clock for its stream time, so that its windows close. Only where the user asked for it.

use std::time::Duration;

use super::error::StreamsError;
use super::thread::{Running, StreamThread};
use crate::time::millis;

/// Since when a task has had nothing to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    since: Option<Duration>,
    processed: u64,
}

impl StreamThread {
    pub(super) fn advance_idle(&mut self) -> Result<(), StreamsError> {
        let Some(after) = self.shared.idle_after() else { return Ok(()) };
        let (now, wall) = (self.application.clock.monotonic(), self.application.clock.wall());
        for index in 0..self.tasks.len() {
            let quiet = self.is_quiet(index);
            let Running { task, idle, .. } = &mut self.tasks[index];
            if !quiet || idle.processed != task.processed {
                *idle = Idle { since: quiet.then_some(now), processed: task.processed };
                continue;
            }
            let since = *idle.since.get_or_insert(now);
            if now.saturating_sub(since) >= after {
                task.env.wall = wall;
                task.advance(wall.minus_millis(millis(after)))?;
                self.send_outputs(index)?;
            }
        }
        Ok(())
    }

    /// Whether everything that lies in the task's partitions has been processed.
    fn is_quiet(&self, index: usize) -> bool {
        let group = &self.tasks[index].task.group;
        group.queues.iter().all(|queue| {
            let at = self.consumer.position(&queue.partition);
            let end = self.consumer.known_end(&queue.partition);
            queue.len() == 0 && at.zip(end).is_some_and(|(at, end)| at >= end)
        })
    }
}
