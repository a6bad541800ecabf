//! The source node: bytes to typed records, and where event time comes from.

use std::marker::PhantomData;
use std::sync::Arc;

use super::Data;
use super::builder::StreamsBuilder;
use super::options::{Consumed, SharedSerde};
use crate::plan::{NodeId, NodeRole, TopicRef};
use crate::processor::{DropReason, Hop, SourceError, SourceNode};
use crate::record::{RawRecord, Record};
use crate::serde::{SerdeError, read};
use crate::time::Timestamp;

/// Tells a record's event time.
///
/// ```
/// use candlewick::{Consumed, Record, TimestampExtractor, Timestamp};
/// # use candlewick::*;
///
/// /// The value is the event time, in seconds.
/// struct InSeconds;
///
/// impl TimestampExtractor<String, i64> for InSeconds {
///     fn extract(&self, record: &Record<String, i64>, _: Timestamp) -> Timestamp {
///         Timestamp(record.value * 1_000)
///     }
/// }
///
/// let consumed = Consumed::default().timestamps(InSeconds);
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let times: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|(_, _, time)| time.0).collect();
/// // Of 7:
/// assert_eq!(times, [7_000]);
/// ```
pub trait TimestampExtractor<K, V>: Send + Sync + 'static {
    /// The time of this record, whose own time is `record.timestamp`; `partition_time` is the greatest time seen on
    /// the partition so far. A negative result drops the record.
    fn extract(&self, record: &Record<K, V>, partition_time: Timestamp) -> Timestamp;

    /// Whether the time is the record's own, so that it is known without decoding.
    fn is_record_time(&self) -> bool {
        false
    }

    /// Whether a negative time is an error of the record instead of a silent drop.
    fn fails_on_negative(&self) -> bool {
        false
    }
}

/// The record's own time; a negative one drops the record with a warning.
///
/// ```
/// use candlewick::{Consumed, DropReason, RecordTimestamp};
/// # use candlewick::*;
/// let consumed = Consumed::<String, i64>::default().timestamps(RecordTimestamp);
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("k", 7, -1), ("k", 8, 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
/// // Of a record at -1 and one at 1:
/// assert_eq!(driver.dropped(DropReason::NegativeTimestamp), 1);
/// # assert_eq!(driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_value(), Some(8));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordTimestamp;

/// The record's own time, the default: Kafka's `FailOnInvalidTimestamp`. A negative one is an error of the record.
///
/// ```
/// use candlewick::{Consumed, FailOnInvalidTimestamp};
/// # use candlewick::*;
/// let consumed = Consumed::<String, i64>::default().timestamps(FailOnInvalidTimestamp);
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// let input = driver.input_topic("in", StringSerde, I64Serde);
/// assert!(input.pipe("k".to_owned(), 7, Timestamp(-1)).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnInvalidTimestamp;

/// The record's own time, or where it is negative the greatest one seen on its partition, which survives restarts. A
/// record without either is an error.
///
/// ```
/// use candlewick::{Consumed, UsePartitionTimeOnInvalidTimestamp};
/// # use candlewick::*;
/// let consumed = Consumed::<String, i64>::default().timestamps(UsePartitionTimeOnInvalidTimestamp);
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("k", 7, 100), ("k", 8, -1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
/// # let times: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|(_, _, time)| time.0).collect();
/// // Of a record at 100 and one at -1:
/// assert_eq!(times, [100, 100]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UsePartitionTimeOnInvalidTimestamp;

/// The time at which the record is processed.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{Consumed, ManualClock, Timestamp, WallclockTimestamp};
/// # use candlewick::*;
/// let clock = Arc::new(ManualClock::at(Timestamp(5_000)));
/// let consumed = Consumed::<String, i64>::default().timestamps(WallclockTimestamp(clock));
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let times: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|(_, _, time)| time.0).collect();
/// // Of a record at 7, read at 5,000:
/// assert_eq!(times, [5_000]);
/// ```
pub struct WallclockTimestamp(pub Arc<dyn crate::time::Clock>);

impl<K, V> TimestampExtractor<K, V> for RecordTimestamp {
    fn extract(&self, record: &Record<K, V>, _: Timestamp) -> Timestamp {
        record.timestamp
    }

    fn is_record_time(&self) -> bool {
        true
    }
}

impl<K, V> TimestampExtractor<K, V> for FailOnInvalidTimestamp {
    fn extract(&self, record: &Record<K, V>, _: Timestamp) -> Timestamp {
        record.timestamp
    }

    fn is_record_time(&self) -> bool {
        true
    }

    fn fails_on_negative(&self) -> bool {
        true
    }
}

impl<K, V> TimestampExtractor<K, V> for UsePartitionTimeOnInvalidTimestamp {
    fn extract(&self, record: &Record<K, V>, partition_time: Timestamp) -> Timestamp {
        if record.timestamp.0 < 0 { partition_time } else { record.timestamp }
    }

    fn fails_on_negative(&self) -> bool {
        true
    }
}

impl<K, V> TimestampExtractor<K, V> for WallclockTimestamp {
    fn extract(&self, _: &Record<K, V>, _: Timestamp) -> Timestamp {
        self.0.wall()
    }
}

impl<K, V, F> TimestampExtractor<K, V> for F
where
    F: Fn(&Record<K, V>, Timestamp) -> Timestamp + Send + Sync + 'static,
{
    fn extract(&self, record: &Record<K, V>, partition_time: Timestamp) -> Timestamp {
        self(record, partition_time)
    }
}

/// Reads the records of a source's topics.
pub(crate) struct Source<K, V> {
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    timestamps: Arc<dyn TimestampExtractor<K, V>>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Data, V: Data> Source<K, V> {
    fn decode(&self, topic: &str, raw: RawRecord<'_>) -> Result<Record<K, V>, SerdeError> {
        let key = read(&*self.key, topic, "key", raw.key)?;
        let value = read(&*self.value, topic, "value", raw.value)?;
        Ok(Record { key, value, timestamp: raw.timestamp, headers: raw.headers.clone() })
    }
}

impl<K: Data, V: Data> Source<K, V> {
    /// A record with its event time, negative where it has none.
    pub(crate) fn read(
        &self,
        topic: &str,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
    ) -> Result<Record<K, V>, SerdeError> {
        let mut record = self.decode(topic, raw)?;
        record.timestamp = self.timestamps.extract(&record, partition_time);
        Ok(record)
    }
}

impl<K, V> Consumed<K, V> {
    /// What reads records as these options say.
    pub(crate) fn reader(&self) -> Source<K, V> {
        Source {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            timestamps: Arc::clone(&self.timestamps),
            types: PhantomData,
        }
    }
}

impl<K: Data, V: Data> SourceNode for Source<K, V> {
    fn time_of(&self, topic: &str, raw: RawRecord<'_>, partition_time: Timestamp) -> Timestamp {
        if self.timestamps.is_record_time() {
            return raw.timestamp;
        }
        match self.decode(topic, raw) {
            Ok(record) => self.timestamps.extract(&record, partition_time),
            Err(_) => raw.timestamp,
        }
    }

    fn process(
        &mut self,
        topic: &str,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
        mut hop: Hop<'_>,
    ) -> Result<(), SourceError> {
        let record = self.read(topic, raw, partition_time).map_err(SourceError::Decode)?;
        let time = record.timestamp;
        if time.0 < 0 {
            if self.timestamps.fails_on_negative() {
                let reason = format!(
                    "negative timestamp {time}; use another timestamp extractor to drop such records"
                );
                return Err(SourceError::Decode(SerdeError::Malformed { format: "timestamp", reason }));
            }
            hop.env.count_drop(DropReason::NegativeTimestamp);
            return Ok(());
        }
        hop.env.record_time = time;
        hop.env.stream_time = hop.env.stream_time.max(time);
        hop.pass(&mut Some(record)).map_err(SourceError::Process)
    }
}

impl StreamsBuilder {
    /// The names of a source and of the node behind it that keeps what it reads.
    pub(super) fn kept_names(&self, name: Option<&Arc<str>>) -> (Arc<str>, Arc<str>) {
        let source = self.name_behind_or(name, "-source", "KSTREAM-SOURCE-");
        (source, self.name_or(name, "KTABLE-SOURCE-"))
    }

    /// Adds the source of a stream.
    pub(crate) fn add_source<K: Data, V: Data>(
        &self,
        topics: Vec<TopicRef>,
        consumed: Consumed<K, V>,
    ) -> NodeId {
        let name = self.name_or(consumed.name.as_ref(), "KSTREAM-SOURCE-");
        self.add_named_source(name, topics, consumed)
    }

    /// Adds a source whose name has been taken already.
    pub(crate) fn add_named_source<K: Data, V: Data>(
        &self,
        name: Arc<str>,
        topics: Vec<TopicRef>,
        consumed: Consumed<K, V>,
    ) -> NodeId {
        let policy = consumed.policy;
        let role = NodeRole::Source {
            topics,
            reset: consumed.reset,
            make: Box::new(move |_| Box::new(consumed.reader())),
        };
        let node = self.add_node::<(), Record<K, V>>(name, Vec::new(), role, Vec::new());
        self.graph.borrow_mut().node_mut(node).policy = policy;
        node
    }
}
