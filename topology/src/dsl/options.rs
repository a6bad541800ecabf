//! Option structs: one per operation that touches the log or a store. Serdes are named here, or come from
//! [`DefaultSerde`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::sink::Partitioning;
use super::source::{FailOnInvalidTimestamp, TimestampExtractor};
use crate::plan::AutoOffsetReset;
use crate::record::Partition;
use crate::serde::{DefaultSerde, Serde};
use crate::state::SourceTopic;
use crate::time::duration;

pub(crate) type SharedSerde<T> = Arc<dyn Serde<T>>;

/// How a topic is read.
///
/// ```
/// use candlewick::{Consumed, I64Serde, StringSerde};
/// let consumed = Consumed::with(StringSerde, I64Serde).named("clicks");
/// # let _: Consumed<String, i64> = consumed;
/// ```
pub struct Consumed<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) reset: Option<AutoOffsetReset>,
    pub(crate) timestamps: Arc<dyn TimestampExtractor<K, V>>,
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// Reads keys and values by these serdes.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let timestamps = Arc::new(FailOnInvalidTimestamp);
        Self { key: Arc::new(key), value: Arc::new(value), name: None, reset: None, timestamps }
    }

    /// Names the source node.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
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
/// use candlewick::{Partition, Produced};
/// // Every record where its value says.
/// let produced = Produced::<String, i64>::default().partitioner(|_, value, count| Partition(*value as i32 % count));
/// # let _ = produced;
/// ```
pub struct Produced<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) partitioning: Partitioning<K, V>,
}

impl<K: 'static, V: 'static> Produced<K, V> {
    /// Writes keys and values by these serdes.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let partitioning = Partitioning::OfInnerKey;
        Self { key: Arc::new(key), value: Arc::new(value), name: None, partitioning }
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

    /// Names the sink node.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// How a stream or table is grouped: serdes and the name of the repartition topic, should one be needed.
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

/// How an explicit repartition topic is made.
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
    #[must_use]
    pub fn partitioner(mut self, choose: impl Fn(&K, &V, i32) -> Partition + Send + Sync + 'static) -> Self {
        self.partitioning = Partitioning::Chosen(Arc::new(choose));
        self
    }
}

/// How a table is kept: its store's name, serdes, cache and changelog.
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
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.cached = false;
        self
    }

    /// Writes no changelog: what is lost with the disk is lost.
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.logged = false;
        self
    }

    /// How long closed windows stay readable; at least window size plus grace, which is the default.
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

/// How a stream is joined with a table: the serdes it is repartitioned with should its key have changed, the topic's name,
/// and how long its records wait for the table.
pub struct Joined<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) grace: Option<Duration>,
}

impl<K: 'static, V: 'static> Joined<K, V> {
    /// Uses these serdes for the stream side.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None, grace: None }
    }

    /// Names the repartition topic, `<application>-<name>-repartition`, and what waits, `<name>-Buffer`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Holds each record back until stream time is this much behind it, so that changes of the table that come late are
    /// seen; the table must keep versions at least as long. A record that is later than that is joined at once.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

/// How two streams are joined: the serdes of key and both values, and the name of the join's nodes, stores and
/// repartition topics.
///
/// ```
/// use candlewick::StreamJoined;
/// let joined = StreamJoined::<String, i64, i64>::named("quotes-with-trades").without_changelog();
/// # let _ = joined;
/// ```
pub struct StreamJoined<K, L, R> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) left: SharedSerde<L>,
    pub(crate) right: SharedSerde<R>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) logged: bool,
    pub(crate) in_memory: bool,
    pub(crate) scan_interval: Duration,
}

impl<K: 'static, L: 'static, R: 'static> StreamJoined<K, L, R> {
    /// Joins under this name, with these serdes. The name is the identity of what the join keeps.
    pub fn with(
        name: impl Into<Arc<str>>,
        key: impl Serde<K>,
        left: impl Serde<L>,
        right: impl Serde<R>,
    ) -> Self {
        Self { name: Some(name.into()), ..Self::generated(key, left, right) }
    }

    /// Joins under generated names; refused by `build` unless
    /// [`BuildOptions::generated_names`](crate::BuildOptions) allows it.
    pub fn generated(key: impl Serde<K>, left: impl Serde<L>, right: impl Serde<R>) -> Self {
        Self {
            key: Arc::new(key),
            left: Arc::new(left),
            right: Arc::new(right),
            name: None,
            logged: true,
            in_memory: false,
            scan_interval: Duration::ZERO,
        }
    }

    /// Keeps the join's stores in memory; they are rebuilt from their changelogs at every start.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Writes no changelog: what is lost with the disk is lost.
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.logged = false;
        self
    }

    /// Looks for records without a match at most once in this interval of wall-clock time; by default whenever stream
    /// time advances. Only left and outer joins look for them.
    #[must_use]
    pub fn scan_interval(mut self, interval: Duration) -> Self {
        self.scan_interval = interval;
        self
    }
}

impl<K, L, R> StreamJoined<K, L, R>
where
    K: DefaultSerde + 'static,
    L: DefaultSerde + 'static,
    R: DefaultSerde + 'static,
{
    /// Joins under this name, with the types' default serdes.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::default_serde(), L::default_serde(), R::default_serde())
    }
}

/// How tables are joined by a foreign key: the name of the join's nodes, internal topics and subscription store.
pub struct TableJoined<F> {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) partitioner: Option<ChooseForeign<F>>,
}

/// Where the row of a foreign key is, of so many partitions.
pub(crate) type ChooseForeign<F> = Arc<dyn Fn(&F, i32) -> Partition + Send + Sync>;

impl<F> TableJoined<F> {
    /// Joins under this name, the identity of what the join keeps.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: Some(name.into()), partitioner: None }
    }

    /// Tells in which partition of the other table's topic the row of a key is, where it is not there by the hash of the
    /// key's bytes: it is asked for there.
    ///
    /// ```
    /// use candlewick::{Partition, TableJoined};
    /// // Clients are spread by the last digit of their numbers.
    /// let joined = TableJoined::named("clients-of-orders")
    ///     .foreign_partitioner(|client: &i64, count| Partition((*client % 10) as i32 % count));
    /// # let _ = joined;
    /// ```
    #[must_use]
    pub fn foreign_partitioner(
        mut self,
        choose: impl Fn(&F, i32) -> Partition + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Arc::new(choose));
        self
    }

    /// Joins under generated names; refused by `build` unless
    /// [`BuildOptions::generated_names`](crate::BuildOptions) allows it.
    #[must_use]
    pub const fn generated() -> Self {
        Self { name: None, partitioner: None }
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

default_serdes!(Consumed, Produced, Grouped, Joined, Repartitioned);

impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Materialized<K, V> {
    /// A store of this name with the types' default serdes.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::default_serde(), V::default_serde())
    }
}
