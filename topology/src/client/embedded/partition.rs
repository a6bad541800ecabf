//! A partition: its segments, the newest batches, the transactions open in it and those that were aborted. Owns appends
//! and markers. Must not know transactional ids, groups or topics' names beyond its own.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::batch::{BatchBuilder, BatchHeader, Kind, Seal};
use super::segment::{Backing, Segment, StoredBatch};
use super::topic_config::TopicConfig;
use super::waker::{Waker, lock};
use crate::client::{ClientError, Isolation, Watermarks};
use crate::record::TopicPartition;

/// A partition, shared by producers, consumers and the housekeeper.
#[derive(Debug)]
pub(super) struct PartitionLog {
    pub(super) name: TopicPartition,
    pub(super) folder: Option<PathBuf>,
    pub(super) config: Arc<TopicConfig>,
    pub(super) tail_bytes_max: usize,
    pub(super) state: Mutex<PartitionState>,
    /// Held by whoever removes or replaces segments, so that only one does.
    pub(super) cleaning: Mutex<()>,
}

/// What changes in a partition.
#[derive(Debug)]
pub(super) struct PartitionState {
    pub(super) segments: Vec<Segment>,
    /// The newest batches, when segments are files.
    pub(super) tail: VecDeque<StoredBatch>,
    pub(super) tail_bytes: usize,
    pub(super) start: i64,
    pub(super) next: i64,
    /// Open transactions and their first offset here.
    pub(super) open: BTreeMap<u64, i64>,
    /// Aborted transactions and the offset of their marker. Shared with readers, copied when it changes meanwhile.
    pub(super) aborted: Arc<BTreeMap<u64, i64>>,
    /// Files to be synced.
    pub(super) unsynced: Vec<Arc<File>>,
    pub(super) is_deleted: bool,
    wakers: Vec<Weak<Waker>>,
}

/// Why an append was refused.
#[derive(Debug)]
pub(super) enum AppendError {
    /// The topic was deleted.
    Deleted,
    /// The disk refused it.
    Io(io::Error),
}

impl PartitionState {
    /// A partition that holds nothing before `next`.
    pub(super) fn empty(start: i64, segments: Vec<Segment>) -> Self {
        Self {
            segments,
            tail: VecDeque::new(),
            tail_bytes: 0,
            start,
            next: start,
            open: BTreeMap::new(),
            aborted: Arc::default(),
            unsynced: Vec::new(),
            is_deleted: false,
            wakers: Vec::new(),
        }
    }

    /// One past the last offset a read-committed consumer may see.
    pub(super) fn stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.next)
    }

    /// One past the last offset that this isolation may see.
    pub(super) fn limit(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.next,
            Isolation::ReadCommitted => self.stable(),
        }
    }

    /// The state's own account of a batch that was written or found.
    pub(super) fn account(&mut self, header: &BatchHeader) {
        self.next = header.last() + 1;
        match header.kind {
            Kind::Data if header.txn != 0 => {
                self.open.entry(header.txn).or_insert(header.base);
            }
            Kind::Data => {}
            Kind::Commit => {
                self.open.remove(&header.txn);
            }
            Kind::Abort => {
                if self.open.remove(&header.txn).is_some() {
                    Arc::make_mut(&mut self.aborted).insert(header.txn, header.base);
                }
            }
        }
    }

    fn take_wakers(&mut self) -> Vec<Arc<Waker>> {
        self.wakers.iter().filter_map(Weak::upgrade).collect()
    }
}

impl PartitionLog {
    /// Appends whole batches as one step and wakes readers; returns one past the last offset written.
    pub(super) fn append(
        &self,
        batches: &mut VecDeque<BatchBuilder>,
        txn: u64,
        now: i64,
    ) -> Result<i64, AppendError> {
        let mut state = lock(&self.state);
        while let Some(builder) = batches.pop_front() {
            let seal = Seal { base: state.next, kind: Kind::Data, txn, horizon: 0 };
            let (header, bytes) = builder.seal(seal);
            self.write(&mut state, header, bytes, now)?;
        }
        let end = state.next;
        let wakers = state.take_wakers();
        drop(state);
        wakers.iter().for_each(|waker| waker.wake());
        Ok(end)
    }

    /// Ends a transaction here, if it has written here: appends its marker and wakes readers.
    pub(super) fn end_transaction(&self, txn: u64, kind: Kind, now: i64) -> Result<(), AppendError> {
        let mut state = lock(&self.state);
        if !state.open.contains_key(&txn) {
            return Ok(());
        }
        let (header, bytes) = BatchBuilder::marker(state.next, txn, kind, now);
        self.write(&mut state, header, bytes, now)?;
        let wakers = state.take_wakers();
        drop(state);
        wakers.iter().for_each(|waker| waker.wake());
        Ok(())
    }

    fn write(
        &self,
        state: &mut PartitionState,
        header: BatchHeader,
        bytes: Vec<u8>,
        now: i64,
    ) -> Result<(), AppendError> {
        if state.is_deleted {
            return Err(AppendError::Deleted);
        }
        let bytes = Bytes::from(bytes);
        self.roll_if_due(state, bytes.len() as u64, now).map_err(AppendError::Io)?;
        let segment = state.segments.last_mut().expect("a partition has at least one segment");
        let is_first = segment.size == 0;
        segment.append(header, &bytes).map_err(AppendError::Io)?;
        segment.begun.get_or_insert(now);
        if let Backing::File { .. } = segment.backing {
            let file = segment.open_for_append().map_err(AppendError::Io)?;
            if is_first || state.unsynced.is_empty() {
                state.unsynced.push(file);
            }
            state.tail_bytes += bytes.len();
            state.tail.push_back(StoredBatch { header, bytes });
            while state.tail_bytes > self.tail_bytes_max {
                let Some(oldest) = state.tail.pop_front() else { break };
                state.tail_bytes -= oldest.bytes.len();
            }
        }
        state.account(&header);
        Ok(())
    }

    fn roll_if_due(&self, state: &mut PartitionState, coming: u64, now: i64) -> io::Result<()> {
        let Some(segment) = state.segments.last() else { return Ok(()) };
        let is_full = segment.size > 0 && segment.size + coming > self.config.segment_bytes;
        let is_old = segment.begun.is_some_and(|begun| now - begun >= self.config.segment_ms);
        if segment.size > 0 && (is_full || is_old) { self.roll(state) } else { Ok(()) }
    }

    /// Closes the newest segment and begins another.
    pub(super) fn roll(&self, state: &mut PartitionState) -> io::Result<()> {
        let mut fresh = Segment::new(self.folder.as_deref(), state.next);
        if self.folder.is_some() {
            // Made at once: its name is what remembers the next offset when all older segments are gone.
            fresh.open_for_append()?;
        }
        if let Some(segment) = state.segments.last_mut() {
            segment.close();
        }
        state.segments.push(fresh);
        Ok(())
    }

    /// Makes the names of new segment files last.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        match &self.folder {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// First and last offsets.
    pub(super) fn watermarks(&self) -> Watermarks {
        let state = lock(&self.state);
        Watermarks { low: state.start, high: state.next, stable: state.stable() }
    }

    /// Rings `waker` whenever something is written from now on.
    pub(super) fn register(&self, waker: &Arc<Waker>) {
        let mut state = lock(&self.state);
        state.wakers.retain(|one| one.strong_count() > 0 && !std::ptr::eq(one.as_ptr(), Arc::as_ptr(waker)));
        state.wakers.push(Arc::downgrade(waker));
    }

    /// Rings `waker` no more.
    pub(super) fn unregister(&self, waker: &Arc<Waker>) {
        lock(&self.state).wakers.retain(|one| !std::ptr::eq(one.as_ptr(), Arc::as_ptr(waker)));
    }

    /// Marks the partition as gone and wakes its readers, who will find that out.
    pub(super) fn mark_deleted(&self) {
        let mut state = lock(&self.state);
        state.is_deleted = true;
        state.unsynced.clear();
        let wakers = state.take_wakers();
        drop(state);
        wakers.iter().for_each(|waker| waker.wake());
    }

    /// Whether the first offset held may be moved up to `offset`.
    pub(super) fn check_start(&self, offset: i64) -> Result<(), ClientError> {
        let Watermarks { low, high, .. } = self.watermarks();
        if (0..=high).contains(&offset) {
            return Ok(());
        }
        Err(ClientError::OffsetOutOfRange { partition: self.name.clone(), offset, low, high })
    }

    /// Moves the first offset held up to `offset` and removes segments that lie wholly below it.
    pub(super) fn raise_start(&self, offset: i64) -> Result<(), ClientError> {
        let _cleaning = lock(&self.cleaning);
        let mut state = lock(&self.state);
        state.start = state.start.max(offset);
        self.drop_below_start(&mut state)
            .map_err(|source| ClientError::Io { operation: "removing old segments", source })
    }

    /// Removes the segments that lie wholly below the first offset held.
    pub(super) fn drop_below_start(&self, state: &mut PartitionState) -> io::Result<()> {
        let below = state.segments.windows(2).take_while(|pair| pair[1].base <= state.start).count();
        for segment in state.segments.drain(..below) {
            if let Backing::File { path, .. } = &segment.backing {
                std::fs::remove_file(path)?;
            }
        }
        let start = state.start;
        while state.tail.front().is_some_and(|batch| batch.header.last() < start) {
            let oldest = state.tail.pop_front().expect("a front was seen just now");
            state.tail_bytes -= oldest.bytes.len();
        }
        let first = state.segments.first().map_or(start, |segment| segment.base);
        if state.aborted.values().any(|marker| *marker < first) {
            Arc::make_mut(&mut state.aborted).retain(|_, marker| *marker >= first);
        }
        Ok(())
    }
}
