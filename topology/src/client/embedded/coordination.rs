//! What producers, consumers and groups agree on under one lock: the internal log, the groups' members, and offsets that
//! wait for their transaction. Must not know partitions or their files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::journal::{Journal, OffsetEntry, StateRecord};
use super::membership::Members;
use super::waker::lock;
use crate::client::{ClientError, CommittedOffset, GroupMetadata};
use crate::record::TopicPartition;

/// How many transaction numbers are reserved at once.
const RESERVED_AT_ONCE: u64 = 1_000;

/// The agreement, and the bell that rings when it changes.
#[derive(Debug)]
pub(super) struct Coordination {
    pub(super) state: Mutex<Agreement>,
    pub(super) changed: Condvar,
}

/// What is agreed.
#[derive(Debug)]
pub(super) struct Agreement {
    pub(super) journal: Journal,
    pub(super) members: BTreeMap<String, Members>,
    /// Offsets sent with transactions that are still open: by group and partition, the transactions.
    pending: BTreeMap<(String, TopicPartition), BTreeSet<u64>>,
    next_txn: u64,
    /// Transactions that are open, or whose markers are not all written.
    pub(super) unsettled: BTreeSet<u64>,
    next_member: u64,
}

/// Offsets by group and partition.
pub(super) type GroupOffsets = BTreeMap<String, BTreeMap<TopicPartition, CommittedOffset>>;

impl Coordination {
    /// Starts from what the internal log says. `first_member` makes ids of members differ from those before a restart.
    pub(super) fn new(journal: Journal, first_member: u64) -> Self {
        let next_txn = journal.state.reserved.max(1);
        let members =
            journal.state.groups.iter().map(|(name, group)| (name.clone(), Members::at(group.generation)));
        let agreement = Agreement {
            members: members.collect(),
            journal,
            pending: BTreeMap::new(),
            next_txn,
            unsettled: BTreeSet::new(),
            next_member: first_member,
        };
        Self { state: Mutex::new(agreement), changed: Condvar::new() }
    }

    /// A group's offsets for these partitions, once no open transaction carries any of them.
    pub(super) fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        let is_pending = |agreement: &mut Agreement| {
            let key = |partition: &TopicPartition| (group.to_owned(), partition.clone());
            !agreement.pending.is_empty()
                && partitions.iter().any(|one| agreement.pending.contains_key(&key(one)))
        };
        let waited = self.changed.wait_timeout_while(lock(&self.state), timeout, is_pending);
        let (agreement, outcome) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        if outcome.timed_out() {
            return Err(ClientError::Unavailable {
                operation: "fetching committed offsets",
                reason: "a transaction that carries offsets is still open".to_owned(),
            });
        }
        let offsets = agreement.journal.state.groups.get(group).map(|group| &group.offsets);
        Ok(partitions.iter().map(|one| offsets.and_then(|all| all.get(one)).cloned()).collect())
    }

    /// Commits offsets outside of a transaction.
    pub(super) fn commit(
        &self,
        group: &str,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        let mut agreement = lock(&self.state);
        if let Some(reason) = agreement.objection(member) {
            return Err(ClientError::NotCurrent { reason });
        }
        let entries = offsets.iter().map(|(partition, at)| OffsetEntry::new(partition, at)).collect();
        let record = StateRecord::Offsets(group.to_owned(), entries);
        agreement
            .journal
            .append(vec![record])
            .map_err(|source| ClientError::Io { operation: "committing offsets", source })
    }
}

impl Agreement {
    /// Why this member may not speak for its group; `None` when it may.
    pub(super) fn objection(&self, member: &GroupMetadata) -> Option<String> {
        match self.members.get(&*member.group) {
            Some(members) => members.objection(&member.member, member.generation),
            None => Members::default().objection(&member.member, member.generation),
        }
    }

    /// A group's members; the group is made when it is missing.
    pub(super) fn group(&mut self, group: &str) -> &mut Members {
        if !self.members.contains_key(group) {
            self.members.insert(group.to_owned(), Members::default());
        }
        self.members.get_mut(group).expect("the group was made just now")
    }

    /// Writes the group's generation down when `before` is not it.
    pub(super) fn record_generation(&mut self, group: &str, before: i32) -> io::Result<()> {
        let generation = self.group(group).generation;
        if generation == before {
            return Ok(());
        }
        self.journal.append(vec![StateRecord::Generation(group.to_owned(), generation)])
    }

    /// A new member's id.
    pub(super) fn next_member_id(&mut self, group: &str) -> String {
        self.next_member += 1;
        format!("{group}-{:x}", self.next_member)
    }

    /// The number of a transaction that begins.
    pub(super) fn begin_transaction(&mut self) -> io::Result<u64> {
        let txn = self.next_txn;
        if txn >= self.journal.state.reserved {
            self.journal.append(vec![StateRecord::Reserved(txn + RESERVED_AT_ONCE)])?;
        }
        self.next_txn = txn + 1;
        self.unsettled.insert(txn);
        Ok(txn)
    }

    /// Notes that `txn` carries an offset of this partition.
    pub(super) fn hold_offset(&mut self, group: &str, partition: &TopicPartition, txn: u64) {
        self.pending.entry((group.to_owned(), partition.clone())).or_default().insert(txn);
    }

    /// Lets go of the offsets that `txn` carried.
    pub(super) fn release_offsets(&mut self, txn: u64, offsets: &GroupOffsets) {
        for (group, partitions) in offsets {
            for partition in partitions.keys() {
                let key = (group.clone(), partition.clone());
                if let Some(holders) = self.pending.get_mut(&key) {
                    holders.remove(&txn);
                    if holders.is_empty() {
                        self.pending.remove(&key);
                    }
                }
            }
        }
    }

    /// Decides that `txn` counts, and with it its offsets: the one step that commits.
    pub(super) fn decide_commit(&mut self, txn: u64, offsets: &GroupOffsets) -> io::Result<()> {
        let groups = offsets.iter().map(|(group, partitions)| {
            let entries = partitions.iter().map(|(partition, at)| OffsetEntry::new(partition, at)).collect();
            (group.clone(), entries)
        });
        self.journal.append(vec![StateRecord::Committed(txn, groups.collect())])?;
        self.release_offsets(txn, offsets);
        Ok(())
    }

    /// All transactions below this number are over, and marked wherever they wrote.
    pub(super) fn settled_below(&self) -> u64 {
        self.unsettled.first().copied().unwrap_or(self.next_txn)
    }

    /// Moves sessions along by the clock.
    pub(super) fn expire_members(&mut self, now: Duration) -> io::Result<bool> {
        let mut changed = Vec::new();
        for (name, members) in &mut self.members {
            if members.expire(now) {
                changed.push(StateRecord::Generation(name.clone(), members.generation));
            }
        }
        let any = !changed.is_empty();
        if any {
            self.journal.append(changed)?;
        }
        Ok(any)
    }
}
