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
