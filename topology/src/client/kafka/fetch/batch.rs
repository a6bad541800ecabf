//! One record batch (KIP-98's format, magic 2): its header, and its records read one after another. Must not know
//! partitions' positions, nor which transactions were aborted.

use bytes::Bytes;

use super::compression::unpack;
use super::wire::{Malformed, Reader};
use crate::record::Headers;
use crate::time::Timestamp;

/// Bytes before a batch's length ends, and before its records begin.
const LENGTH_END: usize = 12;
const HEADER: usize = 61;
/// Where the checksum's bytes begin.
const CHECKED_FROM: usize = 21;

const WHAT: &str = "a record batch";

/// The header of a batch, with its records as they lie.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) producer: i64,
    attributes: i16,
    base_time: i64,
    max_time: i64,
    count: i32,
    packed: Bytes,
}

/// Why a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the record batch at offset {0} fails its checksum: the broker's disk or the network damaged it")]
    Checksum(i64),
    #[error(
        "the record batch at offset {0} is in the format of Kafka before 0.11: set the property `fetcher=librdkafka`, \
         which reads it"
    )]
    Old(i64),
}

impl Batch {
    /// The next batch of `bytes`, which are then behind it; `None` where only a part of one is left.
    pub(super) fn next(bytes: &mut Bytes) -> Result<Option<Self>, BatchError> {
        let Some((head, _)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
        let mut reader = Reader::new(head, WHAT);
        let base_offset = reader.i64()?;
        let len = usize::try_from(reader.i32()?).map_err(|_| reader.malformed())? + LENGTH_END;
        reader.i32()?;
        if reader.i8()? != 2 {
            return Err(BatchError::Old(base_offset));
        }
        if len < HEADER {
            return Err(reader.malformed().into());
        }
        if bytes.len() < len {
            return Ok(None);
        }
        let (checksum, attributes, last_delta) = (reader.u32()?, reader.i16()?, reader.i32()?);
        let (base_time, max_time, producer) = (reader.i64()?, reader.i64()?, reader.i64()?);
        reader.take(6)?;
        let count = reader.i32()?;
        let mut packed = bytes.split_to(len);
        if crc32c::crc32c(&packed[CHECKED_FROM..]) != checksum {
            return Err(BatchError::Checksum(base_offset));
        }
        let packed = packed.split_off(HEADER);
        let last_offset = base_offset.saturating_add(i64::from(last_delta));
        let batch =
            Self { base_offset, last_offset, producer, attributes, base_time, max_time, count, packed };
        Ok(Some(batch))
    }

    /// The last offset of the last whole batch in `bytes`, without looking inside.
    pub(super) fn last_offset_in(mut bytes: &[u8]) -> Option<i64> {
        let mut last = None;
        while let Some((head, _)) = bytes.split_at_checked(HEADER) {
            let mut reader = Reader::new(head, WHAT);
            let base = reader.i64().ok()?;
            let len = usize::try_from(reader.i32().ok()?).ok()? + LENGTH_END;
            reader.take(11).ok()?;
            let delta = reader.i32().ok()?;
            let Some(rest) = bytes.get(len.max(HEADER)..) else { break };
            (last, bytes) = (Some(base.saturating_add(i64::from(delta))), rest);
        }
        last
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    /// A marker of a transaction, or another word between brokers.
    pub(super) fn is_control(&self) -> bool {
        self.attributes & 0x20 != 0
    }

    /// Whether this is the marker of an abort.
    pub(super) fn marks_abort(self) -> Result<bool, BatchError> {
        let mut records = self.open(Vec::new())?;
        let Some(marker) = records.next()? else { return Ok(false) };
        let mut key = Reader::new(marker.key.unwrap_or_default(), "a transaction's marker");
        let (_version, kind) = (key.i16()?, key.i16()?);
        Ok(kind == 0)
    }

    /// The batch's records. What is unpacked is kept in `room`, which [`Records::close`] gives back.
    pub(super) fn open(self, mut room: Vec<u8>) -> Result<Records, BatchError> {
        room.clear();
        let codec = self.attributes & 0x07;
        let data = if codec == 0 {
            Data::Plain(self.packed)
        } else {
            unpack(codec, &self.packed, &mut room)?;
            Data::Unpacked
        };
        let append_time = (self.attributes & 0x08 != 0).then_some(self.max_time);
        let (base_offset, base_time, left) = (self.base_offset, self.base_time, self.count);
        Ok(Records { data, room, at: 0, left, base_offset, base_time, append_time })
    }
}

#[derive(Debug)]
enum Data {
    Plain(Bytes),
    Unpacked,
}

/// The records of a batch, read one after another.
#[derive(Debug)]
pub(super) struct Records {
    data: Data,
    room: Vec<u8>,
    at: usize,
    left: i32,
    base_offset: i64,
    base_time: i64,
    append_time: Option<i64>,
}

/// A record as it lies in its batch.
#[derive(Debug)]
pub(super) struct BatchRecord<'a> {
    pub(super) offset: i64,
    pub(super) timestamp: Timestamp,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers,
}

impl Records {
    /// The next record.
    pub(super) fn next(&mut self) -> Result<Option<BatchRecord<'_>>, Malformed> {
        if self.left <= 0 {
            return Ok(None);
        }
        let data: &[u8] = match &self.data {
            Data::Plain(bytes) => bytes,
            Data::Unpacked => &self.room,
        };
        let mut frame = Reader::new(data.get(self.at..).unwrap_or_default(), "a record");
        let before = frame.left().len();
        let body = frame.varbytes()?.ok_or(Malformed("a record"))?;
        self.at += before - frame.left().len();
        self.left -= 1;
        let mut reader = Reader::new(body, "a record");
        reader.i8()?;
        let (time, offset) = (reader.varlong()?, reader.varlong()?);
        let (key, value) = (reader.varbytes()?, reader.varbytes()?);
        let headers = read_headers(&mut reader)?;
        let timestamp = Timestamp(self.append_time.unwrap_or_else(|| self.base_time.saturating_add(time)));
        let offset = self.base_offset.saturating_add(offset);
        Ok(Some(BatchRecord { offset, timestamp, key, value, headers }))
    }

    /// The room for the next batch.
    pub(super) fn close(self) -> Vec<u8> {
        self.room
    }
}

fn read_headers(reader: &mut Reader<'_>) -> Result<Headers, Malformed> {
    let mut headers = Headers::default();
    for _ in 0..reader.varlong()? {
        let name = reader.varbytes()?.ok_or(reader.malformed())?;
        let value = reader.varbytes()?.map(Bytes::copy_from_slice);
        headers.push(String::from_utf8_lossy(name), value);
    }
    Ok(headers)
}
