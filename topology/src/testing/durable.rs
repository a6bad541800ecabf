//! What of a driver outlives its task: the changelogs' records and what was committed beside the offsets.

use std::collections::BTreeMap;

use super::driver::PipedRecord;
use crate::client::CommittedOffset;
use crate::record::{RecordRun, TopicPartition};
use crate::runtime::Task;
use crate::state::{StoreError, TaskState};

/// Changelogs and committed offsets, as a log would hold them.
#[derive(Default)]
pub(super) struct Durable {
    /// By store: what it is restored from.
    changelogs: BTreeMap<usize, Vec<PipedRecord>>,
    committed: BTreeMap<TopicPartition, CommittedOffset>,
}

impl Durable {
    /// A record of a store's changelog.
    pub(super) fn log(&mut self, store: usize, record: PipedRecord) {
        self.changelogs.entry(store).or_default().push(record);
    }

    /// Where each changelog ends, of a source topic where it was processed to.
    pub(super) fn positions(&self, task: &Task) -> Vec<(usize, i64)> {
        let end = |records: &Vec<PipedRecord>| i64::try_from(records.len()).unwrap_or(i64::MAX);
        let mut ends: BTreeMap<usize, i64> =
            self.changelogs.iter().map(|(store, records)| (*store, end(records))).collect();
        ends.extend(task.source_positions());
        ends.into_iter().collect()
    }

    /// Keeps what the task commits beside the offsets of the partitions that moved.
    pub(super) fn commit(&mut self, task: &Task) {
        self.committed.extend(task.offsets());
    }

    /// Brings stores to the end of their changelogs.
    pub(super) fn restore(&self, state: &mut TaskState) -> Result<(), StoreError> {
        for (&store, records) in &self.changelogs {
            let from = usize::try_from(state.positions()[store].unwrap_or(0)).unwrap_or(0);
            let mut run = RecordRun::new(TopicPartition::new("changelog", 0));
            for (offset, record) in (0i64..).zip(records).skip(from) {
                let (key, value) = (record.key.as_deref(), record.value.as_deref());
                run.push(offset, record.timestamp, key, value, record.headers.clone());
            }
            if !run.is_empty() {
                let end = i64::try_from(records.len()).unwrap_or(i64::MAX);
                state.restore(store, &run, end, usize::MAX)?;
            }
        }
        state.finish_restore()
    }

    /// Gives a new task what its former one committed.
    pub(super) fn recall(&self, task: &mut Task) {
        self.committed.iter().for_each(|(partition, offset)| task.recall(partition, offset));
    }
}
