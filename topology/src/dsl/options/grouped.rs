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
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None }
    }

    /// Names the repartition topic: `<application>-<name>-repartition`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}
