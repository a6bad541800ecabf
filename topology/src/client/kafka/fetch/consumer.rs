//! The engine of [`Consumer`] over plain connections: which partitions are fetched from whom and when, and what a poll
//! hands on. Commits go through the group's member, as everywhere. Must not know how anything is written on a
//! connection, nor how batches are unpacked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::admin::KafkaAdmin;
use super::super::commits::GroupOffsets;
use super::cluster::{Answer, Cluster};
use super::messages::{EARLIEST, LATEST, Leader, Refusal};
use super::settings::FetchSettings;
use super::slot::Slot;
use crate::client::error::ClientError;
use crate::client::traits::{CommittedOffset, Consumer, GroupMetadata, Isolation, PolledBatch, StartAt};
use crate::record::{RecordRun, TopicPartition};
use crate::time::{Clock, SystemClock};

/// How long an assignment or a seek may wait for the cluster.
const ASSIGN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a poll that met an offset out of range asks for the range.
const RANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two polls that say that all brokers are down.
const DOWN_AGAIN: Duration = Duration::from_secs(1);

/// A consumer over plain connections.
pub(in super::super) struct FetchConsumer {
    pub(super) cluster: Cluster,
    pub(super) slots: Vec<Slot>,
    pub(super) settings: FetchSettings,
    pub(super) clock: SystemClock,
    /// Leaders by topic, of all topics that were ever assigned.
    pub(super) leaders: BTreeMap<Arc<str>, Vec<(i32, Leader)>>,
    /// The picture of leaders is old: asked for again at `refresh_at`, unless that is under way.
    pub(super) stale: bool,
    pub(super) refreshing: bool,
    pub(super) refresh_at: Duration,
    /// Brokers whose fetch is under way.
    pub(super) fetching: Vec<i32>,
    /// Which partition comes first in the next fetch and the next poll.
    pub(super) turn: usize,
    /// Answers to questions for offsets.
    pub(super) offsets: BTreeMap<TopicPartition, Result<Option<i64>, Refusal>>,
    /// Slots whose offset is out of range.
    pub(super) lost: Vec<TopicPartition>,
    /// An error that was met behind records, which go first.
    pub(super) pending: Option<ClientError>,
    pub(super) answers: Vec<Answer>,
    commits: GroupOffsets,
    down_again_at: Duration,
}

impl FetchConsumer {
    pub(in super::super) fn new(
        admin: KafkaAdmin,
        settings: FetchSettings,
        group: &str,
    ) -> Result<Self, ClientError> {
        let clock = SystemClock::default();
        let cluster = Cluster::new((admin.settings(), "consumer"), "making a consumer", clock.clone())?;
        Ok(Self {
            cluster,
            slots: Vec::new(),
            settings,
            clock,
            leaders: BTreeMap::new(),
            stale: false,
            refreshing: false,
            refresh_at: Duration::ZERO,
            fetching: Vec::new(),
            turn: 0,
            offsets: BTreeMap::new(),
            lost: Vec::new(),
            pending: None,
            answers: Vec::new(),
            commits: GroupOffsets::new(admin, group)?,
            down_again_at: Duration::ZERO,
        })
    }

    fn slot(&self, partition: &TopicPartition) -> Result<usize, ClientError> {
        self.slots.iter().position(|slot| slot.source == *partition).ok_or_else(|| ClientError::Fatal {
            operation: "moving a consumer",
            reason: format!("{partition} is not assigned to it"),
        })
    }

    /// Asks what is due and takes in what was answered, waiting up to `timeout` for it.
    fn step(&mut self, timeout: Duration) {
        let now = self.clock.monotonic();
        self.refresh(now);
        self.fetch(now);
        let mut answers = std::mem::take(&mut self.answers);
        self.cluster.exchange(timeout, &mut answers);
        for answer in answers.drain(..) {
            self.absorb(answer);
        }
        self.answers = answers;
    }

    /// Steps until `done` gives something.
    fn wait_for<T>(
        &mut self,
        operation: &'static str,
        timeout: Duration,
        mut done: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T, ClientError> {
        let until = self.clock.monotonic() + timeout;
        loop {
            if let Some(done) = done(self) {
                return Ok(done);
            }
            if let Some(reason) = self.cluster.refused.take() {
                return Err(ClientError::Fatal { operation, reason });
            }
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                let reason = self.cluster.why("it did not answer in time");
                return Err(ClientError::Unavailable { operation, reason });
            }
            self.step(left.min(Duration::from_millis(20)));
        }
    }

    /// Waits until every partition has a leader that is known.
    fn find_leaders(&mut self, operation: &'static str) -> Result<(), ClientError> {
        self.stale |= self.slots.iter().any(|slot| slot.leader.is_none());
        self.wait_for(operation, ASSIGN_TIMEOUT, |consumer| {
            let missing = consumer.slots.iter().find(|slot| slot.missing_since.is_some());
            if let Some(slot) = missing {
                return Some(Err(ClientError::UnknownTopic { topic: slot.source.topic.to_string() }));
            }
            consumer.slots.iter().all(|slot| slot.leader.is_some()).then_some(Ok(()))
        })?
    }

    /// The offsets that these starts of assigned partitions mean now.
    fn resolve(&mut self, starts: &[(TopicPartition, StartAt)]) -> Result<Vec<i64>, ClientError> {
        let asked = starts.iter().filter_map(|(partition, start)| match start {
            StartAt::Offset(_) => None,
            StartAt::Beginning => Some((partition, EARLIEST)),
            StartAt::End => Some((partition, LATEST)),
        });
        let asked: Vec<(&TopicPartition, i64)> = asked.collect();
        let found = self.ask_offsets("looking up offsets", &asked, ASSIGN_TIMEOUT)?;
        let mut found = found.into_iter();
        let mut resolve = |start: &StartAt| match start {
            StartAt::Offset(offset) => *offset,
            StartAt::Beginning | StartAt::End => found.next().expect("one answer for each question"),
        };
        Ok(starts.iter().map(|(_, start)| resolve(start)).collect())
    }

    fn ask_offsets(
        &mut self,
        operation: &'static str,
        asked: &[(&TopicPartition, i64)],
        timeout: Duration,
    ) -> Result<Vec<i64>, ClientError> {
        let mut answers = vec![None; asked.len()];
        let mut ask_at = Duration::ZERO;
        self.wait_for(operation, timeout, |consumer| {
            let now = consumer.clock.monotonic();
            for ((partition, _), answer) in asked.iter().zip(&mut answers) {
                match consumer.offsets.remove(*partition) {
                    Some(Ok(offset)) => *answer = Some(offset.unwrap_or(0)),
                    // Clients are told of a new partition's leader before the broker knows itself to be it.
                    Some(Err(refusal)) if refusal.is_passing() => {
                        (consumer.stale, ask_at) = (true, now + Duration::from_millis(20));
                    }
                    Some(Err(refusal)) => {
                        return Some(Err(refusal.error(operation, &partition.topic, consumer.cluster.who())));
                    }
                    None => {}
                }
            }
            let open: Vec<_> = asked.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).collect();
            if open.is_empty() {
                return Some(Ok(answers.iter().copied().flatten().collect()));
            }
            if now >= ask_at {
                let questions: Vec<_> = open.iter().map(|((partition, at), _)| (*partition, *at)).collect();
                consumer.question_offsets(&questions);
                ask_at = now + Duration::from_secs(2);
            }
            None
        })?
    }

    /// The error for a position that the log does not hold.
    fn out_of_range(&mut self, source: TopicPartition) -> Option<ClientError> {
        let offset = self.slots[self.slot(&source).ok()?].position;
        let mut ask = |at| {
            let found = self.ask_offsets("looking up offsets", &[(&source, at)], RANGE_TIMEOUT);
            found.ok().and_then(|found| found.first().copied()).unwrap_or(-1)
        };
        let (low, high) = (ask(EARLIEST), ask(LATEST));
        Some(ClientError::OffsetOutOfRange { partition: source, offset, low, high })
    }

    /// Hands on at most `max` records, of all partitions that have some.
    fn hand_on(&mut self, max: usize, batch: &mut PolledBatch) {
        let count = self.slots.len();
        let mut ready = self.slots.iter().filter(|slot| slot.has_some()).count();
        let mut left = max;
        self.turn = self.turn.wrapping_add(1);
        for index in 0..count {
            let slot = &mut self.slots[(self.turn + index) % count];
            if !slot.has_some() || left == 0 {
                continue;
            }
            let mut run = RecordRun::new(slot.source.clone());
            let share = left.div_ceil(ready.max(1));
            let outcome = slot.hand_on(share, self.settings.isolation, &mut run);
            ready = ready.saturating_sub(1);
            left = left.saturating_sub(run.len());
            if let Err(error) = outcome {
                // Nothing is skipped: whoever polls again after the error gets the same place, fetched anew.
                slot.move_to(slot.position);
                slot.retry_at = self.clock.monotonic() + DOWN_AGAIN;
                let reason = format!("{}: {error}", slot.source);
                self.pending.get_or_insert(ClientError::Fatal { operation: "reading", reason });
            }
            if !run.is_empty() {
                batch.runs.push(run);
            }
        }
    }

    /// The error that a poll without records has to tell, if any.
    fn fault(&mut self) -> Option<ClientError> {
        if let Some(source) = self.lost.pop() {
            return self.out_of_range(source);
        }
        if let Some(reason) = self.cluster.refused.take() {
            return Some(ClientError::Fatal { operation: "polling", reason });
        }
        self.pending.take()
    }

    /// The error that a poll has to tell that has waited in vain. Not before it has waited: who polls seldom would never come
    /// to the attempt that finds the brokers back.
    fn down(&mut self) -> Option<ClientError> {
        let now = self.clock.monotonic();
        if self.slots.is_empty() || !self.cluster.is_down() || now < self.down_again_at {
            return None;
        }
        self.down_again_at = now + DOWN_AGAIN;
        let reason = self.cluster.why("all brokers are down");
        Some(ClientError::Unavailable { operation: "polling", reason })
    }
}

impl Consumer for FetchConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        let mut before = std::mem::take(&mut self.slots);
        for (source, start) in partitions {
            // A partition that stays where it is keeps what was fetched of it.
            let stays = |slot: &Slot| slot.source == *source && *start == StartAt::Offset(slot.position);
            let mut slot = match before.iter().position(stays) {
                Some(index) if before[index].retry_at < Duration::MAX => before.swap_remove(index),
                _ => Slot::new(source.clone(), -1),
            };
            slot.paused = false;
            slot.leader = self.leader(source);
            self.slots.push(slot);
        }
        (self.lost, self.pending) = (Vec::new(), None);
        let outcome = self.find_leaders("assigning partitions").and_then(|()| self.resolve(partitions));
        match outcome {
            Ok(positions) => {
                for (slot, position) in self.slots.iter_mut().zip(positions) {
                    if slot.position != position {
                        slot.move_to(position);
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.slots.clear();
                Err(error)
            }
        }
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        let index = self.slot(partition)?;
        let position = self.resolve(&[(partition.clone(), to)])?[0];
        self.slots[index].move_to(position);
        self.lost.retain(|lost| lost != partition);
        if matches!(&self.pending, Some(ClientError::OffsetOutOfRange { partition: of, .. }) if of == partition)
        {
            self.pending = None;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            let index = self.slot(partition)?;
            self.slots[index].paused = true;
        }
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        for partition in partitions {
            let index = self.slot(partition)?;
            self.slots[index].paused = false;
        }
        Ok(())
    }

    fn poll(
        &mut self,
        records_max: usize,
        timeout: Duration,
        batch: &mut PolledBatch,
    ) -> Result<(), ClientError> {
        batch.runs.clear();
        let until = self.clock.monotonic() + timeout;
        // Even a poll that does not wait looks once whether something has come.
        let mut has_looked = false;
        loop {
            self.hand_on(records_max, batch);
            if !batch.runs.is_empty() {
                // The brokers work on the next answer while these records are processed.
                self.step(Duration::ZERO);
                return Ok(());
            }
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
            let left = until.saturating_sub(self.clock.monotonic());
            if left.is_zero() && has_looked {
                return self.down().map_or(Ok(()), Err);
            }
            has_looked = true;
            self.step(left);
        }
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.slots[self.slot(partition).ok()?].position)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        let (high, stable) = self.slots[self.slot(partition).ok()?].end?;
        Some(match self.settings.isolation {
            Isolation::ReadCommitted => stable,
            Isolation::ReadUncommitted => high,
        })
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        self.commits.committed(partitions, timeout)
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        self.commits.commit(offsets, member)
    }
}
