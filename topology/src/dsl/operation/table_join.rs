//! `join`, `left_join` and `outer_join` of tables with the same key: a table of the joined rows, which changes when either
//! side does.

use std::marker::PhantomData;
use std::sync::Arc;

use super::table_map;
use crate::dsl::ktable::TableInfo;
use crate::dsl::value_getter::{GetValue, ValueGetter};
use crate::dsl::{Change, Data, KTable, StoreKey};
use crate::error::{ProcessError, TopologyError};
use crate::plan::{Follower, MakeNode, NodeId, NodeRole, Wiring};
use crate::processor::{DropReason, Hop, Node, take};
use crate::record::Record;

/// Whether a side's row needs one of the other side: the left one's, the right one's.
#[derive(Clone, Copy)]
struct Needs {
    left: bool,
    right: bool,
}

impl<'b, K: StoreKey, L: Data> KTable<'b, K, L> {
    /// Joins the rows that both tables have. The result has the later row's time. Give it a store of its own with
    /// [`materialized`](Self::materialized); else it is computed when it is looked up. Both tables must have the same
    /// number of partitions.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let bids = builder.table("bids", Consumed::<String, Option<i64>>::default(), Materialized::named("bids"));
    /// let asks = builder.table("asks", Consumed::<String, Option<i64>>::default(), Materialized::named("asks"));
    /// let spread = bids.join(asks, |_, bid, ask| ask - bid).materialized(Materialized::named("spread"));
    /// # let _ = spread;
    /// # builder.build().expect("valid");
    /// ```
    pub fn join<R: Data, O: Data>(
        self,
        other: KTable<'b, K, R>,
        joiner: impl Fn(&K, &L, &R) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| Some(joiner(key, left?, right?));
        join(self, other, joiner, Needs { left: true, right: true })
    }

    /// Joins every row of this table with the other's row of the same key, or with `None`.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let bids = builder.table("bids", Consumed::<String, Option<i64>>::default(), Materialized::named("bids"));
    /// let asks = builder.table("asks", Consumed::<String, Option<i64>>::default(), Materialized::named("asks"));
    /// bids.left_join(asks, |_, bid, ask| format!("{bid} {ask:?}"))
    ///     .to_stream()
    ///     .map_values(Option::unwrap_or_default)
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let bids = driver.input_topic::<String, Option<i64>>("bids", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(10), 0)] { bids.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let asks = driver.input_topic::<String, Option<i64>>("asks", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(12), 0), ("z", Some(5), 1)] { asks.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // A bid of 10, then an ask of 12, then an ask without a bid:
    /// assert_eq!(values, ["10 None", "10 Some(12)"]);
    /// ```
    pub fn left_join<R: Data, O: Data>(
        self,
        other: KTable<'b, K, R>,
        joiner: impl Fn(&K, &L, Option<&R>) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| Some(joiner(key, left?, right));
        self.builder.graph.borrow_mut().enable_old_values(self.node);
        join(self, other, joiner, Needs { left: false, right: true })
    }

    /// Joins the rows that either table has.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let bids = builder.table("bids", Consumed::<String, Option<i64>>::default(), Materialized::named("bids"));
    /// let asks = builder.table("asks", Consumed::<String, Option<i64>>::default(), Materialized::named("asks"));
    /// bids.outer_join(asks, |_, bid, ask| format!("{bid:?} {ask:?}"))
    ///     .to_stream()
    ///     .map_values(Option::unwrap_or_default)
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let bids = driver.input_topic::<String, Option<i64>>("bids", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(10), 0)] { bids.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let asks = driver.input_topic::<String, Option<i64>>("asks", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(12), 0), ("z", Some(5), 1)] { asks.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // A bid of 10, then an ask of 12, then an ask without a bid:
    /// assert_eq!(values, ["Some(10) None", "Some(10) Some(12)", "None Some(5)"]);
    /// ```
    pub fn outer_join<R: Data, O: Data>(
        self,
        other: KTable<'b, K, R>,
        joiner: impl Fn(&K, Option<&L>, Option<&R>) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        let joiner = move |key: &K, left: Option<&L>, right: Option<&R>| {
            (left.is_some() || right.is_some()).then(|| joiner(key, left, right))
        };
        let mut graph = self.builder.graph.borrow_mut();
        graph.enable_old_values(self.node);
        graph.enable_old_values(other.node);
        drop(graph);
        join(self, other, joiner, Needs { left: false, right: false })
    }
}

fn join<'b, K: StoreKey, L: Data, R: Data, O: Data>(
    left: KTable<'b, K, L>,
    right: KTable<'b, K, R>,
    joiner: impl Fn(&K, Option<&L>, Option<&R>) -> Option<O> + Send + Sync + 'static,
    needs: Needs,
) -> KTable<'b, K, O> {
    let builder = left.builder;
    let merge = builder.next_name("KTABLE-MERGE-");
    let of_left = builder.next_name("KTABLE-JOINTHIS-");
    let of_right = builder.next_name("KTABLE-JOINOTHER-");
    let (left_getter, right_getter) = (left.readable(&merge), right.readable(&merge));
    let joiner = Arc::new(joiner);
    let forward = Arc::clone(&joiner);
    let reverse = Arc::clone(&joiner);
    let ahead = move |key: &K, this: Option<&L>, other: Option<&R>| forward(key, this, other);
    let back = move |key: &K, this: Option<&R>, other: Option<&L>| reverse(key, other, this);
    let sides = vec![
        side(left, of_left, &right_getter, ahead, needs.left),
        side(right, of_right, &left_getter, back, needs.right),
    ];
    let (this, other) = (sides[0], sides[1]);
    let getter = left_getter.join(&right_getter, move |key, left, right| joiner(key, left, right));
    let same = Arc::new(|_: &K, value: O| Some(value));
    let kept = Arc::clone(&same);
    let role = NodeRole::Processor { make: table_map::make::<_, K, O, O>(same, None, false) };
    let node = builder.add_node::<Record<K, Change<O>>, Record<K, Change<O>>>(merge, sides, role, Vec::new());
    let mut graph = builder.graph.borrow_mut();
    graph.node_mut(node).old_from_parent = true;
    graph.call_after(node, Follower::Node(this, "-join-this".into()));
    graph.call_after(node, Follower::Node(other, "-join-other".into()));
    let sources = [graph.sources_of(left.node), graph.sources_of(right.node)].concat();
    graph.co_partitioned.push((node, sources));
    drop(graph);
    KTable::new(builder, node).with_info(TableInfo {
        getter: Some(getter),
        key: left.info().key,
        value: None,
        keep: Some(Arc::new(move |store| {
            table_map::make::<_, K, O, O>(Arc::clone(&kept), Some(store), false)
        })),
    })
}

impl<K: StoreKey, V: Data> KTable<'_, K, V> {
    /// How this table is looked up; a table that cannot be is an error of `node`, and reads as empty.
    pub(crate) fn readable(&self, node: &Arc<str>) -> ValueGetter<K, V> {
        self.info().getter.unwrap_or_else(|| {
            let error = TopologyError::NotReadable { node: node.to_string() };
            self.builder.graph.borrow_mut().errors.push(error);
            let make = Arc::new(|_: &Wiring<'_>| -> GetValue<K, V> { Box::new(|_, _, _| Ok(None)) });
            ValueGetter { stores: Vec::new(), versioned: false, make }
        })
    }
}

/// Adds the node that joins the changes of one table with the rows of the other.
fn side<K: StoreKey, V: Data, T: Data, O: Data>(
    table: KTable<'_, K, V>,
    name: Arc<str>,
    other: &ValueGetter<K, T>,
    joiner: impl Fn(&K, Option<&V>, Option<&T>) -> Option<O> + Send + Sync + 'static,
    needs_other: bool,
) -> NodeId {
    let (joiner, make_getter) = (Arc::new(joiner), Arc::clone(&other.make));
    let make: MakeNode = Box::new(move |wiring| {
        Box::new(TableJoin {
            get: make_getter(wiring),
            joiner: Arc::clone(&joiner),
            needs_other,
            send_old: wiring.node.send_old,
            types: PhantomData::<fn(V) -> O>,
        })
    });
    let below: KTable<'_, K, O> = table.then(name, other.stores.clone(), make);
    below.builder.graph.borrow_mut().node_mut(below.node).old_from_parent = true;
    below.node
}

struct TableJoin<F, K, V, T, O> {
    get: GetValue<K, T>,
    joiner: Arc<F>,
    /// Whether nothing is told while the other table has no row.
    needs_other: bool,
    send_old: bool,
    types: PhantomData<fn(V) -> O>,
}

impl<F, K, V, T, O> Node for TableJoin<F, K, V, T, O>
where
    F: Fn(&K, Option<&V>, Option<&T>) -> Option<O> + Send + Sync,
    K: StoreKey,
    V: Data,
    T: Data,
    O: Data,
{
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let Record { key, value: change, timestamp, headers } = take::<K, Change<V>>(slot);
        if !change.is_latest {
            // Another row of its key is joined already.
            hop.env.count_drop(DropReason::Late);
            return Ok(());
        }
        let other = (self.get)(hop.env, &key, None)?;
        if other.is_none() && (self.needs_other || (change.old.is_none() && change.new.is_none())) {
            return Ok(());
        }
        let (row, timestamp) = match &other {
            Some(entry) => (Some(&entry.value), timestamp.max(entry.timestamp)),
            None => (None, timestamp),
        };
        let new = (self.joiner)(&key, change.new.as_ref(), row);
        let old = if self.send_old { (self.joiner)(&key, change.old.as_ref(), row) } else { None };
        hop.pass(&mut Some(Record { key, value: Change::new(old, new), timestamp, headers }))
    }
}
