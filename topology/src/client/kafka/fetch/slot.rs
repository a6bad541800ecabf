//! An assigned partition: what was fetched of it and not yet handed on, and the two places that follow from it — where
//! the reader is, and where the next fetch begins. Must not know connections.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::batch::{Batch, BatchError, Records};
use super::messages::{Aborted, FetchedPartition, Leader};
use crate::client::traits::Isolation;
use crate::record::{RecordRun, TopicPartition};

/// What one fetch brought.
#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    /// By first offset, the next one last.
    aborted: Vec<Aborted>,
    /// Producers whose transaction is one that was aborted, from the batch at hand on.
    silenced: Vec<i64>,
}

/// An assigned partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) source: TopicPartition,
    /// What the next poll reads.
    pub(super) position: i64,
    /// What the next fetch asks for.
    pub(super) fetch_from: i64,
    pub(super) leader: Option<Leader>,
    pub(super) paused: bool,
    /// Not fetched before this time.
    pub(super) retry_at: Duration,
    /// One past the last record, and past the last stable one.
    pub(super) end: Option<(i64, i64)>,
    /// Since when the cluster says that there is no such partition.
    pub(super) missing_since: Option<Duration>,
    chunks: VecDeque<Chunk>,
    open: Option<(Records, i64)>,
    room: Vec<u8>,
}

impl Slot {
    pub(super) fn new(source: TopicPartition, position: i64) -> Self {
        Self {
            source,
            position,
            fetch_from: position,
            leader: None,
            paused: false,
            retry_at: Duration::ZERO,
            end: None,
            missing_since: None,
            chunks: VecDeque::new(),
            open: None,
            room: Vec::new(),
        }
    }

    /// Reads from here next; what was fetched is dropped.
    pub(super) fn move_to(&mut self, position: i64) {
        (self.position, self.fetch_from) = (position, position);
        self.chunks.clear();
        self.open = None;
        self.retry_at = Duration::ZERO;
    }

    /// Bytes that wait, packed.
    pub(super) fn waiting(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    /// Whether a poll may find something here.
    pub(super) fn has_some(&self) -> bool {
        !self.paused && (self.open.is_some() || !self.chunks.is_empty())
    }

    /// Takes what a fetch from `from` brought, a part of `frame`. What was fetched for another place is dropped.
    pub(super) fn accept(&mut self, from: i64, fetched: FetchedPartition<'_>, frame: &Bytes) {
        self.missing_since = None;
        self.end = Some((fetched.high, fetched.stable));
        if from != self.fetch_from {
            return;
        }
        let Some(last) = Batch::last_offset_in(fetched.records) else { return };
        self.fetch_from = self.fetch_from.max(last.saturating_add(1));
        let mut aborted = fetched.aborted;
        aborted.sort_unstable_by(|a, b| b.cmp(a));
        self.chunks.push_back(Chunk {
            bytes: frame.slice_ref(fetched.records),
            aborted,
            silenced: Vec::new(),
        });
    }

    /// Appends at most `max` records to `run`; gives how many.
    pub(super) fn hand_on(
        &mut self,
        max: usize,
        isolation: Isolation,
        run: &mut RecordRun,
    ) -> Result<usize, BatchError> {
        let before = run.len();
        loop {
            let Some((records, last)) = &mut self.open else {
                if self.open_next(isolation)? { continue } else { break }
            };
            while run.len() - before < max {
                let Some(record) = records.next()? else { break };
                if record.offset >= self.position {
                    self.position = record.offset + 1;
                    run.push(record.offset, record.timestamp, record.key, record.value, record.headers);
                }
            }
            if run.len() - before >= max {
                break;
            }
            self.position = self.position.max(*last + 1);
            self.room = self.open.take().map(|(records, _)| records.close()).unwrap_or_default();
        }
        Ok(run.len() - before)
    }

    /// Opens the next batch that is to be read and passes those that are not; `false` when nothing is left.
    fn open_next(&mut self, isolation: Isolation) -> Result<bool, BatchError> {
        while let Some(chunk) = self.chunks.front_mut() {
            let Some(batch) = Batch::next(&mut chunk.bytes)? else {
                self.chunks.pop_front();
                continue;
            };
            let last = batch.last_offset;
            // Markers too: the records before one may have come with the fetch before this one, or lie in another segment.
            chunk.silence_up_to(last);
            let is_read = match (batch.is_control(), isolation) {
                (true, Isolation::ReadCommitted) => {
                    let producer = batch.producer;
                    if batch.marks_abort()? {
                        chunk.silenced.retain(|silenced| *silenced != producer);
                    }
                    None
                }
                (true, Isolation::ReadUncommitted) => None,
                (false, Isolation::ReadCommitted) if chunk.silences(&batch) => None,
                (false, _) => (last >= self.position).then_some(batch),
            };
            match is_read {
                Some(batch) => {
                    let room = std::mem::take(&mut self.room);
                    self.open = Some((batch.open(room)?, last));
                    return Ok(true);
                }
                None => self.position = self.position.max(last + 1),
            }
        }
        Ok(false)
    }
}

impl Chunk {
    /// Silences producers whose aborted transaction begins at this offset or before.
    fn silence_up_to(&mut self, last_offset: i64) {
        while let Some(next) = self.aborted.pop_if(|next| next.first_offset <= last_offset) {
            self.silenced.push(next.producer);
        }
    }

    /// Whether the batch belongs to a transaction that was aborted.
    fn silences(&self, batch: &Batch) -> bool {
        batch.is_transactional() && self.silenced.contains(&batch.producer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A batch as a producer writes it, uncompressed.
    fn batch(base: i64, producer: i64, attributes: i16, values: &[&[u8]]) -> Vec<u8> {
        let mut records = Vec::new();
        for (delta, value) in (0_u8..).zip(values) {
            let len = u8::try_from(value.len()).expect("short values");
            // Attributes, time, offset, key and value, no headers; small numbers are one byte, doubled.
            let body = [&[0, 0, delta * 2, 8][..], b"\0\0\0\0", &[len * 2], value, &[0]].concat();
            records.push(u8::try_from(body.len()).expect("short records") * 2);
            records.extend_from_slice(&body);
        }
        let count = i32::try_from(values.len()).expect("few");
        let checked = [
            &attributes.to_be_bytes()[..],
            &(count - 1).to_be_bytes(),
            &[0; 16],
            &producer.to_be_bytes(),
            &[0; 6],
            &count.to_be_bytes(),
            &records,
        ]
        .concat();
        let len = i32::try_from(checked.len() + 9).expect("short");
        let crc = crc32c::crc32c(&checked).to_be_bytes();
        [&base.to_be_bytes()[..], &len.to_be_bytes(), &[0, 0, 0, 0, 2], &crc, &checked].concat()
    }

    fn abort(base: i64, producer: i64) -> Vec<u8> {
        let mut marker = batch(base, producer, 0x30, &[b"\0\0\0\0\0\0"]);
        // The key says version 0, kind 0: the fixture's four zero bytes.
        let checked = crc32c::crc32c(&marker[21..]).to_be_bytes();
        marker[17..21].copy_from_slice(&checked);
        marker
    }

    fn fetched<'a>(records: &'a [u8], aborted: &[Aborted]) -> FetchedPartition<'a> {
        let (high, stable) = (100, 100);
        FetchedPartition {
            topic: "t",
            partition: 0,
            refusal: None,
            high,
            stable,
            aborted: aborted.to_vec(),
            records,
        }
    }

    fn read(slot: &mut Slot, max: usize, isolation: Isolation) -> Vec<i64> {
        let mut run = RecordRun::new(slot.source.clone());
        slot.hand_on(max, isolation, &mut run).expect("whole batches");
        run.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn aborted_records_and_markers_are_passed_and_the_position_stands_behind_them() {
        let frame = Bytes::from(
            [
                batch(10, 1, 0x10, &[b"a", b"b"]),
                batch(12, 2, 0x10, &[b"c"]),
                abort(13, 1),
                batch(14, 1, 0x10, &[b"d"]),
                abort(15, 7),
            ]
            .concat(),
        );
        let aborted = [Aborted { first_offset: 10, producer: 1 }];
        let mut slot = Slot::new(TopicPartition::new("t", 0), 10);
        slot.accept(10, fetched(&frame, &aborted), &frame);
        assert_eq!(slot.fetch_from, 16);
        assert_eq!(read(&mut slot, 10, Isolation::ReadCommitted), [12, 14]);
        assert_eq!(slot.position, 16);
        let mut slot = Slot::new(TopicPartition::new("t", 0), 11);
        slot.accept(11, fetched(&frame, &aborted), &frame);
        assert_eq!(read(&mut slot, 2, Isolation::ReadUncommitted), [11, 12]);
        assert_eq!(slot.position, 13);
        assert_eq!(read(&mut slot, 2, Isolation::ReadUncommitted), [14]);
    }

    #[test]
    fn what_follows_an_abort_marker_is_read_though_the_aborted_records_came_before() {
        let frame = Bytes::from([abort(13, 1), batch(14, 1, 0x10, &[b"d"])].concat());
        // Brokers tell of each abort whose marker is at the fetched place or behind it.
        let aborted = [Aborted { first_offset: 10, producer: 1 }];
        let mut slot = Slot::new(TopicPartition::new("t", 0), 13);
        slot.accept(13, fetched(&frame, &aborted), &frame);
        assert_eq!(read(&mut slot, 10, Isolation::ReadCommitted), [14]);
    }

    #[test]
    fn answer_for_a_place_that_was_left_is_dropped() {
        let frame = Bytes::from(batch(10, 1, 0, &[b"a"]));
        let mut slot = Slot::new(TopicPartition::new("t", 0), 10);
        slot.move_to(5);
        slot.accept(10, fetched(&frame, &[]), &frame);
        assert!(!slot.has_some());
        assert_eq!((slot.position, slot.fetch_from), (5, 5));
    }

    #[test]
    fn damage_within_a_batch_is_said_after_the_records_before_it() {
        let mut bytes = [batch(0, 1, 0, &[b"a"]), batch(1, 1, 0, &[b"b"])].concat();
        *bytes.last_mut().expect("some bytes") ^= 1;
        let frame = Bytes::from(bytes);
        let mut slot = Slot::new(TopicPartition::new("t", 0), 0);
        slot.accept(0, fetched(&frame, &[]), &frame);
        let mut run = RecordRun::new(slot.source.clone());
        let error = slot.hand_on(10, Isolation::ReadCommitted, &mut run).expect_err("a wrong checksum");
        assert_eq!((run.len(), error), (1, BatchError::Checksum(1)));
    }

    proptest! {
        #[test]
        fn damaged_batches_never_end_the_process(
            cut in 0_usize..400, at in 0_usize..400, with in any::<u8>(), attributes in 0_i16..64,
        ) {
            let mut bytes = [batch(0, 1, attributes, &[b"abc", b"", b"d"]), batch(3, 1, 0x10, &[b"x"])].concat();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= with;
            }
            if let Some(len) = bytes.len().checked_sub(cut) {
                bytes.truncate(len);
            }
            // A checksum that fits, so that what is behind it is reached.
            if bytes.len() > 21 {
                let end = bytes.get(8..12).and_then(|len| len.try_into().ok()).map_or(0, u32::from_be_bytes) as usize + 12;
                let checked = crc32c::crc32c(&bytes[21..end.clamp(21, bytes.len())]).to_be_bytes();
                bytes[17..21].copy_from_slice(&checked);
            }
            let frame = Bytes::from(bytes);
            let mut slot = Slot::new(TopicPartition::new("t", 0), 0);
            slot.accept(0, fetched(&frame, &[]), &frame);
            let mut run = RecordRun::new(slot.source.clone());
            let _ = slot.hand_on(10, Isolation::ReadCommitted, &mut run);
            prop_assert!(run.len() <= 10);
        }
    }
}
