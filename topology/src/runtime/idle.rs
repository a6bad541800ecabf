//! Time that moves on when input stops: a task whose partitions are read to their ends and silent for long enough takes
//! the wall clock for its stream time, so that its windows close. Only where the user asked for it.

use std::time::Duration;

use super::error::StreamsError;
use super::thread::{Running, StreamThread};
use crate::client::ClientError;
use crate::time::millis;

/// Since when a task has had nothing to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    since: Option<Duration>,
    processed: u64,
    /// The log itself has said that there is nothing more: what a consumer knows of an end may be old, most of all while
    /// the log is slow or away.
    is_sure: bool,
}

impl StreamThread {
    pub(super) fn advance_idle(&mut self) -> Result<(), StreamsError> {
        let Some(after) = self.shared.idle_after() else { return Ok(()) };
        let (now, wall) = (self.application.clock.monotonic(), self.application.clock.wall());
        for index in 0..self.tasks.len() {
            let quiet = self.is_quiet(index);
            let Running { task, idle, .. } = &mut self.tasks[index];
            if !quiet || idle.processed != task.processed {
                *idle = Idle { since: quiet.then_some(now), processed: task.processed, is_sure: false };
                continue;
            }
            let since = *idle.since.get_or_insert(now);
            if now.saturating_sub(since) >= after {
                if !idle.is_sure && !self.is_at_end(index)? {
                    self.tasks[index].idle.since = None;
                    continue;
                }
                let Running { task, idle, .. } = &mut self.tasks[index];
                idle.is_sure = true;
                task.env.wall = wall;
                task.advance(wall.minus_millis(millis(after)))?;
                self.send_outputs(index)?;
            }
        }
        Ok(())
    }

    /// Whether everything that lies in the task's partitions has been processed.
    fn is_quiet(&self, index: usize) -> bool {
        let Running { task, .. } = &self.tasks[index];
        let group = &task.group;
        task.env.unfinished.count() == 0
            && group.queues.iter().all(|queue| {
                let at = self.consumer.position(&queue.partition);
                let end = self.consumer.known_end(&queue.partition);
                queue.len() == 0 && at.zip(end).is_some_and(|(at, end)| at >= end)
            })
    }

    /// Whether the log holds nothing that a task has not read. One that does not answer may hold something.
    fn is_at_end(&self, index: usize) -> Result<bool, StreamsError> {
        let timeout = self.application.request_timeout();
        let mut admin = self.application.log.admin()?;
        for queue in &self.tasks[index].task.group.queues {
            let marks = match admin.watermarks(&queue.partition, timeout) {
                Err(ClientError::Unavailable { .. }) => return Ok(false),
                answer => answer?,
            };
            let end = if self.application.exactly_once() { marks.stable } else { marks.high };
            if self.consumer.position(&queue.partition).is_none_or(|at| at < end) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
