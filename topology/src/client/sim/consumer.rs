//! A consumer under a scheduler: polls come late, bring little or fail, answers are lost.

use std::sync::Arc;
use std::time::Duration;

use super::{Call, Fate, Scheduler, Seen, away};
use crate::client::{ClientError, CommittedOffset, Consumer, GroupMetadata, PolledBatch, StartAt};
use crate::record::TopicPartition;

/// A consumer of an embedded log.
pub(super) struct SimConsumer {
    inner: Box<dyn Consumer>,
    scheduler: Arc<dyn Scheduler>,
}

impl SimConsumer {
    pub(super) fn new(inner: Box<dyn Consumer>, scheduler: Arc<dyn Scheduler>) -> Self {
        Self { inner, scheduler }
    }

    /// How many records a poll brings at most: often fewer than were asked for.
    fn portion(&self, records_max: usize) -> usize {
        match self.scheduler.chance(4) {
            0 => records_max.min(1 + self.scheduler.chance(4)),
            1 => records_max.min(1 + self.scheduler.chance(40)),
            _ => records_max,
        }
    }
}

impl Consumer for SimConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        self.scheduler.before(Call::Assign);
        self.inner.assign(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        self.scheduler.before(Call::Assign);
        self.inner.seek(partition, to)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.inner.resume(partitions)
    }

    fn poll(
        &mut self,
        records_max: usize,
        timeout: Duration,
        batch: &mut PolledBatch,
    ) -> Result<(), ClientError> {
        let until = self.scheduler.now() + timeout;
        if self.scheduler.before(Call::Poll) != Fate::Done {
            batch.runs.clear();
            return Err(away("polling"));
        }
        let portion = self.portion(records_max);
        loop {
            self.inner.poll(portion, Duration::ZERO, batch)?;
            if !batch.runs.is_empty() || self.scheduler.now() >= until {
                return Ok(());
            }
            self.scheduler.wait(until);
        }
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.inner.position(partition)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        self.inner.known_end(partition)
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        let until = self.scheduler.now() + timeout;
        if self.scheduler.before(Call::Committed) != Fate::Done {
            return Err(away("fetching committed offsets"));
        }
        loop {
            match self.inner.committed(partitions, Duration::ZERO) {
                Err(ClientError::Unavailable { .. }) if self.scheduler.now() < until => {
                    self.scheduler.wait(until);
                }
                outcome => {
                    self.scheduler.after(Call::Committed);
                    return outcome;
                }
            }
        }
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        let fate = self.scheduler.before(Call::Commit);
        match fate {
            Fate::Refused | Fate::Aborted => return Err(away("committing offsets")),
            Fate::NotCurrent => {
                return Err(ClientError::NotCurrent { reason: "the simulation says so".to_owned() });
            }
            Fate::Done | Fate::Unheard => {}
        }
        self.inner.commit(offsets, member)?;
        self.scheduler.see(Seen::Committed(offsets));
        self.scheduler.changed();
        self.scheduler.after(Call::Commit);
        if fate == Fate::Unheard { Err(away("committing offsets")) } else { Ok(()) }
    }
}
