//! Option structs: one per operation that touches the log or a store. Serdes are named here, or come from
//! [`DefaultSerde`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::sink::Partitioning;
use super::source::{FailOnInvalidTimestamp, TimestampExtractor};
use crate::plan::AutoOffsetReset;
use crate::processor::ErrorPolicy;
use crate::record::Partition;
use crate::serde::{DefaultSerde, Serde};
use crate::state::SourceTopic;
use crate::time::duration;

pub(crate) type SharedSerde<T> = Arc<dyn Serde<T>>;

/// How a topic is read.
///
/// ```
/// use candlewick::{AutoOffsetReset, Consumed, I64Serde, Record, StringSerde, Timestamp};
/// # use candlewick::*;
/// // The value is the event time; the record's own is when it was written.
/// let consumed = Consumed::with(StringSerde, I64Serde)
///     .named("clicks")
///     .offset_reset(AutoOffsetReset::Latest)
///     .timestamps(|record: &Record<String, i64>, _: Timestamp| Timestamp(record.value));
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 7, Timestamp(100)).expect("processed");
/// # let (_, _, time) = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all()[0];
/// // Of 7, written at 100:
/// assert_eq!(time, Timestamp(7));
/// ```
pub struct Consumed<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) reset: Option<AutoOffsetReset>,
    pub(crate) timestamps: Arc<dyn TimestampExtractor<K, V>>,
    pub(crate) policy: Option<ErrorPolicy>,
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// Reads keys and values by these serdes.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let timestamps = Arc::new(FailOnInvalidTimestamp);
        Self { key: Arc::new(key), value: Arc::new(value), name: None, reset: None, timestamps, policy: None }
    }

    /// Names the source node.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What to do about records of these topics that cannot be decoded, whatever the application's handler says.
    ///
    /// ```
    /// use candlewick::{Consumed, DropReason, ErrorPolicy};
    /// # use candlewick::*;
    /// let numbers = Consumed::<String, i64>::default().on_error(ErrorPolicy::skip());
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("numbers", numbers).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("numbers", StringSerde, StringSerde);
    /// // A text among the numbers:
    /// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).expect("left out");
    /// assert_eq!(driver.dropped(DropReason::Decode), 1);
    /// ```
    #[must_use]
    pub fn on_error(mut self, policy: ErrorPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Where to start on a partition without a committed offset.
    #[must_use]
    pub fn offset_reset(mut self, reset: AutoOffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Where event time comes from; by default the record's own time.
    #[must_use]
    pub fn timestamps(mut self, extractor: impl TimestampExtractor<K, V>) -> Self {
        self.timestamps = Arc::new(extractor);
        self
    }
}

/// How a topic is written.
///
/// ```
/// use candlewick::{I64Serde, Partition, Produced, StringSerde};
/// # use candlewick::*;
/// // Every record where its value says.
/// let produced = Produced::with(StringSerde, I64Serde)
///     .named("write-copies")
///     .partitioner(|_, value, count| Partition(*value as i32 % count));
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("copies", produced);
/// # let topology = builder.build().expect("valid");
/// assert!(topology.describe().contains("Sink: write-copies (topic: copies)"));
/// ```
pub struct Produced<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) partitioning: Partitioning<K, V>,
    pub(crate) policy: Option<ErrorPolicy>,
}

impl<K: 'static, V: 'static> Produced<K, V> {
    /// Writes keys and values by these serdes.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let partitioning = Partitioning::OfInnerKey;
        Self { key: Arc::new(key), value: Arc::new(value), name: None, partitioning, policy: None }
    }

    /// Chooses the partition of each record, of so many as the topic has.
    #[must_use]
    pub fn partitioner(mut self, choose: impl Fn(&K, &V, i32) -> Partition + Send + Sync + 'static) -> Self {
        self.partitioning = Partitioning::Chosen(Arc::new(choose));
        self
    }

    /// Chooses the partitions of each record, of so many as the topic has: it is written to every one that is pushed, and
    /// left out (counted as [`DropReason::NoPartition`](crate::DropReason::NoPartition)) where none is.
    ///
    /// ```
    /// use candlewick::{Partition, Produced};
    /// // To every partition.
    /// let produced = Produced::<String, i64>::default()
    ///     .multicast(|_, _, count, chosen| chosen.extend((0..count).map(Partition)));
    /// # let _ = produced;
    /// ```
    #[must_use]
    pub fn multicast(
        mut self,
        choose: impl Fn(&K, &V, i32, &mut Vec<Partition>) + Send + Sync + 'static,
    ) -> Self {
        self.partitioning = Partitioning::Several(Arc::new(choose));
        self
    }

    /// What to do about records that cannot be written to this topic, whatever the application's handlers say.
    ///
    /// ```
    /// use candlewick::{ErrorPolicy, Produced};
    /// let _produced = Produced::<String, String>::default().on_error(ErrorPolicy::dead_letter());
    /// ```
    #[must_use]
    pub fn on_error(mut self, policy: ErrorPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Names the sink node.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// How a stream or table is grouped: serdes and the name of the repartition topic, should one be needed.
///
/// ```
/// use candlewick::{Grouped, I64Serde, StringSerde};
/// # use candlewick::*;
/// let grouped = Grouped::with(StringSerde, I64Serde).named("by-parity");
/// # let builder = StreamsBuilder::new();
/// # let stream = builder.stream("in", Consumed::<String, i64>::default());
/// # stream.group_by(|_, n| (n % 2).to_string(), grouped).count(Materialized::named("counts"));
/// # let counts = PartitionCounts::from([("in".into(), 6)]);
/// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert!(topics.iter().any(|topic| &*topic.name == "app-by-parity-repartition"));
/// ```
pub struct Grouped<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
}

impl<K: 'static, V: 'static> Grouped<K, V> {
    /// Writes keys and values by these serdes where the group crosses a repartition topic.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None }
    }

    /// Names the repartition topic, `<application>-<name>-repartition`, and the node by which `group_by` chooses the key.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// How an explicit repartition topic is made.
///
/// ```
/// use candlewick::{I64Serde, Partition, Repartitioned, StringSerde};
/// # use candlewick::*;
/// let repartitioned = Repartitioned::with(StringSerde, I64Serde)
///     .named("spread")
///     .partitions(12)
///     .partitioner(|_, value, count| Partition(*value as i32 % count));
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).repartition(repartitioned);
/// # let counts = PartitionCounts::from([("in".into(), 6)]);
/// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert_eq!((&*topics[0].name, topics[0].partitions), ("app-spread-repartition", 12));
/// ```
pub struct Repartitioned<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) partitions: Option<i32>,
    pub(crate) partitioning: Partitioning<K, V>,
}

impl<K: 'static, V: 'static> Repartitioned<K, V> {
    /// Writes keys and values by these serdes.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let partitioning = Partitioning::OfKey;
        Self { key: Arc::new(key), value: Arc::new(value), name: None, partitions: None, partitioning }
    }

    /// Names the topic: `<application>-<name>-repartition`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its number of partitions; by default that of the widest input.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Chooses the partition of each record, of so many as the topic has. What is joined or grouped below by another key
    /// than its partition's is split among tasks.
    ///
    /// ```
    /// use candlewick::{Partition, Repartitioned};
    /// # use candlewick::*;
    /// // Odd numbers to one task, even ones to another.
    /// let by_parity = Repartitioned::<String, i64>::default()
    ///     .named("by-parity")
    ///     .partitioner(|_, n, partitions| Partition(*n as i32 % 2 % partitions));
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).repartition(by_parity).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// # let options = DriverOptions { partitions: 2, ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // All records have one key.
    /// assert_eq!(out.read_all().len(), 3);
    /// ```
    #[must_use]
    pub fn partitioner(mut self, choose: impl Fn(&K, &V, i32) -> Partition + Send + Sync + 'static) -> Self {
        self.partitioning = Partitioning::Chosen(Arc::new(choose));
        self
    }
}

/// How a table is kept: its store's name, serdes, cache and changelog.
///
/// ```
/// use candlewick::{I64Serde, Materialized, StringSerde};
/// # use candlewick::*;
/// let kept = Materialized::with("counts", StringSerde, I64Serde)
///     .in_memory()
///     .without_cache()
///     .changelog_config("segment.ms", "60000");
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).count(kept);
/// # let counts = PartitionCounts::from([("in".into(), 6)]);
/// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert_eq!((&*topics[0].name, &*topics[0].config["segment.ms"]), ("app-counts-changelog", "60000"));
/// ```
pub struct Materialized<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) cached: bool,
    pub(crate) logged: bool,
    pub(crate) in_memory: bool,
    pub(crate) retention: Option<Duration>,
    pub(crate) history: Option<Duration>,
    pub(crate) changelog_config: BTreeMap<String, String>,
    pub(crate) source: Option<SourceTopic>,
}

impl<K, V> Clone for Materialized<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            name: self.name.clone(),
            cached: self.cached,
            logged: self.logged,
            in_memory: self.in_memory,
            retention: self.retention,
            history: self.history,
            changelog_config: self.changelog_config.clone(),
            source: self.source.clone(),
        }
    }
}

impl<K: 'static, V: 'static> Materialized<K, V> {
    /// A store of this name with these serdes. The name is the state's identity: keep it when the topology changes.
    pub fn with(name: impl Into<Arc<str>>, key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { name: Some(name.into()), ..Self::generated(key, value) }
    }

    /// A store whose name is generated as Kafka Streams does; refused by `build` unless
    /// [`BuildOptions::generated_names`](crate::BuildOptions) allows it.
    ///
    /// ```
    /// use candlewick::{I64Serde, Materialized, StreamsBuilder, StringSerde, TopologyError};
    /// # use candlewick::*;
    /// let kept = Materialized::<String, i64>::generated(StringSerde, I64Serde);
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).count(kept);
    /// let errors = builder.build().expect_err("names that change with the topology were not allowed");
    /// assert!(matches!(errors.0[..], [TopologyError::Unnamed { .. }]));
    /// ```
    pub fn generated(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self {
            key: Arc::new(key),
            value: Arc::new(value),
            name: None,
            cached: true,
            logged: true,
            in_memory: false,
            retention: None,
            history: None,
            changelog_config: BTreeMap::new(),
            source: None,
        }
    }

    /// Keeps the store in memory; it is rebuilt from its changelog at every start.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Forwards every update at once instead of the last one per key and commit.
    ///
    /// ```
    /// use candlewick::{DriverOptions, Materialized};
    /// # use candlewick::*;
    /// let kept = Materialized::<String, i64>::named("counts").without_cache();
    /// # let builder = StreamsBuilder::new();
    /// # let counts = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).count(kept);
    /// # counts.to_stream().map_values(|count| count.unwrap_or(0)).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of three records, though the application has a cache:
    /// assert_eq!(values, [1, 2, 3]);
    /// ```
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.cached = false;
        self
    }

    /// Writes no changelog: what is lost with the disk is lost.
    ///
    /// ```
    /// use candlewick::{Materialized, PartitionCounts};
    /// # use candlewick::*;
    /// let kept = Materialized::<String, i64>::named("counts").without_changelog();
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).count(kept);
    /// # let topology = builder.build().expect("valid");
    /// let partitions = PartitionCounts::from([("in".into(), 6)]);
    /// assert_eq!(topology.internal_topics("app", &partitions), Ok(Vec::new()));
    /// ```
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.logged = false;
        self
    }

    /// How long closed windows stay readable; at least window size plus grace, which is the default.
    ///
    /// ```
    /// use candlewick::{Materialized, TimeWindows, Timestamp, WindowStore};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// let kept = Materialized::<String, i64>::named("counts").retention(Duration::from_millis(50));
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(windows).count(kept);
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 42] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # driver.with_store("counts", |counts: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// // Of records at 1 and 42: the first window has closed and can still be read.
    /// assert_eq!(counts.get(&"k".to_owned(), Timestamp(0))?.map(|entry| entry.value), Some(1));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// How long windows are kept that are needed for `needed_ms`.
    pub(crate) fn retention_of_at_least(&self, needed_ms: i64) -> Duration {
        let needed = duration(needed_ms);
        self.retention.map_or(needed, |retention| retention.max(needed))
    }

    /// Keeps every version of each value for this long, for joins that ask what held at a record's time: for tables of
    /// topics and streams. What comes later than that is dropped; every update is forwarded at once.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder, Timestamp, VersionedStore};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let kept = Materialized::named("prices").versioned(Duration::from_secs(3_600));
    /// builder.table("in", Consumed::<String, Option<i64>>::default(), kept);
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (key, value, time) in [("k", 100, 10), ("k", 120, 20)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # driver.with_store("prices", |prices: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 100 at 10 and 120 at 20:
    /// let price = prices.get_as_of(&"k".to_owned(), Timestamp(15))?;
    /// assert_eq!(price.map(|entry| entry.value), Some(100));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn versioned(mut self, history: Duration) -> Self {
        self.history = Some(history);
        self
    }

    /// Sets a topic configuration of the changelog, by Kafka's key.
    #[must_use]
    pub fn changelog_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog_config.insert(key.into(), value.into());
        self
    }
}

macro_rules! default_serdes {
    ($($option:ident),*) => {$(
        impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Default for $option<K, V> {
            fn default() -> Self {
                Self::with(K::default_serde(), V::default_serde())
            }
        }
    )*};
}

default_serdes!(Consumed, Produced, Grouped, Repartitioned);

impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Materialized<K, V> {
    /// A store of this name with the types' default serdes.
    ///
    /// ```
    /// use candlewick::{Consumed, KeyValueStore, Materialized, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # driver.with_store("numbers", |numbers: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(numbers.get(&"k".to_owned())?.map(|entry| entry.value), Some(7));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::default_serde(), V::default_serde())
    }
}
