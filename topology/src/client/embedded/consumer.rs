//! The embedded log's consumer. Owns positions and what was fetched; must not know how batches are stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::batch::RecordCursor;
use super::inner::Inner;
use super::partition::PartitionLog;
use super::read::{FetchedBatch, ReadCursor};
use super::waker::{Waker, lock};
use crate::client::{ClientError, CommittedOffset, Consumer, GroupMetadata, Isolation, PolledBatch, StartAt};
use crate::record::{RecordRun, TopicPartition};
use crate::time::Timestamp;

/// A consumer of an embedded log.
pub(super) struct EmbeddedConsumer {
    inner: Arc<Inner>,
    group: String,
    isolation: Isolation,
    assigned: Vec<Assigned>,
    waker: Arc<Waker>,
    /// Which partition is served first by the next poll.
    turn: usize,
}

struct Assigned {
    partition: Arc<PartitionLog>,
    position: i64,
    cursor: ReadCursor,
    fetched: VecDeque<FetchedBatch>,
    /// Where the first of `fetched` was left.
    within: Option<RecordCursor>,
    known_end: Option<i64>,
    is_paused: bool,
}

impl EmbeddedConsumer {
    /// A consumer without partitions.
    pub(super) fn new(inner: Arc<Inner>, group: &str, isolation: Isolation) -> Self {
        let waker = Arc::new(Waker::default());
        Self { inner, group: group.to_owned(), isolation, assigned: Vec::new(), waker, turn: 0 }
    }

    fn find(&mut self, name: &TopicPartition) -> Result<&mut Assigned, ClientError> {
        let found = self.assigned.iter_mut().find(|one| one.partition.name == *name);
        found.ok_or_else(|| ClientError::Fatal {
            operation: "moving a consumer",
            reason: format!("{name} is not assigned; call assign with it first"),
        })
    }

    fn fill(&mut self, records_max: usize, batch: &mut PolledBatch) -> Result<(), ClientError> {
        let isolation = self.isolation;
        for one in self.assigned.iter_mut().filter(|one| !one.is_paused) {
            one.fetch(isolation)?;
        }
        let count = self.assigned.len();
        let mut left = records_max;
        for step in 0..count {
            let one = &mut self.assigned[(self.turn + step) % count];
            if left == 0 || one.is_paused {
                continue;
            }
            let run = one.take(left)?;
            if !run.is_empty() {
                left -= run.len();
                batch.runs.push(run);
            }
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
        Ok(())
    }
}

impl Assigned {
    fn new(partition: Arc<PartitionLog>, start: StartAt, isolation: Isolation) -> Self {
        let mut one = Self {
            partition,
            position: 0,
            cursor: ReadCursor::default(),
            fetched: VecDeque::new(),
            within: None,
            known_end: None,
            is_paused: false,
        };
        one.seek(start, isolation);
        one
    }

    fn seek(&mut self, to: StartAt, isolation: Isolation) {
        self.fetched.clear();
        self.within = None;
        self.position = match to {
            StartAt::Offset(offset) => offset,
            StartAt::Beginning => self.partition.watermarks().low,
            StartAt::End => lock(&self.partition.state).limit(isolation),
        };
    }

    /// Makes sure that something is fetched if there is anything, and passes over what is hidden.
    fn fetch(&mut self, isolation: Isolation) -> Result<(), ClientError> {
        while self.fetched.is_empty() {
            let end = self.partition.read(self.position, isolation, &mut self.cursor, &mut self.fetched)?;
            self.known_end = Some(end);
            if self.fetched.is_empty() {
                // Only what compaction removed lies between here and the end.
                self.position = self.position.max(end);
                return Ok(());
            }
            self.pass_hidden();
        }
        Ok(())
    }

    fn pass_hidden(&mut self) {
        while let Some(fetched) = self.fetched.front().filter(|fetched| !fetched.is_visible) {
            self.position = self.position.max(fetched.batch.header.last() + 1);
            self.fetched.pop_front();
        }
    }

    fn take(&mut self, records_max: usize) -> Result<RecordRun, ClientError> {
        let mut run = RecordRun::new(self.partition.name.clone());
        while run.len() < records_max {
            self.pass_hidden();
            let Some(fetched) = self.fetched.front() else { break };
            let header = &fetched.batch.header;
            let mut within = self.within.unwrap_or_else(|| RecordCursor::new(header));
            let is_over = loop {
                if run.len() >= records_max {
                    break within.is_at_end();
                }
                let Some(record) = within.next(header, &fetched.batch.bytes) else { break true };
                let record = record.ok_or_else(|| unreadable(&self.partition.name, header.base))?;
                if record.offset >= self.position {
                    run.push(record.offset, Timestamp(record.time), record.key, record.value, record.headers);
                    self.position = record.offset + 1;
                }
            };
            self.within = Some(within);
            if is_over {
                self.position = self.position.max(header.last() + 1);
                self.within = None;
                self.fetched.pop_front();
            }
        }
        self.pass_hidden();
        Ok(run)
    }
}

fn unreadable(partition: &TopicPartition, base: i64) -> ClientError {
    ClientError::Fatal {
        operation: "reading the embedded log",
        reason: format!(
            "{partition}: the batch at offset {base} cannot be decoded; was it written by another version?"
        ),
    }
}

impl Consumer for EmbeddedConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        let mut assigned = Vec::with_capacity(partitions.len());
        for (name, start) in partitions {
            let partition = self.inner.topics.partition(name)?;
            assigned.push(Assigned::new(partition, *start, self.isolation));
        }
        self.assigned.iter().for_each(|one| one.partition.unregister(&self.waker));
        self.assigned = assigned;
        self.assigned.iter().for_each(|one| one.partition.register(&self.waker));
        self.turn = 0;
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        let isolation = self.isolation;
        self.find(partition)?.seek(to, isolation);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        partitions.iter().try_for_each(|name| self.find(name).map(|one| one.is_paused = true))
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        partitions.iter().try_for_each(|name| self.find(name).map(|one| one.is_paused = false))
    }

    fn poll(
        &mut self,
        records_max: usize,
        timeout: Duration,
        batch: &mut PolledBatch,
    ) -> Result<(), ClientError> {
        batch.runs.clear();
        self.fill(records_max, batch)?;
        if !batch.runs.is_empty() || timeout.is_zero() {
            return Ok(());
        }
        let waker = Arc::clone(&self.waker);
        let mut outcome = Ok(());
        waker.wait(timeout, || {
            outcome = self.fill(records_max, batch);
            outcome.is_err() || !batch.runs.is_empty()
        });
        outcome
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.iter().find(|one| one.partition.name == *partition).map(|one| one.position)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        self.assigned.iter().find(|one| one.partition.name == *partition).and_then(|one| one.known_end)
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        self.inner.coordination.committed(&self.group, partitions, timeout)
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        self.inner.coordination.commit(&self.group, offsets, member)
    }
}
