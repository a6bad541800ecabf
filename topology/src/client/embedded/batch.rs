//! The bytes of a batch: a fixed header with a checksum, then records. Owns the format, both ways.
//! Must not know files, partitions or transactions beyond the number a batch carries.
//!
//! All numbers are little endian: magic u32, whole length u32, crc32c u32 (of all that follows), kind u8, three zeros,
//! base offset i64, last offset delta u32, record count u32, base time i64, greatest time i64, transaction u64 (0: none),
//! delete horizon i64 (0: none), records.

use bytes::Bytes;

use crate::record::{Header, Headers};

/// Bytes of a batch's header.
pub(super) const HEADER_LEN: usize = 64;
/// The first four bytes of every batch.
pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"CWB1");

/// What a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records.
    Data,
    /// The transaction ended here and counts.
    Commit,
    /// The transaction ended here and does not count.
    Abort,
}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) len: u32,
    pub(super) crc: u32,
    pub(super) kind: Kind,
    pub(super) base: i64,
    pub(super) last_delta: u32,
    pub(super) count: u32,
    pub(super) base_time: i64,
    pub(super) max_time: i64,
    pub(super) txn: u64,
    pub(super) horizon: i64,
}

impl BatchHeader {
    /// Reads a header; `None` when the bytes cannot be one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEADER_LEN)?;
        let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        let kind = match head[12] {
            0 => Kind::Data,
            1 => Kind::Commit,
            2 => Kind::Abort,
            _ => return None,
        };
        let header = Self {
            len: u32_at(4),
            crc: u32_at(8),
            kind,
            base: u64_at(16).cast_signed(),
            last_delta: u32_at(24),
            count: u32_at(28),
            base_time: u64_at(32).cast_signed(),
            max_time: u64_at(40).cast_signed(),
            txn: u64_at(48),
            horizon: u64_at(56).cast_signed(),
        };
        (u32_at(0) == MAGIC && header.len as usize >= HEADER_LEN).then_some(header)
    }

    /// The last offset that the batch occupies.
    pub(super) fn last(&self) -> i64 {
        self.base.saturating_add(i64::from(self.last_delta))
    }

    /// Whether `batch`, which starts with this header and is as long as it says, is undamaged.
    pub(super) fn is_sound(&self, batch: &[u8]) -> bool {
        batch.len() == self.len as usize && crc32c::crc32c(&batch[12..]) == self.crc
    }

    fn write(&self, out: &mut [u8]) {
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.len.to_le_bytes());
        out[12] = match self.kind {
            Kind::Data => 0,
            Kind::Commit => 1,
            Kind::Abort => 2,
        };
        out[13..16].fill(0);
        out[16..24].copy_from_slice(&self.base.to_le_bytes());
        out[24..28].copy_from_slice(&self.last_delta.to_le_bytes());
        out[28..32].copy_from_slice(&self.count.to_le_bytes());
        out[32..40].copy_from_slice(&self.base_time.to_le_bytes());
        out[40..48].copy_from_slice(&self.max_time.to_le_bytes());
        out[48..56].copy_from_slice(&self.txn.to_le_bytes());
        out[56..64].copy_from_slice(&self.horizon.to_le_bytes());
    }
}

/// A record on its way into or out of a batch.
#[derive(Clone, Debug)]
pub(super) struct RecordView<'a> {
    pub(super) offset: i64,
    pub(super) time: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers,
}

/// A batch being filled. Offsets are relative until [`BatchBuilder::seal`] gives the base.
#[derive(Debug, Default)]
pub(super) struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
    last_delta: u32,
    base_time: i64,
    max_time: i64,
}

/// What `seal` puts into the header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    pub(super) base: i64,
    pub(super) kind: Kind,
    pub(super) txn: u64,
    pub(super) horizon: i64,
}

impl BatchBuilder {
    /// An empty batch with room for `capacity` bytes.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity.max(HEADER_LEN));
        bytes.resize(HEADER_LEN, 0);
        Self { bytes, ..Self::default() }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Records so far.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Adds a record whose offset is `delta` behind the batch's base.
    pub(super) fn push(
        &mut self,
        delta: u32,
        time: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) {
        if self.count == 0 {
            self.base_time = time;
            self.max_time = time;
        }
        self.count += 1;
        self.last_delta = delta;
        self.max_time = self.max_time.max(time);
        let out = &mut self.bytes;
        put_varint(out, u64::from(delta));
        put_varint(out, zigzag(time.wrapping_sub(self.base_time)));
        put_varint(out, key.map_or(0, |bytes| bytes.len() as u64 + 1));
        put_varint(out, value.map_or(0, |bytes| bytes.len() as u64 + 1));
        if headers.is_empty() {
            out.push(0);
        } else {
            put_varint(out, headers.iter().count() as u64);
        }
        out.extend_from_slice(key.unwrap_or_default());
        out.extend_from_slice(value.unwrap_or_default());
        for header in headers.iter() {
            put_varint(out, header.name.len() as u64);
            out.extend_from_slice(header.name.as_bytes());
            put_varint(out, header.value.as_ref().map_or(0, |bytes| bytes.len() as u64 + 1));
            out.extend_from_slice(header.value.as_deref().unwrap_or_default());
        }
    }

    /// Closes the batch: writes header and checksum. An empty one (a marker) occupies one offset.
    pub(super) fn seal(self, seal: Seal) -> (BatchHeader, Vec<u8>) {
        let mut bytes = self.bytes;
        let len = u32::try_from(bytes.len()).expect("a batch is closed long before 4 GiB");
        let mut header = BatchHeader {
            len,
            crc: 0,
            kind: seal.kind,
            base: seal.base,
            last_delta: self.last_delta,
            count: self.count,
            base_time: self.base_time,
            max_time: self.max_time,
            txn: seal.txn,
            horizon: seal.horizon,
        };
        header.write(&mut bytes);
        header.crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&header.crc.to_le_bytes());
        (header, bytes)
    }

    /// A marker that ends transaction `txn` at offset `base`.
    pub(super) fn marker(base: i64, txn: u64, kind: Kind, time: i64) -> (BatchHeader, Vec<u8>) {
        let mut builder = Self::with_capacity(HEADER_LEN);
        builder.base_time = time;
        builder.max_time = time;
        builder.seal(Seal { base, kind, txn, horizon: 0 })
    }
}

/// Walks the records of one batch; may be kept between polls.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordCursor {
    at: usize,
    left: u32,
}

impl RecordCursor {
    /// Before the first record of a batch with this header.
    pub(super) fn new(header: &BatchHeader) -> Self {
        Self { at: HEADER_LEN, left: header.count }
    }

    /// Whether all records were taken.
    pub(super) fn is_at_end(&self) -> bool {
        self.left == 0
    }

    /// The next record; `None` at the end, `Some(None)` where the bytes make no sense.
    pub(super) fn next<'a>(
        &mut self,
        header: &BatchHeader,
        batch: &'a [u8],
    ) -> Option<Option<RecordView<'a>>> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader { bytes: batch, at: self.at };
        let view = reader.record(header);
        self.at = reader.at;
        Some(view)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let first = *self.bytes.get(self.at)?;
        self.at += 1;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    #[inline]
    fn nullable(&mut self, len_plus_one: u64) -> Option<Option<&'a [u8]>> {
        match len_plus_one.checked_sub(1) {
            None => Some(None),
            Some(len) => self.take(len).map(Some),
        }
    }

    #[inline]
    fn record(&mut self, header: &BatchHeader) -> Option<RecordView<'a>> {
        let delta = self.varint()?;
        let time = header.base_time.wrapping_add(unzigzag(self.varint()?));
        let key_len = self.varint()?;
        let value_len = self.varint()?;
        let header_count = self.varint()?;
        let key = self.nullable(key_len)?;
        let value = self.nullable(value_len)?;
        let mut headers = Headers::default();
        for _ in 0..header_count {
            let one = self.header()?;
            headers.push(one.name, one.value);
        }
        let offset = header.base.checked_add(i64::try_from(delta).ok()?)?;
        Some(RecordView { offset, time, key, value, headers })
    }

    fn header(&mut self) -> Option<Header> {
        let len = self.varint()?;
        let name = std::str::from_utf8(self.take(len)?).ok()?;
        let len = self.varint()?;
        let value = self.nullable(len)?.map(Bytes::copy_from_slice);
        Some(Header { name: name.into(), value })
    }
}

#[inline]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_of_a_batch_as_they_went_in() {
        let mut headers = Headers::default();
        headers.push("a", Some(Bytes::from_static(b"x")));
        headers.push("a", None);
        let mut builder = BatchBuilder::with_capacity(0);
        builder.push(0, 1_000, Some(b""), None, &headers);
        builder.push(300, -5, None, Some(b"value"), &Headers::default());
        let (header, bytes) = builder.seal(Seal { base: 40, kind: Kind::Data, txn: 9, horizon: 0 });
        assert_eq!(BatchHeader::parse(&bytes), Some(header));
        assert!(header.is_sound(&bytes));
        assert_eq!((header.last(), header.max_time, header.txn), (340, 1_000, 9));
        let mut cursor = RecordCursor::new(&header);
        let first = cursor.next(&header, &bytes).flatten().expect("a first record");
        assert_eq!((first.offset, first.time, first.key, first.value), (40, 1_000, Some(&b""[..]), None));
        assert_eq!(first.headers, headers);
        let second = cursor.next(&header, &bytes).flatten().expect("a second record");
        assert_eq!((second.offset, second.time, second.key), (340, -5, None));
        assert_eq!(second.value, Some(&b"value"[..]));
        assert!(cursor.next(&header, &bytes).is_none());
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let mut builder = BatchBuilder::with_capacity(0);
        builder.push(0, 7, Some(b"key"), Some(b"value"), &Headers::default());
        let (_, bytes) = builder.seal(Seal { base: 3, kind: Kind::Data, txn: 0, horizon: 0 });
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let sound = BatchHeader::parse(&damaged).is_some_and(|header| header.is_sound(&damaged));
            assert!(!sound, "byte {at}");
        }
    }
}
