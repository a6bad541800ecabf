//! Reading a partition: from the batches in memory, or from its files with the lock released. Owns what isolation hides.
//! Must not know consumers' assignments or groups.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::batch::{BatchHeader, Kind, RecordCursor};
use super::partition::{PartitionLog, PartitionState};
use super::segment::{Backing, FileReader, Segment, StoredBatch};
use super::waker::lock;
use crate::client::{ClientError, Isolation};
use crate::time::Timestamp;

/// Bytes handed out by one read, about.
const READ_BYTES: usize = 512 * 1024;

/// A batch on its way to a consumer; one whose records are hidden only moves the position.
#[derive(Debug)]
pub(super) struct FetchedBatch {
    pub(super) batch: StoredBatch,
    pub(super) is_visible: bool,
}

/// Where a consumer's next read goes on, so that it need not search.
#[derive(Debug, Default)]
pub(super) struct ReadCursor {
    next: i64,
    place: Option<FilePlace>,
}

#[derive(Debug)]
struct FilePlace {
    segment: u64,
    reader: FileReader,
}

enum Step {
    AtEnd,
    Served,
    File { segment: u64, aborted: Arc<BTreeMap<u64, i64>>, reader: FileReader },
}

impl PartitionLog {
    /// Brings batches from `position` on into `out`. Returns the end that the reader may see; when it brought nothing,
    /// there is nothing below that end.
    pub(super) fn read(
        &self,
        position: i64,
        isolation: Isolation,
        cursor: &mut ReadCursor,
        out: &mut VecDeque<FetchedBatch>,
    ) -> Result<i64, ClientError> {
        loop {
            let mut state = lock(&self.state);
            self.check_position(&state, position)?;
            let end = state.limit(isolation);
            let step = self.first_step(&mut state, position, isolation, cursor, out);
            drop(state);
            match step.map_err(|source| self.read_error(source))? {
                Step::AtEnd | Step::Served => return Ok(end),
                Step::File { segment, aborted, mut reader } => {
                    let found = read_file(&mut reader, position, end, out);
                    let is_over = found.map_err(|source| self.read_error(source))?;
                    let next = out.back().map_or(position, |fetched| fetched.batch.header.last() + 1);
                    for fetched in out.iter_mut() {
                        let header = &fetched.batch.header;
                        fetched.is_visible = is_visible(header, isolation, |txn| aborted.contains_key(&txn));
                    }
                    *cursor = ReadCursor { next, place: Some(FilePlace { segment, reader }) };
                    if is_over || !out.is_empty() {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// Whether `position` can be read.
    pub(super) fn check_position(&self, state: &PartitionState, position: i64) -> Result<(), ClientError> {
        if state.is_deleted {
            return Err(ClientError::UnknownTopic { topic: self.name.topic.to_string() });
        }
        if position < state.start || position > state.next {
            return Err(ClientError::OffsetOutOfRange {
                partition: self.name.clone(),
                offset: position,
                low: state.start,
                high: state.next,
            });
        }
        Ok(())
    }

    fn read_error(&self, source: io::Error) -> ClientError {
        let source = io::Error::new(source.kind(), format!("partition {}: {source}", self.name));
        ClientError::Io { operation: "reading the embedded log", source }
    }

    fn first_step(
        &self,
        state: &mut PartitionState,
        position: i64,
        isolation: Isolation,
        cursor: &mut ReadCursor,
        out: &mut VecDeque<FetchedBatch>,
    ) -> io::Result<Step> {
        let limit = state.limit(isolation);
        if position >= limit {
            return Ok(Step::AtEnd);
        }
        if state.tail.front().is_some_and(|batch| batch.header.base <= position) {
            let from = state.tail.partition_point(|batch| batch.header.last() < position);
            take(state.tail.range(from..), limit, isolation, state, out);
            return Ok(Step::Served);
        }
        let mut at = state.segments.partition_point(|segment| segment.base <= position).saturating_sub(1);
        while let Some(segment) = state.segments.get(at) {
            let step = self.step_in(segment, state, position, isolation, cursor, out)?;
            if !matches!(step, Step::AtEnd) {
                return Ok(step);
            }
            at += 1;
        }
        Ok(Step::AtEnd)
    }

    fn step_in(
        &self,
        segment: &Segment,
        state: &PartitionState,
        position: i64,
        isolation: Isolation,
        cursor: &mut ReadCursor,
        out: &mut VecDeque<FetchedBatch>,
    ) -> io::Result<Step> {
        if let Backing::Memory(list) = &segment.backing {
            let from = list.partition_point(|batch| batch.header.last() < position);
            take(list[from..].iter(), state.limit(isolation), isolation, state, out);
            return Ok(if out.is_empty() { Step::AtEnd } else { Step::Served });
        }
        let kept = cursor.place.take().filter(|place| place.segment == segment.id && cursor.next == position);
        let reader = match kept {
            Some(place) => place.reader.extended_to(segment.size),
            None => {
                FileReader::new(segment.open_for_read()?, segment.position_before(position), segment.size)
            }
        };
        if reader.position() >= segment.size {
            return Ok(Step::AtEnd);
        }
        Ok(Step::File { segment: segment.id, aborted: Arc::clone(&state.aborted), reader })
    }

    /// The first offset whose record is of `time` or later, at or above the first offset held.
    pub(super) fn offset_for_time(&self, time: Timestamp) -> Result<Option<i64>, ClientError> {
        let mut from = None;
        loop {
            let (start, mut reader) = {
                let state = lock(&self.state);
                let after = from.unwrap_or(i64::MIN);
                let mut rest = state.segments.iter().filter(|segment| segment.base > after);
                let Some(segment) = rest.find(|segment| segment.max_time >= time.0) else { return Ok(None) };
                from = Some(segment.base);
                let reader = segment.reader(segment.position_before_time(time.0));
                (state.start, reader.map_err(|source| self.read_error(source))?)
            };
            while let Some(batch) = reader.next().map_err(|source| self.read_error(source))? {
                let header = batch.header;
                if header.kind != Kind::Data || header.max_time < time.0 || header.last() < start {
                    continue;
                }
                let mut records = RecordCursor::new(&header);
                while let Some(Some(record)) = records.next(&header, &batch.bytes) {
                    if record.time >= time.0 && record.offset >= start {
                        return Ok(Some(record.offset));
                    }
                }
            }
        }
    }
}

/// Reads batches of a file; answers whether it met the limit.
fn read_file(
    reader: &mut FileReader,
    position: i64,
    limit: i64,
    out: &mut VecDeque<FetchedBatch>,
) -> io::Result<bool> {
    let mut bytes = 0;
    while bytes < READ_BYTES {
        match reader.peek()? {
            Some(header) if header.last() < position => {
                reader.skip(header.len);
                continue;
            }
            Some(header) if header.base >= limit => return Ok(true),
            _ => {}
        }
        let Some(batch) = reader.next()? else { return Ok(false) };
        bytes += batch.bytes.len();
        out.push_back(FetchedBatch { is_visible: true, batch });
    }
    Ok(false)
}

fn take<'a>(
    batches: impl Iterator<Item = &'a StoredBatch>,
    limit: i64,
    isolation: Isolation,
    state: &PartitionState,
    out: &mut VecDeque<FetchedBatch>,
) {
    let mut bytes = 0;
    for batch in batches.take_while(|batch| batch.header.base < limit) {
        let is_visible = is_visible(&batch.header, isolation, |txn| state.aborted.contains_key(&txn));
        bytes += batch.bytes.len();
        out.push_back(FetchedBatch { batch: batch.clone(), is_visible });
        if bytes >= READ_BYTES {
            return;
        }
    }
}

fn is_visible(header: &BatchHeader, isolation: Isolation, is_aborted: impl Fn(u64) -> bool) -> bool {
    let is_hidden = isolation == Isolation::ReadCommitted && header.txn != 0 && is_aborted(header.txn);
    header.kind == Kind::Data && !is_hidden
}
