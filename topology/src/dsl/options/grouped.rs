//! How a stream or table is grouped. Must not know whether a repartition topic is needed for it.

use std::sync::Arc;

use super::SharedSerde;
use crate::serde::Serde;

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
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let grouped = Grouped::with(StringSerde, I64Serde).named("parity");
    /// let by_parity = numbers.group_by(|_, n| (n % 2).to_string(), grouped);
    /// by_parity.count(Materialized::named("counts"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2, 3] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # driver.with_store("counts", |counts: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 1, 2 and 3:
    /// assert_eq!(counts.get(&"1".to_owned())?.map(|entry| entry.value), Some(2));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None }
    }

    /// Names the repartition topic, `<application>-<name>-repartition`, and the node by which `group_by` chooses the key.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let by_parity = numbers.group_by(|_, n| (n % 2).to_string(), Grouped::default().named("parity"));
    /// # by_parity.count(Materialized::named("counts"));
    /// let topology = builder.build().expect("valid");
    /// let topics = topology.internal_topics("app", &PartitionCounts::from([("in".into(), 6)])).expect("it is known");
    /// assert!(topics.iter().any(|topic| &*topic.name == "app-parity-repartition"));
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}
