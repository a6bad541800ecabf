//! Retention and compaction of one partition. Owns when segments are closed by age, dropped, or rewritten with only the
//! newest record of each key. Must not know topics or clients; never goes above the last stable offset.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::batch::{BatchBuilder, Kind, RecordCursor, RecordView, Seal};
use super::partition::{PartitionLog, PartitionState};
use super::segment::{Backing, Segment, SegmentReader};
use super::waker::lock;

/// Bytes of keys that one pass of compaction remembers.
const KEY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a batch that compaction writes, about.
const BATCH_BYTES: usize = 64 * 1024;

/// The newest offset of each key.
type Newest = HashMap<Box<[u8]>, i64, FixedState>;

/// What one pass works on.
struct Pass {
    /// Identities of the segments, oldest first.
    segments: Vec<Source>,
    aborted: Arc<BTreeMap<u64, i64>>,
    start: i64,
}

struct Source {
    id: u64,
    size: u64,
    is_cleaned: bool,
    reader: SegmentReader,
}

impl PartitionLog {
    /// Drops what retention allows to drop, and compacts when enough is outdated.
    pub(super) fn clean(&self, wall: i64) -> io::Result<()> {
        let _cleaning = lock(&self.cleaning);
        if lock(&self.state).is_deleted {
            return Ok(());
        }
        if self.config.deletes {
            self.apply_retention(wall)?;
        }
        if self.config.compacts {
            self.compact(wall)?;
        }
        Ok(())
    }

    fn apply_retention(&self, wall: i64) -> io::Result<()> {
        let mut state = lock(&self.state);
        let is_expired = |segment: &Segment| {
            let keep_ms = self.config.retention_ms;
            segment.size > 0 && keep_ms.is_some_and(|keep| wall.saturating_sub(segment.max_time) > keep)
        };
        let stable = state.stable();
        if stable == state.next && state.segments.iter().all(is_expired) {
            self.roll(&mut state)?;
        }
        let mut bytes: u64 = state.segments.iter().map(|segment| segment.size).sum();
        let mut start = state.start;
        for pair in state.segments.windows(2) {
            let (oldest, following) = (&pair[0], &pair[1]);
            let is_surplus =
                self.config.retention_bytes.is_some_and(|keep| bytes.saturating_sub(oldest.size) >= keep);
            let is_due = oldest.size == 0 || is_expired(oldest) || is_surplus;
            if !is_due || following.base > stable {
                break;
            }
            bytes -= oldest.size;
            start = start.max(following.base);
        }
        state.start = start;
        self.drop_below_start(&mut state)
    }

    fn compact(&self, wall: i64) -> io::Result<()> {
        let Some(pass) = self.plan_pass(wall)? else { return Ok(()) };
        let Pass { segments, aborted, start } = pass;
        let mut newest = Newest::default();
        let ids: Vec<u64> = segments.iter().map(|source| source.id).collect();
        let mut reached = 0;
        let mut key_bytes = 0;
        for source in segments.into_iter().filter(|source| !source.is_cleaned) {
            if key_bytes > KEY_BYTES_MAX {
                break;
            }
            key_bytes += remember_keys(source.reader, &aborted, &mut newest)?;
            reached = source.id;
        }
        let passed = ids.iter().position(|id| *id == reached).map_or(0, |at| at + 1);
        let mut group: Vec<u64> = Vec::new();
        let mut group_bytes = 0;
        for id in &ids[..passed] {
            let size = lock(&self.state).segments.iter().find(|one| one.id == *id).map_or(0, |one| one.size);
            if !group.is_empty() && group_bytes + size > self.config.segment_bytes {
                self.rewrite(&group, &aborted, &newest, start, wall)?;
                group.clear();
                group_bytes = 0;
            }
            group.push(*id);
            group_bytes += size;
        }
        if group.is_empty() { Ok(()) } else { self.rewrite(&group, &aborted, &newest, start, wall) }
    }

    /// Which segments a pass takes, when one is due.
    fn plan_pass(&self, wall: i64) -> io::Result<Option<Pass>> {
        let mut state = lock(&self.state);
        let segment_ms = self.config.segment_ms;
        if let Some(newest) = state.segments.last_mut().filter(|newest| newest.size > 0) {
            let begun = *newest.begun.get_or_insert(wall);
            if wall.saturating_sub(begun) >= segment_ms {
                self.roll(&mut state)?;
            }
        }
        let (stable, lag) = (state.stable(), self.config.min_compaction_lag_ms);
        let mut segments = Vec::new();
        for pair in state.segments.windows(2) {
            let is_fresh = lag > 0 && wall.saturating_sub(pair[0].max_time) < lag;
            if pair[1].base > stable || (is_fresh && !pair[0].is_cleaned) {
                break;
            }
            let (segment, reader) = (&pair[0], pair[0].reader(0)?);
            let Segment { id, size, is_cleaned, .. } = *segment;
            segments.push(Source { id, size, is_cleaned, reader });
        }
        let bytes = |is_cleaned: bool| -> u64 {
            segments.iter().filter(|one| one.is_cleaned == is_cleaned).map(|one| one.size).sum()
        };
        let (dirty, clean) = (bytes(false), bytes(true));
        let is_due = dirty > 0 && dirty * 1_000 >= (dirty + clean) * self.config.min_cleanable_permille;
        Ok(is_due.then(|| Pass { segments, aborted: Arc::clone(&state.aborted), start: state.start }))
    }

    /// Writes the group's surviving records into one segment, which takes the group's place.
    fn rewrite(
        &self,
        group: &[u64],
        aborted: &BTreeMap<u64, i64>,
        newest: &Newest,
        start: i64,
        wall: i64,
    ) -> io::Result<()> {
        let (base, readers) = {
            let state = lock(&self.state);
            let chosen: Vec<&Segment> = state.segments.iter().filter(|one| group.contains(&one.id)).collect();
            let Some(first) = chosen.first() else { return Ok(()) };
            let readers: io::Result<Vec<SegmentReader>> = chosen.iter().map(|one| one.reader(0)).collect();
            (first.base, readers?)
        };
        let mut output = Output::new(self.draft(base)?, base);
        for mut reader in readers {
            while let Some(batch) = reader.next()? {
                let header = batch.header;
                let is_void = header.kind != Kind::Data || aborted.contains_key(&header.txn);
                if is_void || header.last() < start {
                    continue;
                }
                let horizon = if header.horizon == 0 {
                    wall.saturating_add(self.config.delete_retention_ms)
                } else {
                    header.horizon
                };
                let mut records = RecordCursor::new(&header);
                while let Some(Some(record)) = records.next(&header, &batch.bytes) {
                    if survives(&record, newest, horizon, wall) && record.offset >= start {
                        output.push(&record, horizon)?;
                    }
                }
            }
        }
        self.replace(group, output.finish()?)
    }

    fn draft(&self, base: i64) -> io::Result<Segment> {
        let Some(folder) = &self.folder else { return Ok(Segment::new(None, base)) };
        let path = folder.join(format!("{base:020}.draft"));
        let mut segment = Segment::over(Backing::File { path, open: None }, base);
        segment.open_for_append()?.set_len(0)?;
        Ok(segment)
    }

    fn replace(&self, group: &[u64], mut fresh: Segment) -> io::Result<()> {
        fresh.is_cleaned = true;
        if self.folder.is_some() {
            fresh.open_for_append()?.sync_data()?;
            fresh.close();
        }
        let mut state = lock(&self.state);
        if state.is_deleted {
            return Ok(());
        }
        if let (Some(folder), Backing::File { path, .. }) = (&self.folder, &fresh.backing) {
            let place = folder.join(Segment::file_name(fresh.base));
            std::fs::rename(path, &place)?;
            fresh.relocate(place);
        }
        let Some(at) = state.segments.iter().position(|one| group.contains(&one.id)) else { return Ok(()) };
        let base = fresh.base;
        let old: Vec<Segment> = state.segments.drain(at..at + group.len()).collect();
        state.segments.insert(at, fresh);
        drop_tail_below(&mut state, at);
        for segment in old.iter().filter(|segment| segment.base != base) {
            if let Backing::File { path, .. } = &segment.backing {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Forgets batches in memory that stand for a segment which was rewritten.
fn drop_tail_below(state: &mut PartitionState, rewritten: usize) {
    let Some(below) = state.segments.get(rewritten + 1).map(|segment| segment.base) else { return };
    while state.tail.front().is_some_and(|batch| batch.header.base < below) {
        let oldest = state.tail.pop_front().expect("a front was seen just now");
        state.tail_bytes -= oldest.bytes.len();
    }
}

fn remember_keys(
    mut reader: SegmentReader,
    aborted: &BTreeMap<u64, i64>,
    newest: &mut Newest,
) -> io::Result<usize> {
    let mut bytes = 0;
    while let Some(batch) = reader.next()? {
        let header = batch.header;
        if header.kind != Kind::Data || aborted.contains_key(&header.txn) {
            continue;
        }
        let mut records = RecordCursor::new(&header);
        while let Some(Some(record)) = records.next(&header, &batch.bytes) {
            let Some(key) = record.key else { continue };
            match newest.get_mut(key) {
                Some(offset) => *offset = record.offset,
                None => {
                    bytes += key.len() + 32;
                    newest.insert(key.into(), record.offset);
                }
            }
        }
    }
    Ok(bytes)
}

/// A record without a key cannot be superseded; Kafka refuses it in compacted topics, here it is dropped with the rest.
fn survives(record: &RecordView<'_>, newest: &Newest, horizon: i64, wall: i64) -> bool {
    let Some(key) = record.key else { return false };
    let is_newest = newest.get(key).is_none_or(|offset| record.offset >= *offset);
    is_newest && (record.value.is_some() || wall < horizon)
}

/// Collects surviving records into batches of a new segment.
struct Output {
    segment: Segment,
    builder: BatchBuilder,
    base: i64,
    horizon: i64,
}

impl Output {
    fn new(segment: Segment, base: i64) -> Self {
        Self { segment, builder: BatchBuilder::with_capacity(BATCH_BYTES), base, horizon: 0 }
    }

    fn push(&mut self, record: &RecordView<'_>, horizon: i64) -> io::Result<()> {
        let mut delta = u32::try_from(record.offset - self.base);
        if self.builder.count() > 0 && (self.builder.len() >= BATCH_BYTES || delta.is_err()) {
            self.close()?;
        }
        if self.builder.count() == 0 {
            self.base = record.offset;
            delta = Ok(0);
        }
        self.horizon = self.horizon.max(horizon);
        let delta = delta.map_err(io::Error::other)?;
        self.builder.push(delta, record.time, record.key, record.value, &record.headers);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let builder = std::mem::replace(&mut self.builder, BatchBuilder::with_capacity(BATCH_BYTES));
        let seal = Seal { base: self.base, kind: Kind::Data, txn: 0, horizon: self.horizon };
        self.horizon = 0;
        let (header, bytes) = builder.seal(seal);
        self.segment.append(header, &Bytes::from(bytes))
    }

    fn finish(mut self) -> io::Result<Segment> {
        if self.builder.count() > 0 {
            self.close()?;
        }
        Ok(self.segment)
    }
}
