//! `cogroup`: several grouped streams change one aggregate a key, over all time or in windows.

use std::rc::Rc;
use std::sync::Arc;

use super::aggregate::AllTime;
use super::keep::{self, Aggregation, Keep};
use super::session_aggregate::Sessions;
use super::table_map;
use crate::dsl::options::SharedSerde;
use crate::dsl::{
    Change, CogroupedKStream, Data, Grouped, KGroupedStream, KStream, KTable, Materialized, SessionWindows,
    SlidingWindows, StoreKey, StreamsBuilder, TimeWindows, Windowed, WindowedCogroupedKStream,
};
use crate::plan::{Follower, NodeId, NodeRole};
use crate::record::Record;

type MakeFirst<A> = Arc<dyn Fn() -> A + Send + Sync>;
type Merge<K, A> = Arc<dyn Fn(&K, &A, &A) -> A + Send + Sync>;

/// What the members of one cogroup share.
pub(in crate::dsl) struct Gathering<K, A> {
    store: Arc<str>,
    aggregate: SharedSerde<A>,
    initial: MakeFirst<A>,
    kind: Kind<K, A>,
}

enum Kind<K, A> {
    AllTime,
    Time(TimeWindows),
    Sliding(SlidingWindows),
    Sessions(SessionWindows, Merge<K, A>),
}

/// A grouped stream of a cogroup, its type of values forgotten.
pub(in crate::dsl) trait Member<K, A> {
    /// The node whose records are partitioned by the group's key.
    fn partitioned(&self, builder: &StreamsBuilder, store: Option<&Arc<str>>, generated: &Arc<str>)
    -> NodeId;

    /// Adds the node that gathers this stream's records.
    fn gather(
        &self,
        builder: &StreamsBuilder,
        name: Arc<str>,
        parent: NodeId,
        gathering: &Gathering<K, A>,
    ) -> NodeId;
}

/// A grouped stream without the builder it borrows, so that a cogroup may be kept beside the builder.
struct Typed<K, V, F> {
    node: NodeId,
    rekeyed: bool,
    grouped: Grouped<K, V>,
    add: Arc<F>,
}

impl<K, V, A, F> Member<K, A> for Typed<K, V, F>
where
    K: StoreKey,
    V: Data,
    A: Data,
    F: Fn(&K, &V, &mut A) + Send + Sync + 'static,
{
    fn partitioned(
        &self,
        builder: &StreamsBuilder,
        store: Option<&Arc<str>>,
        generated: &Arc<str>,
    ) -> NodeId {
        let Grouped { key, value, name } = &self.grouped;
        let grouped = Grouped { key: Arc::clone(key), value: Arc::clone(value), name: name.clone() };
        let stream: KStream<'_, K, V> = KStream::new(builder, self.node, self.rekeyed);
        KGroupedStream::new(stream, grouped).partitioned(store, generated).node
    }

    fn gather(
        &self,
        builder: &StreamsBuilder,
        name: Arc<str>,
        parent: NodeId,
        gathering: &Gathering<K, A>,
    ) -> NodeId {
        let (add, initial) = (Arc::clone(&self.add), Arc::clone(&gathering.initial));
        let step = keep::adding(move |key: &K, value: &V, aggregate: &mut A| add(key, value, aggregate));
        let aggregation = Aggregation {
            store: Arc::clone(&gathering.store),
            key: Arc::clone(&self.grouped.key),
            value: Arc::clone(&self.grouped.value),
            aggregate: Arc::clone(&gathering.aggregate),
            initial: Arc::new(move || Some(initial())),
            step: Arc::new(step),
            on_close: false,
        };
        let at = (name, parent);
        match &gathering.kind {
            Kind::AllTime => keep::add_node(builder, at, &AllTime, aggregation),
            Kind::Time(windows) => keep::add_node(builder, at, windows, aggregation),
            Kind::Sliding(windows) => keep::add_node(builder, at, windows, aggregation),
            Kind::Sessions(windows, merge) => {
                keep::add_node(builder, at, &sessions(*windows, merge), aggregation)
            }
        }
    }
}

fn sessions<K: StoreKey, A: Data>(
    windows: SessionWindows,
    merge: &Merge<K, A>,
) -> Sessions<impl Fn(&K, &A, &A) -> A + Send + Sync + 'static> {
    let merge = Arc::clone(merge);
    Sessions::new(windows, move |key: &K, one: &A, other: &A| merge(key, one, other))
}

impl<'b, K: StoreKey, V: Data> KGroupedStream<'b, K, V> {
    /// Begins an aggregate that several grouped streams change: `add` says how this one's records do.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let of = |topic| builder.stream(topic, Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// let balance = of("deposits")
    ///     .cogroup(|_, amount, balance: &mut i64| *balance += amount)
    ///     .cogroup(of("withdrawals"), |_, amount, balance| *balance -= amount)
    ///     .aggregate(|| 0, Materialized::named("balance"));
    /// # let _ = balance;
    /// # builder.build().expect("valid");
    /// ```
    pub fn cogroup<A: Data>(
        self,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> CogroupedKStream<'b, K, A> {
        let builder = self.stream.builder;
        CogroupedKStream { builder, members: Vec::new() }.cogroup(self, add)
    }
}

impl<'b, K: StoreKey, A: Data> CogroupedKStream<'b, K, A> {
    /// Adds a grouped stream; `add` says how its records change the aggregate.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// let words = builder.stream("words", Consumed::<String, String>::default()).group_by_key(Grouped::default());
    /// numbers
    ///     .cogroup(|_, n, sum: &mut i64| *sum += n)
    ///     .cogroup(words, |_, word, sum| *sum += word.len() as i64)
    ///     .aggregate(|| 0, Materialized::named("sums"))
    ///     .to_stream()
    ///     .map_values(|sum| sum.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [10] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # driver.input_topic("words", StringSerde, StringSerde).pipe("k".to_string(), "four".to_string(), Timestamp(11)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 10 and a word of four letters:
    /// assert_eq!(values, [10, 14]);
    /// ```
    #[must_use]
    pub fn cogroup<V: Data>(
        mut self,
        grouped: KGroupedStream<'b, K, V>,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> Self {
        let KGroupedStream { stream, key, value, name } = grouped;
        self.members.push(Rc::new(Typed {
            node: stream.node,
            rekeyed: stream.rekeyed,
            grouped: Grouped { key, value, name },
            add: Arc::new(add),
        }));
        self
    }

    /// Keeps the aggregate of each key: `initialize` makes the first one.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .cogroup(|_, n, product: &mut i64| *product *= n)
    ///     .aggregate(|| 1, Materialized::named("products"))
    ///     .to_stream()
    ///     .map_values(|product| product.unwrap_or(1))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [2, 3, 4] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 2, 3 and 4:
    /// assert_eq!(values, [2, 6, 24]);
    /// ```
    pub fn aggregate(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, K, A> {
        gather(self, &AllTime, Kind::AllTime, Arc::new(initialize), materialized)
    }
}

impl<'b, K: StoreKey, A: Data> WindowedCogroupedKStream<'b, K, A, TimeWindows> {
    /// Keeps the aggregate of each key and window: `initialize` makes the first one.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .cogroup(|_, n, most: &mut i64| *most = n.max(most).to_owned())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, Materialized::named("most"))
    ///     .to_stream()
    ///     .map(|window, most| (format!("from {}", window.window.start), most.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [3, 7, 12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of 3, 7 and 12, each at its own time:
    /// assert_eq!(out, [("from 0", 3), ("from 0", 7), ("from 10", 12)]);
    /// ```
    pub fn aggregate(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, Windowed<K>, A> {
        let windows = self.windows;
        gather(self.cogrouped, &windows, Kind::Time(windows), Arc::new(initialize), materialized)
    }
}

impl<'b, K: StoreKey, A: Data> WindowedCogroupedKStream<'b, K, A, SlidingWindows> {
    /// Keeps the aggregate of each key and window: `initialize` makes the first one.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SlidingWindows, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .cogroup(|_, _, count: &mut i64| *count += 1)
    ///     .windowed_by(SlidingWindows::of_time_difference_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, Materialized::named("counts"))
    ///     .to_stream()
    ///     .map(|window, count| (format!("{} to {}", window.window.start, window.window.end), count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 40] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of records at 20 and 40, too far apart for one window:
    /// assert_eq!(out, [("10 to 20", 1), ("30 to 40", 1)]);
    /// ```
    pub fn aggregate(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, Windowed<K>, A> {
        let windows = self.windows;
        gather(self.cogrouped, &windows, Kind::Sliding(windows), Arc::new(initialize), materialized)
    }
}

impl<'b, K: StoreKey, A: Data> WindowedCogroupedKStream<'b, K, A, SessionWindows> {
    /// Keeps the aggregate of each key and session: `initialize` makes the first one, `merge` one of two sessions'.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, SessionWindows, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .cogroup(|_, _, count: &mut i64| *count += 1)
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10)))
    ///     .aggregate(|| 0, |_, one, other| one + other, Materialized::named("visits"))
    ///     .to_stream()
    ///     .filter(|_, count| count.is_some())
    ///     .map(|visit, count| (format!("{} to {}", visit.window.start, visit.window.end), count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [20, 25, 40] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Of records at 20, 25 and 40: the second one makes the first session longer.
    /// assert_eq!(out, [("20 to 20", 1), ("20 to 25", 2), ("40 to 40", 1)]);
    /// ```
    pub fn aggregate(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, &A, &A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, Windowed<K>, A> {
        let merge: Merge<K, A> = Arc::new(merge);
        let (windows, kind) = (sessions(self.windows, &merge), Kind::Sessions(self.windows, merge));
        gather(self.cogrouped, &windows, kind, Arc::new(initialize), materialized)
    }
}

fn gather<'b, K: StoreKey, A: Data, W: Keep<K, A>>(
    cogrouped: CogroupedKStream<'b, K, A>,
    windows: &W,
    kind: Kind<K, A>,
    initial: MakeFirst<A>,
    materialized: Materialized<K, A>,
) -> KTable<'b, W::Key, A> {
    let (builder, members) = (cogrouped.builder, cogrouped.members);
    let store = materialized.store_name(builder, "COGROUPKSTREAM-AGGREGATE-");
    let partitioned =
        members.iter().map(|member| member.partitioned(builder, materialized.name.as_ref(), &store));
    let partitioned: Vec<NodeId> = partitioned.collect();
    windows.add_store(builder, &store, &materialized);
    let aggregate = Arc::clone(&materialized.value);
    let gathering = Gathering { store: Arc::clone(&store), aggregate, initial, kind };
    let nodes = members.iter().zip(&partitioned).map(|(member, &parent)| {
        let name = builder.next_name("COGROUPKSTREAM-AGGREGATE-");
        member.gather(builder, name, parent, &gathering)
    });
    let nodes: Vec<NodeId> = nodes.collect();
    let aggregates = nodes.clone();
    let name = builder.next_name("COGROUPKSTREAM-MERGE-");
    materialized.require_name(builder, &name, &store);
    let same = Arc::new(|_: &W::Key, value: A| Some(value));
    let role = NodeRole::Processor { make: table_map::make::<_, W::Key, A, A>(same, None, false) };
    let node = builder.add_node::<Record<W::Key, Change<A>>, Record<W::Key, Change<A>>>(
        name,
        nodes,
        role,
        Vec::new(),
    );
    let mut graph = builder.graph.borrow_mut();
    graph.node_mut(node).old_from_parent = true;
    graph.call_after(node, Follower::Node(node, "-cogroup-merge".into()));
    for (place, aggregate) in aggregates.into_iter().enumerate() {
        graph.call_after(node, Follower::Node(aggregate, format!("-cogroup-agg-{place}")));
    }
    let sources = partitioned.iter().flat_map(|&parent| graph.sources_of(parent)).collect();
    graph.co_partitioned.push((node, sources));
    drop(graph);
    KTable::new(builder, node).with_info(windows.info(&store, materialized))
}
