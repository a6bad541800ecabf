//! How a stream thread takes tasks and gives them up. The order is what the protocol between instances stands on: a task
//! is said to be given up only when its last commit or abort has returned and its stores are on their way back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::collector::Collector;
use super::error::StreamsError;
use super::idle::Idle;
use super::membership::Grant;
use super::planted::{Bug, planted};
use super::restore::{RestoreProgress, RestoreRequest, Work};
use super::task::Task;
use super::task::TaskFault;
use super::thread::{Awaited, Running, StreamThread, new_producer};
use crate::client::{ClientError, ProducerError, StartAt};
use crate::plan::AutoOffsetReset;
use crate::record::TopicPartition;

impl StreamThread {
    /// Asks for a task's stores.
    pub(super) fn begin(&mut self, grant: Grant) -> Result<(), StreamsError> {
        tracing::debug!(task = %grant.task, "task granted");
        let progress = Arc::new(RestoreProgress::default());
        self.restoring.insert(grant.task, Awaited { progress: Arc::clone(&progress), grant });
        let request = RestoreRequest { task: grant.task, progress, reply: self.restored.0.clone() };
        self.ask_updater(Work::Restore(request))
    }

    pub(super) fn ask_updater(&self, work: Work) -> Result<(), StreamsError> {
        let gone =
            ClientError::Fatal { operation: "restore", reason: "the restoring thread has ended".into() };
        self.updater.send(work).map_err(|_| gone.into())
    }

    /// Starts what is whole; what was taken away meanwhile is closed, and only then given up.
    pub(super) fn take_restored(&mut self) -> Result<(), StreamsError> {
        let mut whole = Vec::new();
        while let Ok(restored) = self.restored.1.try_recv() {
            let Some(Awaited { progress, grant }) = self.restoring.remove(&restored.task) else { continue };
            let is_unwanted = progress.is_unwanted.load(Ordering::Relaxed);
            let state = match restored.state {
                Err(error) if is_unwanted => {
                    // Whoever has the task now restores it anew.
                    tracing::debug!(task = %restored.task, %error, "a task that was taken away was not restored");
                    self.say_given_up(grant);
                    continue;
                }
                state => state?,
            };
            tracing::debug!(task = %restored.task, "task restored");
            if is_unwanted {
                self.ask_updater(Work::Retire(restored.task, state))?;
                self.say_given_up(grant);
            } else {
                whole.push((self.application.make_task(restored.task, state), grant));
            }
        }
        if whole.is_empty() { Ok(()) } else { self.start(whole) }
    }

    /// Brings restored tasks to their committed offsets and lets them run.
    fn start(&mut self, tasks: Vec<(Task, Grant)>) -> Result<(), StreamsError> {
        let wall = self.application.clock.wall();
        let mut starts = self.continuing();
        for (mut task, grant) in tasks {
            let partitions = task.group.partitions();
            let mut committed = BTreeMap::new();
            for (partition, found) in partitions.iter().zip(self.committed(&partitions)?) {
                let start = match found {
                    Some(found) => {
                        task.recall(partition, &found);
                        StartAt::Offset(found.offset)
                    }
                    None => self.reset(partition)?,
                };
                if let StartAt::Offset(offset) = start {
                    committed.insert(partition.clone(), offset);
                }
                starts.push((partition.clone(), start));
            }
            let collector = Collector::new(&task.env, &mut *self.producer)?;
            task.init(wall)?;
            tracing::info!(task = %task.id, thread = self.index, "task running");
            let (redo, idle) = (BTreeMap::new(), Idle::default());
            self.tasks.push(Running { task, collector, committed, redo, idle, grant });
        }
        self.assign(&starts)?;
        self.show();
        Ok(())
    }

    /// Lets queries and status pages see which tasks run here.
    fn show(&self) {
        let tasks = self.tasks.iter().map(|running| (running.task.id, running.task.env.state.reader()));
        self.shared.directory.set_local(self.index, tasks);
        self.report();
    }

    /// Where reading starts without a committed offset. The end is told as an offset, so that it stays where it is.
    pub(super) fn reset(&self, partition: &TopicPartition) -> Result<StartAt, StreamsError> {
        let since = match self.application.offset_reset(&partition.topic) {
            // Asks nobody: a client made for a question costs a tenth of a second.
            AutoOffsetReset::Earliest => return Ok(StartAt::Beginning),
            AutoOffsetReset::None => {
                return Err(StreamsError::NoOffset { partition: partition.to_string() });
            }
            AutoOffsetReset::Latest => None,
            AutoOffsetReset::ByDuration(ago) => Some(ago),
        };
        let timeout = self.application.request_timeout();
        let mut admin = self.application.log.admin()?;
        let found = match since {
            Some(ago) => {
                let since = self.application.clock.wall().minus_millis(crate::time::millis(ago));
                admin.offset_for_time(partition, since, timeout)?
            }
            None => None,
        };
        match found {
            Some(offset) => Ok(StartAt::Offset(offset)),
            None => Ok(StartAt::Offset(admin.watermarks(partition, timeout)?.stable)),
        }
    }

    /// The partitions already read, from where they are.
    fn continuing(&self) -> Vec<(TopicPartition, StartAt)> {
        let mut starts = Vec::new();
        for queue in self.tasks.iter().flat_map(|running| &running.task.group.queues) {
            let start = self.consumer.position(&queue.partition).map_or(StartAt::Beginning, StartAt::Offset);
            starts.push((queue.partition.clone(), start));
        }
        starts
    }

    /// Reads these partitions; those whose queues are full stay paused.
    fn assign(&mut self, starts: &[(TopicPartition, StartAt)]) -> Result<(), StreamsError> {
        self.consumer.assign(starts)?;
        let queues = self.tasks.iter().flat_map(|running| &running.task.group.queues);
        let paused: Vec<TopicPartition> =
            queues.filter(|queue| queue.paused).map(|queue| queue.partition.clone()).collect();
        if !paused.is_empty() {
            self.consumer.pause(&paused)?;
        }
        Ok(())
    }

    /// Commits, or goes back when that is refused, and gives these tasks up.
    pub(super) fn revoke(&mut self, grants: &[Grant]) -> Result<(), StreamsError> {
        if planted(Bug::GivenUpBeforeCommit) {
            grants.iter().for_each(|grant| self.say_given_up(*grant));
        }
        match self.finish_before_handover(grants).and_then(|()| self.commit_all()) {
            Err(StreamsError::Producer(error @ (ProducerError::Fenced | ProducerError::Unsettled))) => {
                self.replace_producer(&error)?;
            }
            Err(StreamsError::Task(fault @ TaskFault::Again { .. })) => self.again(&fault)?,
            other => other?,
        }
        self.give_up(grants)?;
        self.continue_with_rest()
    }

    /// Forgets these tasks. Exactly once, one transaction holds what all tasks of the thread did: the others go back as well.
    pub(super) fn lose(&mut self, grants: &[Grant]) -> Result<(), StreamsError> {
        if planted(Bug::LostTaskKept) {
            self.tasks.iter_mut().for_each(|running| running.grant.losses += 1);
            grants.iter().for_each(|grant| self.say_given_up(*grant));
            return Ok(());
        }
        match self.abort() {
            Err(error @ (ProducerError::Fenced | ProducerError::Unsettled)) => {
                self.replace_producer(&error)?
            }
            other => other?,
        }
        self.give_up(grants)?;
        self.continue_with_rest()?;
        if self.application.exactly_once() { self.rewind() } else { Ok(()) }
    }

    /// The log has ended this producer: its instance was taken for gone, its transaction took too long, or a broker went away
    /// while one ended. Nothing that is not committed counts any more, and the tasks may be somebody else's: they are given
    /// up, and are granted anew if they are still ours.
    pub(super) fn replace_producer(&mut self, error: &ProducerError) -> Result<(), StreamsError> {
        if planted(Bug::FencedProducerReused) {
            return self.rewind();
        }
        tracing::warn!(thread = self.index, %error, "the producer is replaced: its tasks are given up");
        self.in_transaction = false;
        let grants: Vec<Grant> = self.tasks.iter().map(|running| running.grant).collect();
        self.producer = new_producer(&self.application, self.index)?;
        self.give_up(&grants)?;
        self.continue_with_rest()
    }

    /// Gives tasks back as they were at their last commit, and says so. Those that are being restored follow when their stores
    /// are back; those that are not here were given up before.
    fn give_up(&mut self, grants: &[Grant]) -> Result<(), StreamsError> {
        for &grant in grants {
            if let Some(awaited) = self.restoring.get(&grant.task) {
                awaited.progress.is_unwanted.store(true, Ordering::Relaxed);
                continue;
            }
            let found = self.tasks.iter().position(|running| running.task.id == grant.task);
            if let Some(index) = found {
                let mut state = self.tasks.remove(index).task.into_state();
                state.rollback()?;
                self.ask_updater(Work::Retire(grant.task, state))?;
                tracing::info!(task = %grant.task, thread = self.index, "task given up");
            }
            self.say_given_up(grant);
        }
        Ok(())
    }

    pub(super) fn continue_with_rest(&mut self) -> Result<(), StreamsError> {
        let starts = self.continuing();
        self.assign(&starts)?;
        self.show();
        Ok(())
    }

    fn say_given_up(&self, grant: Grant) {
        // The control thread ends last; when it has, nobody needs to know.
        let _ = self.given_up.send(grant);
    }
}
