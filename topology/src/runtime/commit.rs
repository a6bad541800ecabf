//! Commits of a stream thread, and what follows when one is refused.
//!
//! The order, for all tasks of the thread together:
//! 1. caches are flushed through the nodes, and the stores' changes go to the producer with everything else;
//! 2. at-least-once: the producer is flushed, then the offsets are committed; exactly-once: offsets join the
//!    transaction, and it is committed;
//! 3. only then the changes and the changelog positions enter the engines, in one atomic batch per task.
//!
//! So an engine never holds what its changelog does not, and a crash at any point replays a tail and wipes nothing.
//! A commit that the group refuses is ordinary (another member joined). Exactly once, the thread goes back to its last commit
//! (`rewind`); at least once, what was written stays, and is committed with what comes next.

use std::time::Duration;

use super::application::Application;
use super::error::StreamsError;
use super::hanging::Hanging;
use super::planted::{Bug, planted};
use super::thread::{Running, StreamThread};
use crate::client::{ClientError, CommittedOffset, ProducerError};
use crate::record::TopicPartition;

/// Why a commit did not happen.
enum Refused {
    /// The group did not accept this member as it was: what stands is committed once the group says who has what.
    NotCurrent,
    /// Nothing can be mended here.
    Fatal(StreamsError),
}

impl<E: Into<StreamsError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Fatal(error.into())
    }
}

/// How long to wait with another try while the log is away.
const AWAY: Duration = Duration::from_millis(500);

type Offsets = Vec<(TopicPartition, CommittedOffset)>;

impl StreamThread {
    /// Commits all tasks of the thread.
    pub(super) fn commit_all(&mut self) -> Result<(), StreamsError> {
        self.last_commit = self.application.clock.monotonic();
        let moved = self
            .tasks
            .iter()
            .any(|running| running.task.needs_commit() || !running.task.env.outputs.is_empty());
        if !moved && !self.in_transaction {
            self.end_drains();
            self.shared.directory.committed(self.index, self.last_commit);
            return Ok(());
        }
        match self.try_commit() {
            Ok(()) => {
                self.shared.count_commit();
                self.shared.directory.committed(self.index, self.last_commit);
                let took = self.application.clock.monotonic().saturating_sub(self.last_commit);
                self.meters.commit.record(took);
                Ok(())
            }
            Err(Refused::NotCurrent) => {
                self.waits_for_gate = true;
                if !self.application.exactly_once() {
                    // What was written stays, here and in the log: it is committed with what comes next.
                    tracing::info!(
                        thread = self.index,
                        "the commit was refused while the group changed: it is repeated"
                    );
                    return Ok(());
                }
                tracing::info!(
                    thread = self.index,
                    "the commit was refused while the group changed: going back to the last one"
                );
                self.rewind()
            }
            Err(Refused::Fatal(error)) => Err(error),
        }
    }

    fn try_commit(&mut self) -> Result<(), Refused> {
        // Those of which something is unfinished may be left out.
        let mut taking_part = Vec::new();
        for index in 0..self.tasks.len() {
            if self.takes_part(index)? {
                taking_part.push(index);
            }
        }
        for &index in &taking_part {
            self.tasks[index].task.flush()?;
            self.send_outputs(index)?;
        }
        let mut offsets: Offsets =
            taking_part.iter().flat_map(|index| self.tasks[*index].task.offsets()).collect();
        if planted(Bug::OffsetsOfUnprocessed) {
            for (partition, committed) in &mut offsets {
                committed.offset = self.consumer.position(partition).unwrap_or(committed.offset);
            }
        }
        if planted(Bug::EngineBeforeCommit) {
            self.tasks.iter_mut().try_for_each(|running| running.task.committed(&[]))?;
        }
        if self.application.exactly_once() {
            self.commit_transaction(&offsets)?;
        } else {
            self.commit_plainly(&offsets)?;
        }
        for index in taking_part {
            let running = &mut self.tasks[index];
            for (partition, committed) in running.task.offsets() {
                running.redo.retain(|other, offset| *other != partition || committed.offset < *offset);
                running.committed.insert(partition, committed.offset);
            }
            let positions = self.changelog_positions(index);
            self.tasks[index].task.committed(&positions)?;
        }
        Ok(())
    }

    fn commit_plainly(&mut self, offsets: &Offsets) -> Result<(), Refused> {
        let timeout = self.application.request_timeout();
        while !planted(Bug::SkippedFlush) {
            match self.producer.flush(timeout) {
                Err(ProducerError::Timeout { operation }) => {
                    tracing::warn!(operation, "the log takes long to acknowledge records");
                }
                Ok(()) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if offsets.is_empty() {
            return Ok(());
        }
        loop {
            let member = self.gate.metadata(self.losses()).map_err(current)?;
            match self.consumer.commit(offsets, &member) {
                Err(ClientError::Unavailable { reason, .. }) => self.wait_for_log(&reason),
                outcome => return outcome.map_err(current),
            }
        }
    }

    fn wait_for_log(&self, reason: &str) {
        tracing::warn!(thread = self.index, reason, "waiting for the log");
        self.application.threads.sleep(AWAY);
    }

    /// What was committed, asked for until the log answers.
    pub(super) fn committed(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        let mut hanging = Hanging::new(&self.application);
        let timeout = self.application.request_timeout().min(Hanging::patience(&self.application));
        loop {
            match self.consumer.committed(partitions, timeout) {
                Err(ClientError::Unavailable { reason, .. }) => {
                    let Application { log, config, .. } = &*self.application;
                    hanging.end_when_due(&"the group's offsets", |limit| {
                        log.admin()?.end_hanging_offsets(&config.application_id, limit)
                    });
                    self.wait_for_log(&reason);
                }
                outcome => return outcome,
            }
        }
    }

    fn commit_transaction(&mut self, offsets: &Offsets) -> Result<(), Refused> {
        let timeout = self.application.request_timeout();
        if !self.in_transaction {
            self.producer.begin_transaction()?;
            self.in_transaction = true;
        }
        // Fetched anew for each commit: metadata from before a rebalance must not pass. What has no offsets passes the gate
        // too, and its producer is fenced before anybody else runs its tasks.
        let member = self.gate.metadata(self.losses()).map_err(current)?;
        if planted(Bug::OffsetsBeforeTransaction) {
            self.consumer.commit(offsets, &member).map_err(current)?;
        } else if !offsets.is_empty() {
            match self.producer.send_offsets(offsets, &member, timeout) {
                Ok(()) => {}
                // Whether they have arrived or not: without the end of the transaction they do not count.
                Err(
                    ProducerError::NotCurrent { .. }
                    | ProducerError::Abortable { .. }
                    | ProducerError::Timeout { .. },
                ) => return Err(Refused::NotCurrent),
                Err(error) => return Err(error.into()),
            }
        }
        loop {
            match self.producer.commit_transaction(timeout) {
                Ok(()) => break,
                Err(ProducerError::Timeout { .. }) if planted(Bug::UnknownTakenForFailed) => {
                    self.in_transaction = false;
                    return Err(Refused::NotCurrent);
                }
                // Unknown, not failed: it is repeated until its outcome is known.
                Err(ProducerError::Timeout { .. }) => {
                    tracing::warn!("the outcome of a transaction is unknown; asking again");
                }
                Err(ProducerError::Abortable { .. } | ProducerError::NotCurrent { .. }) => {
                    return Err(Refused::NotCurrent);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.in_transaction = false;
        Ok(())
    }

    /// How far each changelog of a task is durable, and in its store. While something is to be done again they do not move:
    /// whoever goes on with this task's stores reads the rows that they lack.
    fn changelog_positions(&self, index: usize) -> Vec<(usize, i64)> {
        let Running { task, collector, redo, .. } = &self.tasks[index];
        if !redo.is_empty() {
            return task.source_positions().collect();
        }
        let acknowledged = |topic| collector.acknowledged(topic, task.id.partition, &*self.producer);
        let logged = task.changelogs().filter_map(|(store, topic)| Some((store, acknowledged(topic)?)));
        logged.chain(task.source_positions()).collect()
    }

    /// The incarnations that what is to be committed was granted under.
    pub(super) fn losses(&self) -> impl Iterator<Item = u64> {
        self.tasks.iter().map(|running| running.grant.losses)
    }
}

/// A refusal by the group is ordinary; anything else is not.
fn current(error: ClientError) -> Refused {
    match error {
        ClientError::NotCurrent { .. } => Refused::NotCurrent,
        other => Refused::Fatal(other.into()),
    }
}
