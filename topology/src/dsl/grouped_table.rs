//! A table grouped by another key.

use std::sync::Arc;

use super::change::Change;
use super::kstream::KStream;
use super::options::SharedSerde;

/// A table whose rows are gathered by a new key: each change takes the old value out of its group and puts the new one
/// into its own. Made by [`KTable::group_by`](super::KTable::group_by).
///
/// ```
/// use candlewick::{Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let by_city = builder
///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("people"))
///     .group_by(|_, city| (city.to_string(), 1), Grouped::with(StringSerde, I64Serde).named("by-city"));
/// by_city
///     .count(Materialized::named("people-by-city"))
///     .to_stream()
///     .map_values(|count| count.unwrap_or(0))
///     .to("out", Produced::<String, i64>::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("ada", 1, 0), ("grace", 1, 1), ("ada", 2, 2)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
/// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
/// // Ada and Grace live in city 1; then Ada moves to city 2.
/// assert_eq!(out, [("1", 1), ("1", 2), ("1", 1), ("2", 1)]);
/// ```
pub struct KGroupedTable<'b, K, V> {
    /// Changes under their new keys, before the repartition topic.
    pub(crate) changes: KStream<'b, K, Change<V>>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
}

impl<K, V> Clone for KGroupedTable<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            name: self.name.clone(),
        }
    }
}
