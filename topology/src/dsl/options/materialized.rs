//! How a table is kept. Must not know which store it is kept in: an operation decides that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::SharedSerde;
use crate::serde::{DefaultSerde, Serde};
use crate::state::SourceTopic;
use crate::time::duration;

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
    ///
    /// ```
    /// use candlewick::{Grouped, I64Serde, KeyValueStore, Materialized, StringSerde};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.group_by_key(Grouped::default()).count(Materialized::with("counts", StringSerde, I64Serde));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # driver.with_store("counts", |counts: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of two records:
    /// assert_eq!(counts.get(&"k".to_owned())?.map(|entry| entry.value), Some(2));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
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
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let counts = numbers.group_by_key(Grouped::default()).count(Materialized::named("counts").in_memory());
    /// # counts.to_stream().map_values(|count| count.unwrap_or(0)).to("out", Produced::default());
    /// # let (topology, options) = (builder.build().expect("valid"), DriverOptions::default());
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// driver.restart(&topology, &options).expect("its changelog is read");
    /// input.pipe("k".to_owned(), 8, Timestamp(2)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// assert_eq!([out.read_value(), out.read_value()], [Some(1), Some(2)]);
    /// ```
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
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # let counts = numbers.group_by_key(Grouped::default()).count(kept);
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
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.group_by_key(Grouped::default()).windowed_by(windows).count(kept);
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
    /// # for (price, time) in [(100, 10), (120, 20)] {
    /// #     input.pipe("k".to_owned(), price, Timestamp(time)).expect("processed");
    /// # }
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
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let kept = Materialized::named("counts").changelog_config("segment.ms", "60000");
    /// numbers.group_by_key(Grouped::default()).count(kept);
    /// # let topology = builder.build().expect("valid");
    /// let topics = topology.internal_topics("app", &PartitionCounts::from([("in".into(), 6)])).expect("it is known");
    /// assert_eq!(&*topics[0].config["segment.ms"], "60000");
    /// ```
    #[must_use]
    pub fn changelog_config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.changelog_config.insert(key.into(), value.into());
        self
    }
}

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
