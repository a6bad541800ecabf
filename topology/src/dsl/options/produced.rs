//! How a topic is written, and to which of its partitions. Must not know how many there are.

use std::sync::Arc;

use super::SharedSerde;
use crate::dsl::sink::Partitioning;
use crate::processor::ErrorPolicy;
use crate::record::Partition;
use crate::serde::Serde;

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
    ///
    /// ```
    /// use candlewick::{I64Serde, Produced, StringSerde};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.to("out", Produced::with(StringSerde, I64Serde));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// let out = driver.output_topic("out", StringSerde, BytesSerde);
    /// // Of 7:
    /// assert_eq!(out.read_value().as_deref(), Some(&7_i64.to_be_bytes()[..]));
    /// ```
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let partitioning = Partitioning::OfInnerKey;
        Self { key: Arc::new(key), value: Arc::new(value), name: None, partitioning, policy: None }
    }

    /// Chooses the partition of each record, of so many as the topic has.
    ///
    /// ```
    /// use candlewick::{DriverOptions, KeyValueStore, Partition, Produced, TopologyTestDriver};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let by_value = Produced::<String, i64>::default().partitioner(|_, n, count| Partition(*n as i32 % count));
    /// numbers.to("copies", by_value);
    /// # builder.table("copies", Consumed::<String, Option<i64>>::default(), Materialized::named("copies"));
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { partitions: 3, ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// # type Copies = KeyValueStore<String, i64>;
    /// # driver.with_store_of(Partition(1), "copies", |copies: &mut Copies| -> Result<(), StoreError> {
    /// // Of 7, in the table of the second partition of three:
    /// assert_eq!(copies.get(&"k".to_owned())?.map(|entry| entry.value), Some(7));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
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
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.to("copies", Produced::default().named("write-copies"));
    /// let topology = builder.build().expect("valid");
    /// assert!(topology.describe().contains("Sink: write-copies (topic: copies)"));
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}
