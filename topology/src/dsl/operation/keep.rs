//! What all aggregations of streams share: the names, the store and the node they declare. What differs, over all time or
//! in windows of some kind, is a [`Keep`].

use std::sync::Arc;

use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::{Change, Data, KGroupedStream, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::plan::{MakeNode, NodeId, NodeRole};
use crate::record::Record;

/// What the node of an aggregation is made from.
pub(in crate::dsl) struct Aggregation<K, V, A, I, F> {
    pub(super) store: Arc<str>,
    pub(super) key: SharedSerde<K>,
    pub(super) value: SharedSerde<V>,
    pub(super) aggregate: SharedSerde<A>,
    pub(super) initial: Arc<I>,
    pub(super) step: Arc<F>,
    /// Whether windows are told once, when they close.
    pub(super) on_close: bool,
}

/// The first aggregate of a key.
pub(in crate::dsl) trait Initial<A>: Fn() -> Option<A> + Send + Sync + 'static {}
impl<A, T: Fn() -> Option<A> + Send + Sync + 'static> Initial<A> for T {}

/// How a record changes an aggregate.
pub(in crate::dsl) trait Step<K, V, A>:
    Fn(&K, &V, &mut Option<A>) + Send + Sync + 'static
{
}
impl<K, V, A, T: Fn(&K, &V, &mut Option<A>) + Send + Sync + 'static> Step<K, V, A> for T {}

/// The step of `aggregate`: `add` changes what is there.
pub(super) fn adding<K, V, A>(add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static) -> impl Step<K, V, A> {
    move |key: &K, value: &V, slot: &mut Option<A>| {
        if let Some(aggregate) = slot {
            add(key, value, aggregate);
        }
    }
}

/// The step of `count`.
pub(super) fn counting<K, V>(_: &K, _: &V, slot: &mut Option<i64>) {
    *slot.get_or_insert(0) += 1;
}

/// The step of `reduce`: the first value, then what `reducer` makes of it and each next one.
pub(super) fn reducing<K, V: Clone>(
    reducer: impl Fn(&V, &V) -> V + Send + Sync + 'static,
) -> impl Step<K, V, V> {
    move |_: &K, value: &V, slot: &mut Option<V>| {
        *slot = Some(match slot.as_ref() {
            Some(before) => reducer(before, value),
            None => value.clone(),
        });
    }
}

/// A way to keep aggregates.
pub(in crate::dsl) trait Keep<K: StoreKey, A: Data> {
    /// What they are keyed by.
    type Key: StoreKey;

    /// Declares their store.
    fn add_store(&self, builder: &StreamsBuilder, store: &Arc<str>, materialized: &Materialized<K, A>);

    /// Makes the node that keeps them.
    fn make<V: Data, I: Initial<A>, F: Step<K, V, A>>(
        &self,
        aggregation: Aggregation<K, V, A, I, F>,
    ) -> MakeNode;

    /// Whether the node can keep results to itself until their windows close, for a suppression that shows no others.
    fn can_wait(&self) -> bool {
        false
    }

    /// How long windows wait for late records, in milliseconds; `None` where there are no windows.
    fn grace_ms(&self) -> Option<i64>;

    /// What is known of the table they make.
    fn info(&self, store: &Arc<str>, materialized: Materialized<K, A>) -> TableInfo<Self::Key, A>;
}

/// Declares the aggregation of one grouped stream.
pub(super) fn aggregate<'b, K: StoreKey, V: Data, A: Data, W: Keep<K, A>>(
    (grouped, prefix): (KGroupedStream<'b, K, V>, &str),
    (windows, on_close): (&W, bool),
    initial: impl Initial<A>,
    step: impl Step<K, V, A>,
    materialized: Materialized<K, A>,
) -> KTable<'b, W::Key, A> {
    let builder = grouped.stream.builder;
    let store = materialized.store_name(builder, prefix);
    let name = builder.next_name(prefix);
    materialized.require_name(builder, &name, &store);
    let stream = grouped.partitioned(materialized.name.as_ref(), &store);
    windows.add_store(builder, &store, &materialized);
    let aggregation = Aggregation {
        store: Arc::clone(&store),
        key: grouped.key,
        value: grouped.value,
        aggregate: Arc::clone(&materialized.value),
        initial: Arc::new(initial),
        step: Arc::new(step),
        on_close,
    };
    let node = add_node(builder, (name, stream.node), windows, aggregation);
    KTable::new(builder, node).with_info(windows.info(&store, materialized))
}

/// Adds the node of one aggregation below `parent`.
pub(super) fn add_node<K: StoreKey, V: Data, A: Data, W: Keep<K, A>>(
    builder: &StreamsBuilder,
    (name, parent): (Arc<str>, NodeId),
    windows: &W,
    aggregation: Aggregation<K, V, A, impl Initial<A>, impl Step<K, V, A>>,
) -> NodeId {
    let (store, can_wait) = (Arc::clone(&aggregation.store), windows.can_wait() && !aggregation.on_close);
    let role = NodeRole::Processor { make: windows.make(aggregation) };
    let node =
        builder.add_node::<Record<K, V>, Record<W::Key, Change<A>>>(name, vec![parent], role, vec![store]);
    let mut graph = builder.graph.borrow_mut();
    let decl = graph.node_mut(node);
    (decl.grace_ms, decl.can_wait) = (windows.grace_ms(), can_wait);
    node
}
