//! The bytes of a suppression buffer's row, as Kafka Streams writes them since 2.5 ("version 3", which the changelog
//! record's header `v` says): the record's context, prior, old and new value, buffer time. Knows bytes and records only.

use bytes::Bytes;

use crate::record::{Headers, Partition, RecordMetadata, TopicPartition};
use crate::time::Timestamp;

/// The header every value in the changelog carries.
pub(crate) const VERSION_HEADER: (&str, &[u8]) = ("v", &[3]);

const NULL: i32 = -1;
/// The old value equals the prior value and is not written again.
const SAME_AS_PRIOR: i32 = -2;

/// A row that is to be written.
#[derive(Clone, Copy)]
pub(crate) struct RowToWrite<'a> {
    pub(crate) time: Timestamp,
    pub(crate) timestamp: Timestamp,
    pub(crate) metadata: &'a RecordMetadata,
    pub(crate) headers: &'a Headers,
    pub(crate) prior: Option<&'a [u8]>,
    pub(crate) old: Option<&'a [u8]>,
    pub(crate) new: Option<&'a [u8]>,
}

/// A row that was read.
#[derive(Debug, PartialEq)]
pub(crate) struct BufferRow<'a> {
    pub(crate) time: Timestamp,
    pub(crate) timestamp: Timestamp,
    pub(crate) metadata: RecordMetadata,
    pub(crate) headers: Headers,
    pub(crate) prior: Option<&'a [u8]>,
    pub(crate) old: Option<&'a [u8]>,
    pub(crate) new: Option<&'a [u8]>,
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            out.extend_from_slice(&length(bytes).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        None => out.extend_from_slice(&NULL.to_be_bytes()),
    }
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).expect("a record is smaller than 2 GiB in every log")
}

impl BufferRow<'_> {
    /// The same row, to be written.
    pub(crate) fn to_write(&self) -> RowToWrite<'_> {
        let Self { time, timestamp, metadata, headers, prior, old, new } = self;
        let (time, timestamp, prior, old, new) = (*time, *timestamp, *prior, *old, *new);
        RowToWrite { time, timestamp, metadata, headers, prior, old, new }
    }
}

impl RowToWrite<'_> {
    /// Appends the row's bytes to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.0.to_be_bytes());
        out.extend_from_slice(&self.metadata.offset.to_be_bytes());
        put_bytes(out, Some(self.metadata.source.topic.as_bytes()));
        out.extend_from_slice(&self.metadata.source.partition.0.to_be_bytes());
        let count = i32::try_from(self.headers.iter().count()).expect("headers fit in memory");
        out.extend_from_slice(&count.to_be_bytes());
        for header in self.headers.iter() {
            put_bytes(out, Some(header.name.as_bytes()));
            put_bytes(out, header.value.as_deref());
        }
        put_bytes(out, self.prior);
        if self.old.is_some() && self.old == self.prior {
            out.extend_from_slice(&SAME_AS_PRIOR.to_be_bytes());
        } else {
            put_bytes(out, self.old);
        }
        put_bytes(out, self.new);
        out.extend_from_slice(&self.time.0.to_be_bytes());
    }

    /// What the row weighs in a buffer bounded by bytes, counted as Kafka does; `key` is the key's length.
    pub(crate) fn weight(&self, key: usize) -> usize {
        let old = if self.old == self.prior { None } else { self.old };
        let values = [self.prior, old, self.new].into_iter().flatten().map(<[u8]>::len).sum::<usize>();
        let chars = |text: &str| text.encode_utf16().count();
        let headers = self.headers.iter();
        let headers: usize = headers.map(|h| chars(&h.name) + h.value.as_ref().map_or(0, Bytes::len)).sum();
        // Buffer time, timestamp, offset and partition.
        8 + key + values + 8 + 8 + 4 + chars(&self.metadata.source.topic) + headers
    }
}

/// Reads from the front of its bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn long(&mut self) -> Option<i64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(i64::from_be_bytes(*bytes))
    }

    fn int(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*bytes))
    }

    fn take(&mut self, len: i32) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    /// `None` when the bytes end; `Some(None)` for null.
    fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        match self.int()? {
            NULL => Some(None),
            len => self.take(len).map(Some),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.nullable()??).ok()
    }
}

/// Reads a row; `None` when the bytes are not one.
pub(crate) fn read(bytes: &[u8]) -> Option<BufferRow<'_>> {
    let mut from = Cursor(bytes);
    let timestamp = Timestamp(from.long()?);
    let offset = from.long()?;
    let topic = from.text()?;
    let partition = Partition(from.int()?);
    let mut headers = Headers::default();
    for _ in 0..from.int()? {
        let name = from.text()?;
        headers.push(name, from.nullable()?.map(Bytes::copy_from_slice));
    }
    let prior = from.nullable()?;
    let old = match from.int()? {
        SAME_AS_PRIOR => prior,
        NULL => None,
        len => Some(from.take(len)?),
    };
    let new = from.nullable()?;
    let time = Timestamp(from.long()?);
    let source = TopicPartition { topic: topic.into(), partition };
    let metadata = RecordMetadata { source, offset };
    Some(BufferRow { time, timestamp, metadata, headers, prior, old, new })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(prior: Option<&'a [u8]>, old: Option<&'a [u8]>) -> BufferRow<'a> {
        let mut headers = Headers::default();
        headers.push("h", None);
        let metadata = RecordMetadata { source: TopicPartition::new("t", 2), offset: 5 };
        BufferRow {
            time: Timestamp(9),
            timestamp: Timestamp(7),
            metadata,
            headers,
            prior,
            old,
            new: Some(b"n"),
        }
    }

    #[test]
    fn a_row_is_context_prior_old_new_and_buffer_time() {
        // BufferValue.serialize(8) with ProcessorRecordContext(7, 5, 2, "t", [h: null]), then putLong(9).
        let mut bytes = Vec::new();
        row(Some(b"p"), Some(b"o")).to_write().write(&mut bytes);
        let mut expected = Vec::new();
        expected.extend_from_slice(&7i64.to_be_bytes());
        expected.extend_from_slice(&5i64.to_be_bytes());
        expected.extend_from_slice(&[0, 0, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 1]);
        expected.extend_from_slice(&[0, 0, 0, 1, b'h', 255, 255, 255, 255]);
        expected.extend_from_slice(&[0, 0, 0, 1, b'p', 0, 0, 0, 1, b'o', 0, 0, 0, 1, b'n']);
        expected.extend_from_slice(&9i64.to_be_bytes());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn every_combination_of_prior_and_old_reads_back() {
        for prior in [None, Some(&b"a"[..])] {
            for old in [None, Some(&b"a"[..]), Some(&b"b"[..])] {
                let mut bytes = Vec::new();
                row(prior, old).to_write().write(&mut bytes);
                assert_eq!(read(&bytes), Some(row(prior, old)));
                assert_eq!(read(&bytes[..bytes.len() - 1]), None, "a torn row is none");
            }
        }
    }
}
