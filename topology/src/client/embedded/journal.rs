//! The log's internal log: transactional ids, outcomes of transactions, group offsets and first offsets, as records that
//! are replayed at open, and the state they add up to. Must not know who is connected.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::batch::{BatchBuilder, Kind, RecordCursor, Seal};
use super::recover::{Expected, scan};
use super::segment::{Backing, Segment};
use crate::client::CommittedOffset;
use crate::record::{Headers, TopicPartition};

/// From how many bytes the internal log is written anew as a snapshot, when most of it is outdated.
const SNAPSHOT_BYTES: u64 = 8 * 1024 * 1024;

/// One committed offset, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OffsetEntry {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) metadata: String,
}

/// A record of the internal log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StateRecord {
    /// Transaction numbers below this one may be in use.
    Reserved(u64),
    /// A transactional id was registered with this epoch.
    Epoch(String, u32),
    /// A transaction counts, and so do the offsets of these groups.
    Committed(u64, Vec<(String, Vec<OffsetEntry>)>),
    /// All outcomes below this number are marked in every partition, on disk.
    Settled(u64),
    /// Offsets of a group, outside of transactions.
    Offsets(String, Vec<OffsetEntry>),
    /// A group has this generation.
    Generation(String, i32),
    /// A group is gone.
    GroupDeleted(String),
    /// Nothing below this offset is held any more.
    Start(String, i32, i64),
    /// A topic is gone, and with it its first offsets and all groups' offsets of it.
    TopicDeleted(String),
}

/// A group as the internal log knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupState {
    pub(super) generation: i32,
    pub(super) offsets: BTreeMap<TopicPartition, CommittedOffset>,
}

/// What the records add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogState {
    pub(super) reserved: u64,
    pub(super) epochs: BTreeMap<String, u32>,
    pub(super) committed: BTreeSet<u64>,
    pub(super) groups: BTreeMap<String, GroupState>,
    pub(super) starts: BTreeMap<TopicPartition, i64>,
}

impl OffsetEntry {
    /// The entry that says `committed` of `partition`.
    pub(super) fn new(partition: &TopicPartition, committed: &CommittedOffset) -> Self {
        Self {
            topic: partition.topic.to_string(),
            partition: partition.partition.0,
            offset: committed.offset,
            metadata: committed.metadata.clone(),
        }
    }
}

impl LogState {
    fn apply(&mut self, record: StateRecord) {
        match record {
            StateRecord::Reserved(number) => self.reserved = number,
            StateRecord::Epoch(id, epoch) => {
                self.epochs.insert(id, epoch);
            }
            StateRecord::Committed(txn, groups) => {
                self.committed.insert(txn);
                for (group, entries) in groups {
                    self.set_offsets(group, entries);
                }
            }
            StateRecord::Settled(number) => self.committed = self.committed.split_off(&number),
            StateRecord::Offsets(group, entries) => self.set_offsets(group, entries),
            StateRecord::Generation(group, generation) => {
                self.groups.entry(group).or_default().generation = generation;
            }
            StateRecord::GroupDeleted(group) => {
                self.groups.remove(&group);
            }
            StateRecord::Start(topic, partition, offset) => {
                self.starts.insert(TopicPartition::new(topic, partition), offset);
            }
            StateRecord::TopicDeleted(topic) => {
                self.starts.retain(|partition, _| *partition.topic != *topic);
                for group in self.groups.values_mut() {
                    group.offsets.retain(|partition, _| *partition.topic != *topic);
                }
            }
        }
    }

    fn set_offsets(&mut self, group: String, entries: Vec<OffsetEntry>) {
        let offsets = &mut self.groups.entry(group).or_default().offsets;
        for entry in entries {
            let committed = CommittedOffset { offset: entry.offset, metadata: entry.metadata };
            offsets.insert(TopicPartition::new(entry.topic, entry.partition), committed);
        }
    }

    /// The fewest records that add up to this state.
    fn snapshot(&self) -> Vec<StateRecord> {
        let mut records = vec![StateRecord::Reserved(self.reserved)];
        records.extend(self.epochs.iter().map(|(id, epoch)| StateRecord::Epoch(id.clone(), *epoch)));
        records.extend(self.committed.iter().map(|txn| StateRecord::Committed(*txn, Vec::new())));
        for (name, group) in &self.groups {
            records.push(StateRecord::Generation(name.clone(), group.generation));
            let entries = group.offsets.iter().map(|(partition, at)| OffsetEntry::new(partition, at));
            records.push(StateRecord::Offsets(name.clone(), entries.collect()));
        }
        records.extend(self.starts.iter().map(|(partition, offset)| {
            StateRecord::Start(partition.topic.to_string(), partition.partition.0, *offset)
        }));
        records
    }
}

/// The internal log: its state, and in a folder its file.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) state: LogState,
    file: Option<JournalFile>,
}

#[derive(Debug)]
struct JournalFile {
    folder: PathBuf,
    number: u64,
    segment: Segment,
    next: i64,
    snapshot_bytes: u64,
    is_unsynced: bool,
}

impl Journal {
    /// An internal log that lives as long as the process.
    pub(super) fn in_memory() -> Self {
        Self { state: LogState::default(), file: None }
    }

    /// Opens or makes the internal log in `folder`; a record torn by a crash is cut off.
    pub(super) fn open(folder: &Path, synced_to: i64) -> io::Result<Self> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let number = name.strip_prefix("state-").and_then(|rest| rest.strip_suffix(".log"));
            numbers.extend(number.and_then(|text| text.parse::<u64>().ok()));
        }
        let newest = numbers.iter().copied().max();
        let number = newest.unwrap_or(0);
        for old in numbers.iter().filter(|old| Some(**old) != newest) {
            std::fs::remove_file(folder.join(file_name(*old)))?;
        }
        let path = folder.join(file_name(number));
        let mut state = LogState::default();
        let mut segment = Segment::over(Backing::File { path, open: None }, 0);
        let file = segment.open_for_append()?;
        let mut next = 0;
        scan(&file, Expected { synced_to, is_newest: true }, |batch| {
            let mut records = RecordCursor::new(&batch.header);
            while let Some(record) = records.next(&batch.header, &batch.bytes) {
                let value = record.and_then(|record| record.value).unwrap_or_default();
                state.apply(serde_json::from_slice(value).map_err(io::Error::other)?);
            }
            next = batch.header.last() + 1;
            segment.note(&batch.header);
            Ok(())
        })?;
        let folder = folder.to_path_buf();
        let snapshot_bytes = segment.size;
        let file = JournalFile { folder, number, segment, next, snapshot_bytes, is_unsynced: false };
        Ok(Self { state, file: Some(file) })
    }

    /// Writes records as one step, and applies them.
    pub(super) fn append(&mut self, records: Vec<StateRecord>) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.append(&records)?;
        }
        for record in records {
            self.state.apply(record);
        }
        let state = &self.state;
        if let Some(file) = self.file.as_mut().filter(|file| file.is_outgrown()) {
            file.rewrite(state)?;
        }
        Ok(())
    }

    /// One past the last record's offset, by which the next open knows what was on disk.
    pub(super) fn end(&self) -> i64 {
        self.file.as_ref().map_or(0, |file| file.next)
    }

    /// The file to be synced, if something was written since it was last asked for.
    pub(super) fn take_unsynced(&mut self) -> io::Result<Option<Arc<File>>> {
        match self.file.as_mut().filter(|file| file.is_unsynced) {
            Some(file) => {
                file.is_unsynced = false;
                file.segment.open_for_append().map(Some)
            }
            None => Ok(None),
        }
    }
}

fn file_name(number: u64) -> String {
    format!("state-{number:010}.log")
}

impl JournalFile {
    fn append(&mut self, records: &[StateRecord]) -> io::Result<()> {
        let mut builder = BatchBuilder::with_capacity(256);
        for (delta, record) in (0..).zip(records) {
            let value = serde_json::to_vec(record).map_err(io::Error::other)?;
            builder.push(delta, 0, None, Some(&value), &Headers::default());
        }
        let (header, bytes) = builder.seal(Seal { base: self.next, kind: Kind::Data, txn: 0, horizon: 0 });
        self.segment.append(header, &Bytes::from(bytes))?;
        self.next = header.last() + 1;
        self.is_unsynced = true;
        Ok(())
    }

    fn is_outgrown(&self) -> bool {
        self.segment.size > SNAPSHOT_BYTES.max(4 * self.snapshot_bytes)
    }

    /// Writes the state into a new file, which takes the place of the old one only when it is whole and on disk.
    fn rewrite(&mut self, state: &LogState) -> io::Result<()> {
        let draft = self.folder.join("state.draft");
        let number = self.number + 1;
        let mut fresh = Self {
            folder: self.folder.clone(),
            number,
            segment: Segment::over(Backing::File { path: draft.clone(), open: None }, 0),
            next: self.next,
            snapshot_bytes: 0,
            is_unsynced: true,
        };
        let file = fresh.segment.open_for_append()?;
        file.set_len(0)?;
        for records in state.snapshot().chunks(1_000) {
            fresh.append(records)?;
        }
        file.sync_all()?;
        std::fs::rename(&draft, self.folder.join(file_name(number)))?;
        std::fs::remove_file(self.folder.join(file_name(self.number)))?;
        fresh.segment.relocate(self.folder.join(file_name(number)));
        fresh.snapshot_bytes = fresh.segment.size;
        *self = fresh;
        Ok(())
    }
}
