//! Option structs of joins: of streams with tables, of streams with streams, of tables by a foreign key.

use std::sync::Arc;
use std::time::Duration;

use super::options::SharedSerde;
use crate::record::Partition;
use crate::serde::{DefaultSerde, Serde};

/// How a stream is joined with a table: the serdes it is repartitioned with should its key have changed, the topic's name,
/// and how long its records wait for the table.
///
/// ```
/// use candlewick::{I64Serde, Joined, StringSerde};
/// use std::time::Duration;
/// let joined = Joined::with(StringSerde, I64Serde).named("prices-of-trades").grace(Duration::from_secs(5));
/// # let _ = joined;
/// ```
pub struct Joined<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) grace: Option<Duration>,
}

impl<K: 'static, V: 'static> Joined<K, V> {
    /// Uses these serdes for the stream side.
    ///
    /// ```
    /// use candlewick::{Joined, StringSerde};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("prices"));
    /// # let names = builder.stream("names", Consumed::<String, String>::default());
    /// let joined = Joined::with(StringSerde, StringSerde);
    /// let priced = names.join(prices, |_, name, price| format!("{name}: {price}"), joined);
    /// # priced.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.input_topic("prices", StringSerde, I64Serde).pipe("k".to_owned(), 100, Timestamp(0)).expect("processed");
    /// # driver.input_topic("names", StringSerde, StringSerde).pipe("k".to_owned(), "bitcoin".to_owned(), Timestamp(1)).expect("processed");
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// assert_eq!(out.read_value().as_deref(), Some("bitcoin: 100"));
    /// ```
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None, grace: None }
    }

    /// Names the join's node, the repartition topic, `<application>-<name>-repartition`, and what waits, `<name>-Buffer`.
    ///
    /// ```
    /// use candlewick::{Joined, PartitionCounts};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("prices"));
    /// # let amounts = builder.stream("amounts", Consumed::<String, i64>::default());
    /// let by_symbol = amounts.select_key(|key, _| key.to_uppercase());
    /// by_symbol.join(prices, |_, amount, price| amount * price, Joined::default().named("by-symbol"));
    /// let partitions = PartitionCounts::from([("amounts".into(), 6), ("prices".into(), 6)]);
    /// let topics = builder.build().expect("valid").internal_topics("app", &partitions).expect("they fit together");
    /// assert!(topics.iter().any(|topic| &*topic.name == "app-by-symbol-repartition"));
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Holds each record back until stream time is this much behind it, so that changes of the table that come late are
    /// seen; the table must keep versions at least as long. A record that is later than that is joined at once.
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let kept = Materialized::named("prices").versioned(Duration::from_millis(100));
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), kept);
    /// let joined = Joined::default().named("priced").grace(Duration::from_millis(10));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .join(prices, |_, amount, price| amount * price, joined)
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let prices = driver.input_topic("prices", StringSerde, I64Serde);
    /// # prices.pipe("k".to_string(), 100, Timestamp(4)).expect("processed");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // A record at 5, then the price of 4, which came later, then a record at 20:
    /// assert_eq!(values, [500]);
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Default for Joined<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}

/// How two streams are joined: the serdes of key and both values, and the name of the join's nodes, stores and
/// repartition topics.
///
/// ```
/// use candlewick::StreamJoined;
/// # use candlewick::*;
/// use std::time::Duration;
/// let joined = StreamJoined::<String, i64, i64>::named("spread")
///     .in_memory()
///     .without_changelog()
///     .scan_interval(Duration::from_millis(100));
/// # let builder = StreamsBuilder::new();
/// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
/// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
/// # a.join_stream(b, |_, a, b| a - b, within, joined);
/// # let counts = PartitionCounts::from([("a".into(), 6), ("b".into(), 6)]);
/// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert!(topics.is_empty());
/// ```
pub struct StreamJoined<K, L, R> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) left: SharedSerde<L>,
    pub(crate) right: SharedSerde<R>,
    pub(crate) name: Option<Arc<str>>,
    /// What its nodes and repartition topics are called after; without it they are after `name`.
    pub(crate) nodes: Option<Arc<str>>,
    pub(crate) logged: bool,
    pub(crate) in_memory: bool,
    pub(crate) scan_interval: Duration,
}

impl<K: 'static, L: 'static, R: 'static> StreamJoined<K, L, R> {
    /// Joins under this name, with these serdes. The name is the identity of what the join keeps.
    ///
    /// ```
    /// use candlewick::{I64Serde, StreamJoined, StringSerde};
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
    /// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// let joined = StreamJoined::with("spread", StringSerde, I64Serde, I64Serde);
    /// a.join_stream(b, |_, a, b| a - b, within, joined);
    /// assert!(builder.build().expect("valid").describe().contains("spread-this-join"));
    /// ```
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
    ///
    /// ```
    /// use candlewick::{BuildOptions, I64Serde, StreamJoined, StringSerde};
    /// let allowed = BuildOptions { generated_names: true, ..BuildOptions::default() };
    /// # let builder = candlewick::StreamsBuilder::with_options(allowed);
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, candlewick::Consumed::<String, i64>::default()));
    /// # let within = candlewick::JoinWindows::of_time_difference_with_no_grace(std::time::Duration::from_secs(1));
    /// let joined = StreamJoined::generated(StringSerde, I64Serde, I64Serde);
    /// let spread = a.join_stream(b, |_, a, b| a - b, within, joined);
    /// # let _ = spread;
    /// assert!(builder.build().expect("valid").describe().contains("KSTREAM-JOINTHIS-0000000004-store"));
    /// ```
    pub fn generated(key: impl Serde<K>, left: impl Serde<L>, right: impl Serde<R>) -> Self {
        Self {
            key: Arc::new(key),
            left: Arc::new(left),
            right: Arc::new(right),
            name: None,
            nodes: None,
            logged: true,
            in_memory: false,
            scan_interval: Duration::ZERO,
        }
    }

    /// Names the join's nodes and its repartition topics otherwise than its stores, as `withName` does in Kafka Streams,
    /// where the stores have a name of their own, or a generated one.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, StreamJoined, StreamsBuilder};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let trades = builder.stream("trades", Consumed::<String, i64>::default());
    /// let quotes = builder.stream("quotes", Consumed::<String, i64>::default());
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// let joined = StreamJoined::named("spread").nodes_named("subtract");
    /// let spread = trades.join_stream(quotes, |_, trade, quote| trade - quote, within, joined);
    /// # let _ = spread;
    /// let text = builder.build().expect("valid").describe();
    /// assert!(text.contains("Processor: subtract-this-windowed (stores: [spread-this-join-store])"));
    /// ```
    #[must_use]
    pub fn nodes_named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.nodes = Some(name.into());
        self
    }

    /// Keeps the join's stores in memory; they are rebuilt from their changelogs at every start.
    ///
    /// ```
    /// use candlewick::StreamJoined;
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
    /// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// a.join_stream(b, |_, a, b| a - b, within, StreamJoined::named("spread").in_memory());
    /// # let counts = PartitionCounts::from([("a".into(), 6), ("b".into(), 6)]);
    /// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
    /// // One changelog for each side.
    /// assert_eq!(topics.len(), 2);
    /// ```
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Writes no changelog: what is lost with the disk is lost.
    ///
    /// ```
    /// use candlewick::StreamJoined;
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
    /// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// a.join_stream(b, |_, a, b| a - b, within, StreamJoined::named("spread").without_changelog());
    /// # let counts = PartitionCounts::from([("a".into(), 6), ("b".into(), 6)]);
    /// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
    /// assert!(topics.is_empty());
    /// ```
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.logged = false;
        self
    }

    /// Looks for records without a match at most once in this interval of wall-clock time; by default whenever stream
    /// time advances. Only left and outer joins look for them.
    ///
    /// ```
    /// use candlewick::StreamJoined;
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// # let builder = StreamsBuilder::new();
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
    /// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// let joined = StreamJoined::named("spread").scan_interval(Duration::from_millis(100));
    /// a.left_join_stream(b, |_, a, b| a - b.unwrap_or(&0), within, joined);
    /// # builder.build().expect("valid");
    /// ```
    #[must_use]
    pub fn scan_interval(mut self, interval: Duration) -> Self {
        self.scan_interval = interval;
        self
    }
}

impl<K, L, R> StreamJoined<K, L, R> {
    /// What nodes and repartition topics are called after.
    pub(crate) fn nodes(&self) -> Option<&Arc<str>> {
        self.nodes.as_ref().or(self.name.as_ref())
    }
}

impl<K, L, R> StreamJoined<K, L, R>
where
    K: DefaultSerde + 'static,
    L: DefaultSerde + 'static,
    R: DefaultSerde + 'static,
{
    /// Joins under this name, with the types' default serdes.
    ///
    /// ```
    /// use candlewick::StreamJoined;
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let [a, b] = ["a", "b"].map(|topic| builder.stream(topic, Consumed::<String, i64>::default()));
    /// # let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// a.join_stream(b, |_, a, b| a - b, within, StreamJoined::named("spread"));
    /// # let counts = PartitionCounts::from([("a".into(), 6), ("b".into(), 6)]);
    /// # let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
    /// assert!(topics.iter().all(|topic| topic.name.starts_with("app-spread-")));
    /// ```
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::with(name, K::default_serde(), L::default_serde(), R::default_serde())
    }
}

/// How tables are joined by a foreign key: the name of the join's nodes, internal topics and subscription store.
///
/// ```
/// use candlewick::{Consumed, Materialized, PartitionCounts, StreamsBuilder, TableJoined};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// let orders = builder.table("orders", Consumed::<String, Option<i64>>::default(), Materialized::named("orders"));
/// let clients = builder.table("clients", Consumed::<i64, Option<String>>::default(), Materialized::named("clients"));
/// orders.join_foreign(
///     clients,
///     |_, client| Some(*client),
///     |_, _, name| name.clone(),
///     TableJoined::named("names-of-orders"),
///     Materialized::<String, String>::named("named-orders"),
/// );
/// let partitions = PartitionCounts::from([("orders".into(), 6), ("clients".into(), 3)]);
/// let topics = builder.build().expect("valid").internal_topics("app", &partitions).expect("any counts do");
/// assert!(topics.iter().any(|topic| &*topic.name == "app-names-of-orders-subscription-registration-topic"));
/// ```
pub struct TableJoined<F> {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) partitioner: Option<ChooseForeign<F>>,
}

/// Where the row of a foreign key is, of so many partitions.
pub(crate) type ChooseForeign<F> = Arc<dyn Fn(&F, i32) -> Partition + Send + Sync>;

impl<F> TableJoined<F> {
    /// Joins under this name, the identity of what the join keeps.
    ///
    /// ```
    /// use candlewick::{Materialized, TableJoined};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let orders = builder.table("orders", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("orders"));
    /// # let clients = builder.table("clients", Consumed::<i64, Option<String>>::default(), Materialized::<i64, String>::named("clients"));
    /// let kept = Materialized::<String, String>::named("named-orders");
    /// orders.join_foreign(clients, |_, id| Some(*id), |_, _, name| name.clone(), TableJoined::named("names"), kept);
    /// assert!(builder.build().expect("valid").describe().contains("names-subscription"));
    /// ```
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
    ///
    /// ```
    /// use candlewick::{BuildOptions, TableJoined};
    /// # use candlewick::*;
    /// let allowed = BuildOptions { generated_names: true, ..BuildOptions::default() };
    /// # let builder = StreamsBuilder::with_options(allowed);
    /// # let orders = builder.table("orders", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("orders"));
    /// # let clients = builder.table("clients", Consumed::<i64, Option<String>>::default(), Materialized::<i64, String>::named("clients"));
    /// # let kept = Materialized::<String, String>::named("named-orders");
    /// orders.join_foreign(clients, |_, id| Some(*id), |_, _, name| name.clone(), TableJoined::generated(), kept);
    /// assert!(builder.build().expect("valid").describe().contains("KTABLE-FK-JOIN-"));
    /// ```
    #[must_use]
    pub const fn generated() -> Self {
        Self { name: None, partitioner: None }
    }
}
