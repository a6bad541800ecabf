//! A producer under a scheduler. It keeps a queue of its own, as a client of a distant log does: records of one partition
//! are written in their order, those of several in any, a part now and a part later, and a crash takes what is queued.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Fate, Scheduler, Seen};
use crate::client::{CommittedOffset, GroupMetadata, OutgoingRecord, Producer, ProducerError, TopicHandle};
use crate::record::{Headers, Partition, TopicPartition};
use crate::time::Timestamp;

/// A producer of an embedded log.
pub(super) struct SimProducer {
    inner: Box<dyn Producer>,
    scheduler: Arc<dyn Scheduler>,
    lanes: BTreeMap<(u32, i32), VecDeque<Queued>>,
    transaction: Transaction,
    /// Offsets sent with the open transaction.
    offsets: Vec<(TopicPartition, CommittedOffset)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// Its coordinator has aborted it; its owner does not know, or does not say so yet.
    Aborted,
    /// It is committed, and its owner has not heard of it.
    Committed,
}

struct Queued {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
    timestamp: Timestamp,
}

/// One record in so many finds the queue full.
const FULL_ONCE_IN: usize = 500;

impl SimProducer {
    pub(super) fn new(inner: Box<dyn Producer>, scheduler: Arc<dyn Scheduler>) -> Self {
        Self { inner, scheduler, lanes: BTreeMap::new(), transaction: Transaction::None, offsets: Vec::new() }
    }

    /// Writes at most `limit` records, taken from the lanes in an order of chance.
    fn deliver(&mut self, limit: usize) -> Result<(), ProducerError> {
        let mut left = limit;
        let mut first = if self.lanes.is_empty() { 0 } else { self.scheduler.chance(self.lanes.len()) };
        while left > 0 {
            let Some((&lane, queue)) = self.lanes.iter_mut().nth(first) else { break };
            first = 0;
            while left > 0
                && let Some(queued) = queue.pop_front()
            {
                left -= 1;
                self.inner.send(OutgoingRecord {
                    topic: TopicHandle(lane.0),
                    partition: Partition(lane.1),
                    key: queued.key.as_deref(),
                    value: queued.value.as_deref(),
                    headers: &queued.headers,
                    timestamp: queued.timestamp,
                })?;
            }
            if queue.is_empty() {
                self.lanes.remove(&lane);
            }
        }
        if left < limit {
            self.inner.flush(Duration::ZERO)?;
            self.scheduler.changed();
        }
        Ok(())
    }

    /// Writes everything, in two steps: the instance may end between them.
    fn deliver_all(&mut self) -> Result<(), ProducerError> {
        if self.lanes.len() > 1 {
            self.deliver(1 + self.scheduler.chance(8))?;
            self.scheduler.before(Call::Deliver);
        }
        self.deliver(usize::MAX)
    }

    /// The coordinator ends the transaction; its owner hears of it from the next call on.
    fn abort_remotely(&mut self) -> Result<(), ProducerError> {
        if self.transaction == Transaction::Open {
            self.lanes.clear();
            self.inner.abort_transaction(Duration::ZERO)?;
            self.scheduler.changed();
            self.transaction = Transaction::Aborted;
        }
        self.check()
    }

    fn check(&self) -> Result<(), ProducerError> {
        match self.transaction {
            Transaction::Aborted => {
                Err(ProducerError::Abortable { reason: "the coordinator has aborted it".to_owned() })
            }
            Transaction::None | Transaction::Open | Transaction::Committed => Ok(()),
        }
    }

    fn is_registered(&mut self) -> Result<(), ProducerError> {
        // Once registered, this asks whether the id is still ours.
        self.inner.init_transactions(Duration::ZERO)
    }
}

impl Producer for SimProducer {
    fn topic(&mut self, name: &str) -> Result<TopicHandle, ProducerError> {
        self.inner.topic(name)
    }

    fn send(&mut self, record: OutgoingRecord<'_>) -> Result<(), ProducerError> {
        self.check()?;
        if !self.lanes.is_empty()
            && self.scheduler.chance(FULL_ONCE_IN) == 0
            && self.scheduler.before(Call::Send) == Fate::Refused
        {
            return Err(ProducerError::QueueFull);
        }
        let lane = self.lanes.entry((record.topic.0, record.partition.0)).or_default();
        lane.push_back(Queued {
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.clone(),
            timestamp: record.timestamp,
        });
        Ok(())
    }

    fn poll(&mut self) -> Result<(), ProducerError> {
        self.check()?;
        if self.lanes.is_empty() {
            return Ok(());
        }
        match self.scheduler.before(Call::Deliver) {
            Fate::Aborted => self.abort_remotely(),
            Fate::Done => match self.scheduler.chance(3) {
                0 => self.deliver(usize::MAX),
                1 => self.deliver(1 + self.scheduler.chance(20)),
                _ => Ok(()),
            },
            Fate::Refused | Fate::Unheard | Fate::NotCurrent => Ok(()),
        }
    }

    fn flush(&mut self, _timeout: Duration) -> Result<(), ProducerError> {
        self.check()?;
        let late = Err(ProducerError::Timeout { operation: "flush" });
        let fate = self.scheduler.before(Call::Flush);
        match fate {
            Fate::Aborted => return self.abort_remotely(),
            Fate::Refused | Fate::NotCurrent => return late,
            Fate::Done | Fate::Unheard => {}
        }
        self.deliver_all()?;
        self.scheduler.after(Call::Flush);
        if fate == Fate::Unheard { late } else { Ok(()) }
    }

    fn acknowledged(&self, topic: TopicHandle, partition: Partition) -> Option<i64> {
        self.inner.acknowledged(topic, partition)
    }

    fn init_transactions(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let late = Err(ProducerError::Timeout { operation: "init_transactions" });
        let fate = self.scheduler.before(Call::Register);
        if fate == Fate::Refused {
            return late;
        }
        self.inner.init_transactions(timeout)?;
        self.scheduler.changed();
        self.scheduler.after(Call::Register);
        if fate == Fate::Unheard { late } else { Ok(()) }
    }

    fn begin_transaction(&mut self) -> Result<(), ProducerError> {
        self.scheduler.before(Call::Begin);
        self.inner.begin_transaction()?;
        self.transaction = Transaction::Open;
        self.offsets.clear();
        Ok(())
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), ProducerError> {
        self.check()?;
        let fate = self.scheduler.before(Call::SendOffsets);
        match fate {
            Fate::Aborted => return self.abort_remotely(),
            Fate::Refused => return Err(ProducerError::Timeout { operation: "send_offsets" }),
            Fate::NotCurrent => {
                return Err(ProducerError::NotCurrent { reason: "the simulation says so".to_owned() });
            }
            Fate::Done | Fate::Unheard => {}
        }
        self.inner.send_offsets(offsets, member, timeout)?;
        self.offsets.extend_from_slice(offsets);
        self.scheduler.after(Call::SendOffsets);
        if fate == Fate::Unheard { Err(ProducerError::Timeout { operation: "send_offsets" }) } else { Ok(()) }
    }

    fn commit_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let late = Err(ProducerError::Timeout { operation: "commit_transaction" });
        self.check()?;
        let fate = self.scheduler.before(Call::CommitTransaction);
        if self.transaction == Transaction::Committed {
            // It is asked again how it ended: whoever was fenced meanwhile learns that, and not how it ended.
            self.is_registered()?;
            self.transaction = Transaction::None;
            return Ok(());
        }
        match fate {
            Fate::Aborted => return self.abort_remotely(),
            Fate::Refused | Fate::NotCurrent => return late,
            Fate::Done | Fate::Unheard => {}
        }
        self.deliver_all()?;
        self.inner.commit_transaction(timeout)?;
        self.transaction = if fate == Fate::Unheard { Transaction::Committed } else { Transaction::None };
        self.scheduler.see(Seen::Committed(&self.offsets));
        self.offsets.clear();
        self.scheduler.changed();
        self.scheduler.after(Call::CommitTransaction);
        if fate == Fate::Unheard { late } else { Ok(()) }
    }

    fn abort_transaction(&mut self, timeout: Duration) -> Result<(), ProducerError> {
        let fate = self.scheduler.before(Call::AbortTransaction);
        if fate == Fate::Refused {
            return Err(ProducerError::Timeout { operation: "abort_transaction" });
        }
        self.lanes.clear();
        self.offsets.clear();
        match self.transaction {
            Transaction::Committed => {
                return Err(ProducerError::Fatal {
                    reason: "the transaction may be committed already; repeat the commit".to_owned(),
                });
            }
            Transaction::Aborted => self.is_registered()?,
            Transaction::None | Transaction::Open => self.inner.abort_transaction(timeout)?,
        }
        self.transaction = Transaction::None;
        self.scheduler.changed();
        self.scheduler.after(Call::AbortTransaction);
        if fate == Fate::Unheard {
            return Err(ProducerError::Timeout { operation: "abort_transaction" });
        }
        Ok(())
    }
}
