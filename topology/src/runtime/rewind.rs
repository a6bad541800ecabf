//! How a stream thread goes back to its last commit. Exactly once, nothing that came after it counts. At least once, what was
//! logged after it stays in the log: the stores go back behind their changelogs, and are as far again when the same records
//! are processed again. Must not know why somebody goes back.

use std::collections::BTreeMap;

use super::error::StreamsError;
use super::planted::{Bug, planted};
use super::restore::Work;
use super::task::Task;
use super::thread::{Running, StreamThread};
use crate::client::{ProducerError, StartAt};
use crate::record::TopicPartition;

impl StreamThread {
    /// Ends the open transaction without effect. A producer that cannot any more is as good as fenced: its successor
    /// ends the transaction when it registers.
    pub(super) fn abort(&mut self) -> Result<(), ProducerError> {
        let timeout = self.application.request_timeout();
        while self.in_transaction {
            match self.producer.abort_transaction(timeout) {
                Ok(()) => self.in_transaction = false,
                Err(ProducerError::Timeout { operation }) => {
                    tracing::warn!(operation, "waiting for the log to abort a transaction");
                }
                Err(ProducerError::Fatal { reason }) => {
                    tracing::warn!(
                        thread = self.index,
                        reason,
                        "the producer could not abort: it is replaced"
                    );
                    return Err(ProducerError::Fenced);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Goes back to the last commit: the open transaction is aborted, stores forget what came after it, nodes begin
    /// anew, and reading starts again at the committed offsets. Nothing is wiped.
    pub(super) fn rewind(&mut self) -> Result<(), StreamsError> {
        self.abort()?;
        self.drains_since = None;
        if planted(Bug::NoRewind) {
            return Ok(());
        }
        let wall = self.application.clock.wall();
        self.restore_overtaken()?;
        for index in 0..self.tasks.len() {
            let running = self.tasks.swap_remove(index);
            let Running { mut task, collector, committed, mut redo, idle, grant } = running;
            if !self.application.exactly_once() {
                note_reached(&task, &committed, &mut redo);
            }
            let (id, failures) = (task.id, std::mem::take(&mut task.failures));
            let mut state = task.into_state();
            if !planted(Bug::NoRollback) {
                state.rollback()?;
            }
            let mut task = self.application.make_task(id, state);
            task.failures = failures;
            let partitions = task.group.partitions();
            for (partition, found) in partitions.iter().zip(self.committed(&partitions)?) {
                let known = committed.get(partition).copied();
                let found = found.filter(|found| known.is_some_and(|known| found.offset <= known));
                if let Some(found) = &found {
                    task.recall(partition, found);
                }
                // Where it began, if nothing was committed: the end may have moved on since.
                let start = match known {
                    Some(offset) => StartAt::Offset(offset),
                    None => self.reset(partition)?,
                };
                self.consumer.seek(partition, start)?;
                self.consumer.resume(std::slice::from_ref(partition))?;
            }
            task.init(wall)?;
            self.tasks.push(Running { task, collector, committed, redo, idle, grant });
            let last = self.tasks.len() - 1;
            self.tasks.swap(index, last);
        }
        Ok(())
    }

    /// Restores what the group's offsets have overtaken. At least once, a commit whose answer was lost counts in the group and
    /// is not known here. Going back behind it would write older rows into the changelogs than those that the offsets stand for,
    /// and whoever took the task over meanwhile would lack what lies between.
    fn restore_overtaken(&mut self) -> Result<(), StreamsError> {
        if self.application.exactly_once() {
            return Ok(());
        }
        let count = self.tasks.len();
        for index in (0..count).rev() {
            if !self.is_overtaken(index)? {
                continue;
            }
            let Running { task, grant, .. } = self.tasks.remove(index);
            tracing::info!(task = %grant.task, "a commit of unknown outcome counts: the task is restored behind it");
            let mut state = task.into_state();
            state.rollback()?;
            self.ask_updater(Work::Retire(grant.task, state))?;
            self.begin(grant)?;
        }
        if self.tasks.len() < count { self.continue_with_rest() } else { Ok(()) }
    }

    fn is_overtaken(&mut self, index: usize) -> Result<bool, StreamsError> {
        let partitions = self.tasks[index].task.group.partitions();
        let found = self.committed(&partitions)?;
        let known = &self.tasks[index].committed;
        Ok(partitions.iter().zip(found).any(|(partition, found)| {
            found.is_some_and(|found| known.get(partition).is_none_or(|known| found.offset > *known))
        }))
    }
}

/// Notes how far a task has come behind its last commit, whose records are in the log for good: at least once, nothing
/// takes them back.
fn note_reached(
    task: &Task,
    committed: &BTreeMap<TopicPartition, i64>,
    redo: &mut BTreeMap<TopicPartition, i64>,
) {
    for queue in &task.group.queues {
        let Some(reached) = queue.position else { continue };
        if committed.get(&queue.partition).is_none_or(|known| *known < reached) {
            let to = redo.entry(queue.partition.clone()).or_insert(reached);
            *to = reached.max(*to);
        }
    }
}
