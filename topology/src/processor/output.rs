//! Serialized records on their way out of a task: sinks append, the thread drains into its producer. One buffer, no
//! allocation per record once it has grown. Knows no client.

use crate::record::{Headers, Partition};
use crate::time::Timestamp;

/// A record that waits to be sent; key and value lie in the buffer's bytes.
#[derive(Debug)]
pub(crate) struct OutputEntry {
    /// Index into the task's output topics.
    pub(crate) topic: u32,
    pub(crate) partition: Partition,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    /// The record that it was made of, by its queue and offset; nothing for what a commit or a punctuation wrote.
    pub(crate) origin: Option<(usize, i64)>,
    key: Option<(u32, u32)>,
    value: Option<(u32, u32)>,
}

/// Records that wait to be sent, in their order.
#[derive(Debug, Default)]
pub(crate) struct OutputBuffer {
    bytes: Vec<u8>,
    entries: Vec<OutputEntry>,
    /// The record in process.
    pub(crate) origin: Option<(usize, i64)>,
}

impl OutputBuffer {
    /// Starts a record: the sink serializes key and value into this buffer and tells where they lie.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn slice(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    /// Forgets bytes of a record that could not be serialized.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    pub(crate) fn push(
        &mut self,
        topic: u32,
        partition: Partition,
        key: Option<(u32, u32)>,
        value: Option<(u32, u32)>,
        timestamp: Timestamp,
        headers: Headers,
    ) {
        let origin = self.origin;
        self.entries.push(OutputEntry { topic, partition, timestamp, headers, origin, key, value });
    }

    /// Adds a record whose bytes exist already: changelog entries, dead letters.
    pub(crate) fn push_bytes(
        &mut self,
        topic: u32,
        partition: Partition,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: Headers,
    ) {
        let key = key.map(|bytes| self.copy(bytes));
        let value = value.map(|bytes| self.copy(bytes));
        self.push(topic, partition, key, value, timestamp, headers);
    }

    fn copy(&mut self, bytes: &[u8]) -> (u32, u32) {
        let position = |len: usize| u32::try_from(len).expect("outputs are drained long before 4 GiB");
        let start = position(self.bytes.len());
        self.bytes.extend_from_slice(bytes);
        (start, position(self.bytes.len()))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at `index` with its key and value.
    pub(crate) fn get(&self, index: usize) -> (&OutputEntry, Option<&[u8]>, Option<&[u8]>) {
        let entry = &self.entries[index];
        (entry, entry.key.map(|span| self.slice(span)), entry.value.map(|span| self.slice(span)))
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}
