//! How an explicit repartition topic is made. Must not know what is joined or grouped below.

use std::sync::Arc;

use super::SharedSerde;
use crate::dsl::sink::Partitioning;
use crate::record::Partition;
use crate::serde::Serde;

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
    ///
    /// ```
    /// use candlewick::{I64Serde, Repartitioned, StringSerde};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let spread = numbers.repartition(Repartitioned::with(StringSerde, I64Serde).named("spread"));
    /// # spread.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 7, written and read again:
    /// assert_eq!(out.read_value(), Some(7));
    /// ```
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let partitioning = Partitioning::OfKey;
        Self { key: Arc::new(key), value: Arc::new(value), name: None, partitions: None, partitioning }
    }

    /// Names the topic: `<application>-<name>-repartition`.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.repartition(Repartitioned::default().named("spread"));
    /// # let topology = builder.build().expect("valid");
    /// let topics = topology.internal_topics("app", &PartitionCounts::from([("in".into(), 6)])).expect("it is known");
    /// assert_eq!(&*topics[0].name, "app-spread-repartition");
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its number of partitions; by default that of the widest input.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.repartition(Repartitioned::default().named("spread").partitions(12));
    /// # let topology = builder.build().expect("valid");
    /// let topics = topology.internal_topics("app", &PartitionCounts::from([("in".into(), 6)])).expect("it is known");
    /// // Of six partitions:
    /// assert_eq!(topics[0].partitions, 12);
    /// ```
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
