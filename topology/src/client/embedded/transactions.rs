//! Transactional ids: who owns one, what its open transaction has touched, and how it ends. Must not know queues or
//! consumers.
//!
//! A transaction commits in three steps: (1) one record of the internal log says that it counts, offsets included;
//! (2) each partition it wrote to gets its marker; (3) it is forgotten. A process that dies between (1) and (2) writes the
//! markers when the log is opened again, so the outcome is decided by (1) alone. The id's lock is held throughout and
//! during each append, so no record of an old owner can follow the marker that a new owner's registration wrote.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::batch::{BatchBuilder, Kind};
use super::coordination::{Coordination, GroupOffsets};
use super::journal::StateRecord;
use super::partition::{AppendError, PartitionLog};
use super::waker::lock;
use crate::client::{CommittedOffset, GroupMetadata, ProducerError};
use crate::record::TopicPartition;

/// One transactional id.
#[derive(Debug)]
pub(super) struct TransactionalId {
    name: String,
    state: Mutex<Owner>,
}

#[derive(Debug, Default)]
struct Owner {
    epoch: u32,
    open: Option<OpenTransaction>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Decided; markers are being written.
    Ending(Kind),
}

#[derive(Debug)]
struct OpenTransaction {
    txn: u64,
    phase: Phase,
    partitions: Vec<Arc<PartitionLog>>,
    offsets: GroupOffsets,
    since: Duration,
    timeout: Duration,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(super) struct TransactionalIds {
    by_name: Mutex<BTreeMap<String, Arc<TransactionalId>>>,
}

impl TransactionalIds {
    /// The id of this name, made when it is missing.
    pub(super) fn get(&self, name: &str, coordination: &Coordination) -> Arc<TransactionalId> {
        let mut by_name = lock(&self.by_name);
        if let Some(id) = by_name.get(name) {
            return Arc::clone(id);
        }
        let epoch = lock(&coordination.state).journal.state.epochs.get(name).copied().unwrap_or(0);
        let state = Mutex::new(Owner { epoch, open: None });
        let id = Arc::new(TransactionalId { name: name.to_owned(), state });
        by_name.insert(name.to_owned(), Arc::clone(&id));
        id
    }

    /// Aborts the transactions whose owners have kept them open for too long, and fences those owners.
    pub(super) fn expire(&self, coordination: &Coordination, now: Duration, wall: i64) {
        let all: Vec<Arc<TransactionalId>> = lock(&self.by_name).values().cloned().collect();
        for id in all {
            let mut owner = lock(&id.state);
            let is_over = |open: &OpenTransaction| now.saturating_sub(open.since) > open.timeout;
            if owner.open.as_ref().is_some_and(is_over) {
                let ended = id.fence(&mut owner, coordination, wall);
                if let Err(error) = ended {
                    tracing::warn!(id = id.name, %error, "a transaction that timed out could not be aborted yet");
                }
            }
        }
    }
}

fn failed(error: &std::io::Error) -> ProducerError {
    ProducerError::Abortable { reason: format!("the embedded log could not be written: {error}") }
}

/// The error of an append, as a producer sees it.
pub(super) fn append_failed(error: AppendError, partition: &TopicPartition) -> ProducerError {
    match error {
        AppendError::Deleted => ProducerError::Rejected {
            topic: partition.topic.to_string(),
            reason: "the topic was deleted".to_owned(),
        },
        AppendError::Io(error) => failed(&error),
    }
}

impl TransactionalId {
    /// Takes the id over: ends what the owner before left open; answers the epoch of the new owner.
    pub(super) fn register(&self, coordination: &Coordination, wall: i64) -> Result<u32, ProducerError> {
        let mut owner = lock(&self.state);
        self.fence(&mut owner, coordination, wall)?;
        Ok(owner.epoch)
    }

    fn fence(&self, owner: &mut Owner, coordination: &Coordination, wall: i64) -> Result<(), ProducerError> {
        let epoch = owner.epoch + 1;
        let record = StateRecord::Epoch(self.name.clone(), epoch);
        lock(&coordination.state).journal.append(vec![record]).map_err(|error| failed(&error))?;
        owner.epoch = epoch;
        end(owner, Kind::Abort, coordination, wall, "ending the transaction of an earlier owner")
    }

    /// Opens a transaction.
    pub(super) fn begin(
        &self,
        epoch: u32,
        coordination: &Coordination,
        now: Duration,
        timeout: Duration,
    ) -> Result<(), ProducerError> {
        let mut owner = lock(&self.state);
        owner.check(epoch)?;
        if owner.open.is_some() {
            return Err(ProducerError::Fatal {
                reason: "a transaction is open already; commit or abort it before beginning another"
                    .to_owned(),
            });
        }
        let txn = lock(&coordination.state).begin_transaction().map_err(|error| failed(&error))?;
        owner.open = Some(OpenTransaction {
            txn,
            phase: Phase::Open,
            partitions: Vec::new(),
            offsets: GroupOffsets::new(),
            since: now,
            timeout,
        });
        Ok(())
    }

    /// Appends batches to a partition in the open transaction; answers one past the last offset written.
    pub(super) fn append(
        &self,
        epoch: u32,
        partition: &Arc<PartitionLog>,
        batches: &mut VecDeque<BatchBuilder>,
        wall: i64,
    ) -> Result<i64, ProducerError> {
        let mut owner = lock(&self.state);
        let open = owner.open(epoch)?;
        if !open.partitions.iter().any(|known| Arc::ptr_eq(known, partition)) {
            open.partitions.push(Arc::clone(partition));
        }
        partition.append(batches, open.txn, wall).map_err(|error| append_failed(error, &partition.name))
    }

    /// Adds a group's offsets to the open transaction.
    pub(super) fn add_offsets(
        &self,
        epoch: u32,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
        coordination: &Coordination,
    ) -> Result<(), ProducerError> {
        let mut owner = lock(&self.state);
        let open = owner.open(epoch)?;
        let mut agreement = lock(&coordination.state);
        if let Some(reason) = agreement.objection(member) {
            return Err(ProducerError::NotCurrent { reason });
        }
        let held = open.offsets.entry(member.group.to_string()).or_default();
        for (partition, at) in offsets {
            agreement.hold_offset(&member.group, partition, open.txn);
            held.insert(partition.clone(), at.clone());
        }
        Ok(())
    }

    /// Commits the open transaction, or goes on with a commit that was decided before.
    pub(super) fn commit(
        &self,
        epoch: u32,
        coordination: &Coordination,
        wall: i64,
    ) -> Result<(), ProducerError> {
        let mut owner = lock(&self.state);
        owner.check(epoch)?;
        if owner.open.is_none() {
            return Err(none_open());
        }
        end(&mut owner, Kind::Commit, coordination, wall, "committing a transaction")
    }

    /// Aborts the open transaction.
    pub(super) fn abort(
        &self,
        epoch: u32,
        coordination: &Coordination,
        wall: i64,
    ) -> Result<(), ProducerError> {
        let mut owner = lock(&self.state);
        owner.check(epoch)?;
        if let Some(OpenTransaction { phase: Phase::Ending(Kind::Commit), .. }) = owner.open {
            return Err(ProducerError::Fatal {
                reason: "the transaction is committed already; repeat the commit to finish it".to_owned(),
            });
        }
        end(&mut owner, Kind::Abort, coordination, wall, "aborting a transaction")
    }

    /// Whether `epoch` is still the owner's.
    pub(super) fn check(&self, epoch: u32) -> Result<(), ProducerError> {
        lock(&self.state).check(epoch)
    }
}

fn none_open() -> ProducerError {
    ProducerError::Fatal { reason: "no transaction is open; call begin_transaction first".to_owned() }
}

impl Owner {
    fn check(&self, epoch: u32) -> Result<(), ProducerError> {
        if epoch == self.epoch { Ok(()) } else { Err(ProducerError::Fenced) }
    }

    fn open(&mut self, epoch: u32) -> Result<&mut OpenTransaction, ProducerError> {
        self.check(epoch)?;
        let is_open = |open: &&mut OpenTransaction| open.phase == Phase::Open;
        self.open.as_mut().filter(is_open).ok_or_else(none_open)
    }
}

/// Ends the transaction as `wanted`, or as it was decided before; may be repeated after a timeout.
fn end(
    owner: &mut Owner,
    wanted: Kind,
    coordination: &Coordination,
    wall: i64,
    operation: &'static str,
) -> Result<(), ProducerError> {
    let Some(open) = &mut owner.open else { return Ok(()) };
    if open.phase == Phase::Open {
        let mut agreement = lock(&coordination.state);
        match wanted {
            Kind::Commit => {
                agreement.decide_commit(open.txn, &open.offsets).map_err(|error| failed(&error))?;
            }
            _ => agreement.release_offsets(open.txn, &open.offsets),
        }
        open.phase = Phase::Ending(wanted);
    }
    let Phase::Ending(kind) = open.phase else { return Ok(()) };
    while let Some(partition) = open.partitions.last() {
        match partition.end_transaction(open.txn, kind, wall) {
            Ok(()) | Err(AppendError::Deleted) => open.partitions.pop(),
            Err(AppendError::Io(error)) => {
                tracing::warn!(partition = %partition.name, %error, "a transaction's marker could not be written yet");
                return Err(ProducerError::Timeout { operation });
            }
        };
    }
    lock(&coordination.state).unsettled.remove(&open.txn);
    owner.open = None;
    coordination.changed.notify_all();
    Ok(())
}
