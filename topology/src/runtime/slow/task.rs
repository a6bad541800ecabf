//! What a task does about its slow nodes: forwards what they have finished, tells whether it may take more, and which
//! offsets may be committed. Must not know the other tasks of its thread.

use crate::error::ProcessError;
use crate::runtime::planted::{Bug, planted};
use crate::runtime::task::{Task, TaskFault, dead_letter};

impl Task {
    /// Forwards what slow nodes have finished.
    pub(crate) fn pump(&mut self) -> Result<(), TaskFault> {
        if self.env.unfinished.count() == 0 {
            return Ok(());
        }
        let result = self.guarded(|task| task.arena.pump(&mut task.env).map_err(|error| task.fault(error)));
        for (source, held, error) in self.env.unfinished.take_dead() {
            self.write_dead_letter(source, held.raw(), &error);
        }
        result
    }

    fn write_dead_letter(&mut self, source: usize, raw: crate::record::RawRecord<'_>, error: &ProcessError) {
        let partition = &self.group.queues[source].partition;
        let cause = error.cause().to_string();
        dead_letter(&mut self.env, self.dead_letters, partition, raw, &cause, error.node());
    }

    /// Keeps the bytes of the record in process, which has become unfinished, as long as it may become a dead letter.
    #[cold]
    pub(in crate::runtime) fn hold_for_dead_letter(&mut self, queue: usize) {
        if self.dead_letters.is_some()
            && let Some(raw) = self.group.queues[queue].head()
        {
            self.env.unfinished.hold(queue, raw);
        }
    }

    /// How far a partition may be committed: never behind a record that is unfinished.
    pub(in crate::runtime) fn finished_up_to(&self, queue: usize, position: i64) -> i64 {
        if planted(Bug::UnfinishedCommitted) {
            return position;
        }
        self.env.unfinished.lowest(queue).map_or(position, |lowest| lowest.min(position))
    }

    /// Whether a record may be processed now.
    pub(in crate::runtime) fn is_ready(&self) -> bool {
        !self.env.unfinished.blocks() && self.group.is_ready()
    }

    /// Whether slow work keeps the task from taking records.
    pub(crate) fn is_blocked(&self) -> bool {
        self.env.unfinished.blocks()
    }

    /// Whether offsets may be committed up to the lowest unfinished record while others are under way: only where nothing
    /// but the offsets would be committed of those behind it.
    pub(in crate::runtime) fn may_hold_offsets(&self) -> bool {
        self.changelogs.is_empty()
    }

    /// Forwards what caches have gathered above slow nodes, so that it is finished before the commit; whether all is.
    pub(in crate::runtime) fn is_whole(&mut self) -> Result<bool, TaskFault> {
        if self.env.unfinished.is_used() && self.env.unfinished.count() == 0 {
            let result = self.arena.flush(&mut self.env);
            result.map_err(|error| TaskFault::Process { task: self.id, error })?;
        }
        Ok(self.env.unfinished.count() == 0)
    }

    /// Works until the task may take records again, on the caller's thread: for test drivers and backtests.
    pub(crate) fn work_off(&mut self) -> Result<(), TaskFault> {
        while self.is_blocked() {
            self.pump()?;
            if self.is_blocked() {
                self.env.unfinished.workplace.rest();
            }
        }
        Ok(())
    }

    /// Works until nothing is unfinished, on the caller's thread: for test drivers and backtests.
    pub(crate) fn finish_slow_work(&mut self) -> Result<(), TaskFault> {
        while !self.is_whole()? {
            self.pump()?;
            if self.env.unfinished.count() > 0 {
                self.env.unfinished.workplace.rest();
            }
        }
        Ok(())
    }
}
