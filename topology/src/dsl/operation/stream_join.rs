//! `join_stream`, `left_join_stream` and `outer_join_stream`: records of two streams that lie close to each other in time.

use std::marker::PhantomData;
use std::sync::Arc;

use super::stream_join_side::{Held, JoinSide, KeepSide, LeftSide, MatchSide, RightSide};
use crate::dsl::options::SharedSerde;
use crate::dsl::repartition::{Purpose, RepartitionSettings};
use crate::dsl::sink::Partitioning;
use crate::dsl::{Data, JoinWindows, KStream, StoreKey, StreamJoined, StreamsBuilder};
use crate::error::TopologyError;
use crate::plan::{MakeNode, NodeId, NodeRole, Wiring};
use crate::processor::{InPlace, Node, Typed};
use crate::record::Record;
use crate::state::{StoreBuilder, Stores, WindowStore};
use crate::time::{duration, millis};

/// Which sides are told without a match.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Outer {
    left: bool,
    right: bool,
}

impl<'b, K: StoreKey, L: Data> KStream<'b, K, L> {
    /// Joins each pair of records of one key that lie within `windows`; the result has the later one's time. Records
    /// with a null key or value are dropped. Both streams must have the same number of partitions; one whose key changed
    /// is repartitioned first.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, StreamJoined, StreamsBuilder};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let trades = builder.stream("trades", Consumed::<String, i64>::default());
    /// let quotes = builder.stream("quotes", Consumed::<String, i64>::default());
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    /// let spread = trades.join_stream(quotes, |_, trade, quote| trade - quote, within, StreamJoined::named("spread"));
    /// # let _ = spread;
    /// # builder.build().expect("valid");
    /// ```
    pub fn join_stream<R: Data, O: Data>(
        self,
        other: KStream<'b, K, R>,
        joiner: impl Fn(&K, &L, &R) -> O + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| Some(joiner(key, left?, right?));
        join(self, other, joiner, windows, joined, Outer { left: false, right: false })
    }

    /// As [`join_stream`](Self::join_stream), but a record of this stream that found no match is joined with `None` once
    /// its window has closed; one with a null key at once.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, Produced, StreamJoined, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let left = builder.stream("in", Consumed::<String, i64>::default());
    /// let right = builder.stream("right", Consumed::<String, i64>::default());
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// left.left_join_stream(
    ///     right,
    ///     |_, left, right| format!("{left} {right:?}"),
    ///     within,
    ///     StreamJoined::named("pairs"),
    /// )
    /// .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 30] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let right = driver.input_topic("right", StringSerde, I64Serde);
    /// # for n in [31, 60] { right.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let later = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [61] { later.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Left at 1, 30 and 61, right at 31 and 60: 1 has found nothing when its window closes.
    /// assert_eq!(values, ["1 None", "30 Some(31)", "61 Some(60)"]);
    /// ```
    pub fn left_join_stream<R: Data, O: Data>(
        self,
        other: KStream<'b, K, R>,
        joiner: impl Fn(&K, &L, Option<&R>) -> O + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| Some(joiner(key, left?, right));
        join(self, other, joiner, windows, joined, Outer { left: true, right: false })
    }

    /// As [`left_join_stream`](Self::left_join_stream), for the records of both streams.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, Produced, StreamJoined, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let left = builder.stream("in", Consumed::<String, i64>::default());
    /// let right = builder.stream("right", Consumed::<String, i64>::default());
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// left.outer_join_stream(
    ///     right,
    ///     |_, left, right| format!("{left:?} {right:?}"),
    ///     within,
    ///     StreamJoined::named("pairs"),
    /// )
    /// .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let right = driver.input_topic("right", StringSerde, I64Serde);
    /// # for n in [30] { right.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let later = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [60] { later.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Left at 1 and 60, right at 30: 60 is still waiting.
    /// assert_eq!(values, ["Some(1) None", "None Some(30)"]);
    /// ```
    pub fn outer_join_stream<R: Data, O: Data>(
        self,
        other: KStream<'b, K, R>,
        joiner: impl Fn(&K, Option<&L>, Option<&R>) -> O + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, L, R>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| Some(joiner(key, left, right));
        join(self, other, joiner, windows, joined, Outer { left: true, right: true })
    }
}

/// The names of a join, in the order in which Kafka Streams takes numbers for them.
pub(super) struct JoinNames {
    pub(super) keep_left: Arc<str>,
    keep_right: Arc<str>,
    left: Arc<str>,
    right: Arc<str>,
    pub(super) merge: Arc<str>,
    pub(super) left_store: Arc<str>,
    right_store: Arc<str>,
    held_store: Arc<str>,
}

impl JoinNames {
    pub(super) fn take<K, L, R>(
        builder: &StreamsBuilder,
        joined: &StreamJoined<K, L, R>,
        outer: Outer,
    ) -> Self {
        let (nodes, stores) = (joined.nodes(), joined.name.as_ref());
        let named = |suffix: &str, prefix: &str| builder.name_behind_or(nodes, suffix, prefix);
        let (left_suffix, left_prefix) = match outer.right {
            true => ("-outer-this-join", "KSTREAM-OUTERTHIS-"),
            false => ("-this-join", "KSTREAM-JOINTHIS-"),
        };
        let (right_suffix, right_prefix) = match outer.left {
            true => ("-outer-other-join", "KSTREAM-OUTEROTHER-"),
            false => ("-other-join", "KSTREAM-JOINOTHER-"),
        };
        let keep_left = named("-this-windowed", "KSTREAM-WINDOWED-");
        let keep_right = named("-other-windowed", "KSTREAM-WINDOWED-");
        // Nodes and stores may have a name of their own each.
        let (left, right) = (builder.next_name(left_prefix), builder.next_name(right_prefix));
        let number = left.strip_prefix(left_prefix).expect("a generated name begins with its prefix");
        let held = match stores {
            Some(name) if outer.right => format!("{name}-outer-shared-join-store"),
            Some(name) => format!("{name}-left-shared-join-store"),
            None => format!("KSTREAM-OUTERSHARED-{number}-store"),
        };
        let after = |name: Option<&Arc<str>>, generated: &Arc<str>, suffix: &str| match name {
            Some(name) => Arc::from(format!("{name}{suffix}")),
            None => Arc::clone(generated),
        };
        let left_store = format!("{}-store", after(stores, &left, left_suffix)).into();
        let right_store = format!("{}-store", after(stores, &right, right_suffix)).into();
        let (left, right) = (after(nodes, &left, left_suffix), after(nodes, &right, right_suffix));
        let merge = named("-merge", "KSTREAM-MERGE-");
        let held_store = held.into();
        let names = Self { keep_left, keep_right, left, right, merge, left_store, right_store, held_store };
        if stores.is_none() {
            builder.graph.borrow_mut().errors.push(TopologyError::Unnamed {
                node: names.merge.to_string(),
                what: "store",
                generated: names.left_store.to_string(),
                advice: "name the join with StreamJoined::with or StreamJoined::named",
            });
        }
        names
    }

    /// The names of an inner join.
    pub(super) fn of_inner<K, L, R>(builder: &StreamsBuilder, joined: &StreamJoined<K, L, R>) -> Self {
        Self::take(builder, joined, Outer { left: false, right: false })
    }
}

/// The stream by its key: through a topic where the key may have changed.
pub(super) fn by_key<'b, K: StoreKey, V: Data>(
    stream: KStream<'b, K, V>,
    (key, value): (&SharedSerde<K>, &SharedSerde<V>),
    name: Option<Arc<str>>,
    drop_null_keys: bool,
) -> KStream<'b, K, V> {
    if !stream.rekeyed {
        return stream;
    }
    // Kafka Streams names the topic after the node that changed the key.
    let generated = Arc::clone(&stream.builder.graph.borrow_mut().node_mut(stream.node).name);
    let (key, value) = (Arc::clone(key), Arc::clone(value));
    let partitioning = Partitioning::OfKey;
    stream.through(RepartitionSettings {
        key,
        value,
        name,
        generated,
        partitions: None,
        partitioning,
        drop_null_keys,
        purpose: Purpose::Join,
    })
}

/// A store of one side's records: each is kept, also several of one key and time.
pub(super) fn side_store<K: StoreKey, V: Data, A, B, C>(
    name: &Arc<str>,
    (key, value): (&SharedSerde<K>, &SharedSerde<V>),
    windows: JoinWindows,
    joined: &StreamJoined<A, B, C>,
) -> StoreBuilder<WindowStore<K, V>> {
    let (size, retention) = (duration(windows.size_ms()), duration(windows.size_ms() + windows.grace));
    let store = Stores::window(name, Arc::clone(key), Arc::clone(value), size, retention);
    // No key comes twice: there is nothing to compact.
    configure(store.without_cache().changelog_config("cleanup.policy", "delete"), joined)
}

fn configure<S, K, L, R>(mut store: StoreBuilder<S>, joined: &StreamJoined<K, L, R>) -> StoreBuilder<S> {
    if joined.in_memory {
        store = store.in_memory();
    }
    if joined.logged { store } else { store.without_changelog() }
}

fn join<'b, K: StoreKey, L: Data, R: Data, O: Data, F>(
    left: KStream<'b, K, L>,
    right: KStream<'b, K, R>,
    joiner: F,
    windows: JoinWindows,
    joined: StreamJoined<K, L, R>,
    outer: Outer,
) -> KStream<'b, K, O>
where
    F: Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync + 'static,
{
    let builder = left.builder;
    let topic = |side: &str| joined.nodes().map(|name| Arc::from(format!("{name}-{side}")));
    let drop_null_keys = !outer.left && !outer.right;
    let left = by_key(left, (&joined.key, &joined.left), topic("left"), drop_null_keys);
    let right = by_key(right, (&joined.key, &joined.right), topic("right"), drop_null_keys);
    let names = JoinNames::take(builder, &joined, outer);
    builder.add_store(side_store(&names.left_store, (&joined.key, &joined.left), windows, &joined));
    builder.add_store(side_store(&names.right_store, (&joined.key, &joined.right), windows, &joined));
    if outer.left || outer.right {
        let (key, left, right) = (&joined.key, &joined.left, &joined.right);
        let held = Stores::join_buffer(&names.held_store, key.clone(), left.clone(), right.clone());
        builder.add_store(configure(held, &joined));
    }
    let keep_left = keep(left, &names.keep_left, &names.left_store, (&joined.key, &joined.left));
    let keep_right = keep(right, &names.keep_right, &names.right_store, (&joined.key, &joined.right));
    let shared = Arc::new(Shared { names, joined, windows, outer, joiner: Arc::new(joiner) });
    let matching = |above: NodeId, of_left: bool| {
        let names = &shared.names;
        let (name, other) = match of_left {
            true => (&names.left, &names.right_store),
            false => (&names.right, &names.left_store),
        };
        let mut stores = vec![Arc::clone(other)];
        if outer.left || outer.right {
            stores.push(Arc::clone(&names.held_store));
        }
        let role = NodeRole::Processor { make: make_match(Arc::clone(&shared), of_left) };
        match of_left {
            true => builder.add_node::<Record<K, L>, Record<K, O>>(name.clone(), vec![above], role, stores),
            false => builder.add_node::<Record<K, R>, Record<K, O>>(name.clone(), vec![above], role, stores),
        }
    };
    let sides = vec![matching(keep_left, true), matching(keep_right, false)];
    let make: MakeNode = Box::new(|_| Box::new(InPlace::new(|_: &mut Record<K, O>| true)));
    let (name, role) = (Arc::clone(&shared.names.merge), NodeRole::Processor { make });
    let node = builder.add_node::<Record<K, O>, Record<K, O>>(name, sides, role, Vec::new());
    let mut graph = builder.graph.borrow_mut();
    let sources = [graph.sources_of(left.node), graph.sources_of(right.node)].concat();
    graph.co_partitioned.push((node, sources));
    KStream::new(builder, node, false)
}

/// Adds the node that keeps a side's records.
pub(super) fn keep<K: StoreKey, V: Data>(
    stream: KStream<'_, K, V>,
    name: &Arc<str>,
    store: &Arc<str>,
    (key, value): (&SharedSerde<K>, &SharedSerde<V>),
) -> NodeId {
    let (key, value, store_name) = (Arc::clone(key), Arc::clone(value), Arc::clone(store));
    let make: MakeNode = Box::new(move |wiring| {
        let (key, value) = (Arc::clone(&key), Arc::clone(&value));
        Box::new(Typed::new(KeepSide { store: wiring.store(&store_name), key, value }))
    });
    let kept: KStream<'_, K, V> = stream.then_named(Arc::clone(name), vec![Arc::clone(store)], make);
    kept.node
}

/// What the makers of both sides share.
struct Shared<F, K, L, R> {
    names: JoinNames,
    joined: StreamJoined<K, L, R>,
    windows: JoinWindows,
    outer: Outer,
    joiner: Arc<F>,
}

fn make_match<F, K: StoreKey, L: Data, R: Data, O: Data>(
    shared: Arc<Shared<F, K, L, R>>,
    of_left: bool,
) -> MakeNode
where
    F: Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync + 'static,
{
    Box::new(move |wiring| -> Box<dyn Node> {
        let (names, outer) = (&shared.names, shared.outer);
        if of_left {
            let value = Arc::clone(&shared.joined.left);
            Box::new(Typed::new(side::<LeftSide, _, K, L, R, O>(
                wiring,
                &shared,
                &names.right_store,
                value,
                outer.left,
            )))
        } else {
            let value = Arc::clone(&shared.joined.right);
            Box::new(Typed::new(side::<RightSide, _, K, L, R, O>(
                wiring,
                &shared,
                &names.left_store,
                value,
                outer.right,
            )))
        }
    })
}

fn side<S: JoinSide<L, R>, F, K: StoreKey, L: Data, R: Data, O: Data>(
    wiring: &Wiring<'_>,
    shared: &Shared<F, K, L, R>,
    other: &str,
    value: SharedSerde<S::This>,
    outer: bool,
) -> MatchSide<S, F, K, L, R, O> {
    let merge = &shared.names.merge;
    let held = (shared.outer.left || shared.outer.right).then(|| Held {
        buffer: wiring.store(&shared.names.held_store),
        stream_time_key: format!("{merge}-observed").into(),
        min_time_key: format!("{merge}-least").into(),
        scan_interval_ms: millis(shared.joined.scan_interval),
    });
    MatchSide {
        other: wiring.store(other),
        held,
        outer,
        windows: shared.windows,
        key: Arc::clone(&shared.joined.key),
        value,
        joiner: Arc::clone(&shared.joiner),
        found: Vec::new(),
        released: Vec::new(),
        types: PhantomData,
    }
}
