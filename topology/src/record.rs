//! Records as they travel: typed between processors, raw bytes between the log and the tasks, and the names of
//! topics, partitions and tasks. Knows bytes and time only; no serde, no store, no client.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::Timestamp;

/// A typed record between two processors: what a source decoded or a processor forwards.
///
/// Headers are carried along; a record without headers costs one word for them.
///
/// ```
/// use candlewick::{Record, Timestamp};
/// let record = Record::new("BTC", 100, Timestamp(7));
/// let in_words = record.with_value("a hundred").with_key("bitcoin");
/// assert_eq!((in_words.key, in_words.value, in_words.timestamp), ("bitcoin", "a hundred", Timestamp(7)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record<K, V> {
    /// The key. Use `Option<K>` where a topic carries null keys.
    pub key: K,
    /// The value. Use `Option<V>` where a topic carries null values.
    pub value: V,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers in their order of arrival.
    pub headers: Headers,
}

impl<K, V> Record<K, V> {
    /// A record without headers.
    ///
    /// ```
    /// use candlewick::{Record, Timestamp};
    /// assert!(Record::new("BTC", 100, Timestamp(7)).headers.is_empty());
    /// ```
    pub fn new(key: K, value: V, timestamp: Timestamp) -> Self {
        Self { key, value, timestamp, headers: Headers::default() }
    }

    /// The same key, time and headers with another value.
    ///
    /// ```
    /// use candlewick::{Record, Timestamp};
    /// let record = Record::new("BTC", 100, Timestamp(7)).with_value("a hundred");
    /// assert_eq!((record.key, record.value), ("BTC", "a hundred"));
    /// ```
    pub fn with_value<W>(self, value: W) -> Record<K, W> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same value, time and headers with another key.
    ///
    /// ```
    /// use candlewick::{Record, Timestamp};
    /// assert_eq!(Record::new("BTC", 100, Timestamp(7)).with_key(1), Record::new(1, 100, Timestamp(7)));
    /// ```
    pub fn with_key<L>(self, key: L) -> Record<L, V> {
        Record { key, value: self.value, timestamp: self.timestamp, headers: self.headers }
    }
}

/// Record headers: names with optional bytes, in order, duplicates allowed. Empty ones allocate nothing, and copies share
/// what they hold until one of them is changed.
///
/// ```
/// use candlewick::Headers;
/// let mut headers = Headers::default();
/// headers.push("trace", Some(b"1".as_slice().into()));
/// assert_eq!(headers.iter().count(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

/// One header: a name and optional bytes.
///
/// ```
/// use candlewick::Header;
/// let header = Header { name: "trace".into(), value: Some(b"1".as_slice().into()) };
/// assert_eq!(header.value.as_deref(), Some(&b"1"[..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name.
    pub name: Arc<str>,
    /// Its bytes; `None` is a null value, not an empty one.
    pub value: Option<Bytes>,
}

impl Headers {
    /// Adds a header at the end.
    ///
    /// ```
    /// let mut headers = candlewick::Headers::default();
    /// headers.push("trace", None);
    /// assert_eq!(headers.last("trace").map(|header| header.value.is_none()), Some(true));
    /// ```
    pub fn push(&mut self, name: impl Into<Arc<str>>, value: Option<Bytes>) {
        let list = Arc::make_mut(self.0.get_or_insert_default());
        list.push(Header { name: name.into(), value });
    }

    /// All headers in order.
    ///
    /// ```
    /// let mut headers = candlewick::Headers::default();
    /// headers.push("hop", None);
    /// headers.push("trace", None);
    /// assert_eq!(headers.iter().map(|header| &*header.name).collect::<Vec<_>>(), ["hop", "trace"]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter().flat_map(|list| list.iter())
    }

    /// Whether there is no header.
    ///
    /// ```
    /// assert!(candlewick::Headers::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|list| list.is_empty())
    }

    /// The last header of this name.
    ///
    /// ```
    /// use candlewick::Headers;
    /// let mut headers = Headers::default();
    /// headers.push("hop", Some(b"a".as_slice().into()));
    /// headers.push("hop", Some(b"b".as_slice().into()));
    /// assert_eq!(headers.last("hop").and_then(|header| header.value.as_deref()), Some(&b"b"[..]));
    /// ```
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&Header> {
        self.0.as_ref()?.iter().rev().find(|header| &*header.name == name)
    }

    /// Removes every header of this name.
    ///
    /// ```
    /// use candlewick::Headers;
    /// let mut headers = Headers::default();
    /// headers.push("hop", Some(b"a".as_slice().into()));
    /// headers.push("hop", None);
    /// headers.remove("hop");
    /// assert!(headers.is_empty());
    /// ```
    pub fn remove(&mut self, name: &str) {
        if let Some(list) = &mut self.0 {
            Arc::make_mut(list).retain(|header| &*header.name != name);
        }
    }
}

/// A partition's number within its topic.
///
/// ```
/// use candlewick::{Partition, partition_for_key};
/// assert_eq!(Partition(3).to_string(), "3");
/// assert!(partition_for_key(b"BTC", 6) < Partition(6));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A topic's partition. The name is shared: cloning costs a reference count.
///
/// ```
/// use candlewick::{Partition, TopicPartition};
/// let partition = TopicPartition::new("trades", 3);
/// assert_eq!(partition.partition, Partition(3));
/// assert_eq!(partition.to_string(), "trades-3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: Partition,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    ///
    /// ```
    /// use candlewick::{Partition, TopicPartition};
    /// assert_eq!(TopicPartition::new("trades", 3).partition, Partition(3));
    /// ```
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition: Partition(partition) }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A task: one partition of one sub-topology, written `0_3` as in Kafka Streams.
///
/// ```
/// use candlewick::{Partition, TaskId};
/// assert_eq!(TaskId { sub_topology: 0, partition: Partition(3) }.to_string(), "0_3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The sub-topology's number.
    pub sub_topology: u32,
    /// The partition of its source topics.
    pub partition: Partition,
}

impl TaskId {
    /// What fills global stores is no task: this stands in a task's place where errors are told and handled.
    pub(crate) const GLOBAL: Self = Self { sub_topology: u32::MAX, partition: Partition(-1) };
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::GLOBAL {
            return f.write_str("global");
        }
        write!(f, "{}_{}", self.sub_topology, self.partition)
    }
}

/// Where the record in process came from: shown to handlers, processors and dead letters.
///
/// ```
/// use candlewick::{RecordMetadata, TopicPartition};
/// let origin = RecordMetadata { source: TopicPartition::new("trades", 3), offset: 17 };
/// assert_eq!(format!("{}@{}", origin.source, origin.offset), "trades-3@17");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The source topic and partition.
    pub source: TopicPartition,
    /// The record's offset in it.
    pub offset: i64,
}

/// A stretch of a [`RecordRun`]'s bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// One record of a run: numbers, and where its key and value lie in the run's bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEntry {
    offset: i64,
    timestamp: Timestamp,
    key: Option<Span>,
    value: Option<Span>,
    headers: Headers,
}

/// A run of records of one partition, in offset order, whose keys and values share one buffer:
/// a poll of a thousand records costs two allocations, not two thousand.
///
/// ```
/// use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
/// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
/// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
/// let record = run.get(0).expect("one record");
/// assert_eq!((record.offset, record.key, record.value), (7, Some(&b"BTC"[..]), None));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRun {
    /// The partition all records of the run come from.
    pub source: TopicPartition,
    data: Vec<u8>,
    entries: Vec<RunEntry>,
}

/// A borrowed record of a run. `None` is null, not empty: a tombstone stays a tombstone to the end.
///
/// ```
/// use candlewick::{Headers, RawRecord, RecordRun, Timestamp, TopicPartition};
/// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
/// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
/// let tombstones: Vec<RawRecord<'_>> = run.iter().filter(|record| record.value.is_none()).collect();
/// assert_eq!(tombstones[0].key, Some(&b"BTC"[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawRecord<'a> {
    /// The record's offset.
    pub offset: i64,
    /// The record's time as the log stores it.
    pub timestamp: Timestamp,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a Headers,
}

impl RecordRun {
    /// An empty run of `source`.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// assert_eq!(RecordRun::new(TopicPartition::new("trades", 0)).len(), 0);
    /// ```
    #[must_use]
    pub fn new(source: TopicPartition) -> Self {
        Self { source, data: Vec::new(), entries: Vec::new() }
    }

    /// Appends a record; its key and value are copied into the run's buffer.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
    /// assert_eq!(run.get(0).map(|record| record.offset), Some(7));
    /// ```
    pub fn push(
        &mut self,
        offset: i64,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers,
    ) {
        let key = key.map(|bytes| self.store(bytes));
        let value = value.map(|bytes| self.store(bytes));
        self.entries.push(RunEntry { offset, timestamp, key, value, headers });
    }

    /// Leaves out the records from this offset on.
    pub(crate) fn cut(&mut self, end: i64) {
        let kept = self.entries.partition_point(|entry| entry.offset < end);
        self.entries.truncate(kept);
    }

    fn store(&mut self, bytes: &[u8]) -> Span {
        let start = u32::try_from(self.data.len()).expect("a run is cut before 4 GiB by the poll budget");
        let len = u32::try_from(bytes.len()).expect("a record is smaller than 4 GiB in every log");
        self.data.extend_from_slice(bytes);
        Span { start, len }
    }

    /// How many records the run holds.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
    /// assert_eq!(run.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the run holds no record.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
    /// assert!(!run.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values.
    ///
    /// ```
    /// use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), Some(b"100.5"), Headers::default());
    /// assert_eq!((run.len(), run.byte_len(), run.is_empty()), (1, 8, false));
    /// ```
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.data.len()
    }

    /// The record at `index`.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
    /// assert_eq!(run.get(0).and_then(|record| record.key), Some(&b"BTC"[..]));
    /// assert!(run.get(1).is_none());
    /// ```
    #[must_use]
    pub fn get(&self, index: usize) -> Option<RawRecord<'_>> {
        let entry = self.entries.get(index)?;
        let slice = |span: Span| &self.data[span.start as usize..(span.start + span.len) as usize];
        Some(RawRecord {
            offset: entry.offset,
            timestamp: entry.timestamp,
            key: entry.key.map(slice),
            value: entry.value.map(slice),
            headers: &entry.headers,
        })
    }

    /// All records in order.
    ///
    /// ```
    /// # use candlewick::{Headers, RecordRun, Timestamp, TopicPartition};
    /// let mut run = RecordRun::new(TopicPartition::new("trades", 0));
    /// run.push(7, Timestamp(1), Some(b"BTC"), None, Headers::default());
    /// assert_eq!(run.iter().map(|record| record.offset).collect::<Vec<_>>(), [7]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = RawRecord<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}
