//! `join_foreign` and `left_join_foreign`: each row of a table with the row of another table that it names.

use std::sync::Arc;

use super::foreign_nodes::{Answering, Keeping, Matching, Resolving, Subscribing};
use super::table_source;
use crate::dsl::join_options::TableJoined;
use crate::dsl::options::{Consumed, SharedSerde};
use crate::dsl::sink::{Partitioning, Sinking};
use crate::dsl::subscription::{Answer, AnswerSerde, CombinedSerde, Subscription, SubscriptionSerde};
use crate::dsl::{Change, Data, FailOnInvalidTimestamp, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::error::TopologyError;
use crate::plan::{MakeNode, NodeId, NodeRole, RepartitionDecl, TopicRef};
use crate::processor::Typed;
use crate::record::{Partition, Record};
use crate::serde::Nullable;
use crate::state::{Grouping, Stores};

impl<'b, K: StoreKey, L: Data> KTable<'b, K, L> {
    /// Joins each row with the row of `other` whose key `foreign_key` tells; rows without one are left out. A change of
    /// either table changes the joined rows, kept as `materialized` says. The tables may have different numbers of
    /// partitions.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// type Text = Option<String>;
    /// let orders = builder.table("orders", Consumed::<String, Text>::default(), Materialized::named("orders"));
    /// let clients = builder.table("clients", Consumed::<String, Text>::default(), Materialized::named("clients"));
    /// let with_client = orders.join_foreign(
    ///     clients,
    ///     |_, order| order.split('|').next().map(str::to_owned),
    ///     |_, order, client| format!("{order} of {client}"),
    ///     TableJoined::named("clients-of-orders"),
    ///     Materialized::named("orders-with-clients"),
    /// );
    /// # let _ = with_client;
    /// # builder.build().expect("valid");
    /// ```
    pub fn join_foreign<F: StoreKey, R: Data, O: Data>(
        self,
        other: KTable<'b, F, R>,
        foreign_key: impl Fn(&K, &L) -> Option<F> + Send + Sync + 'static,
        joiner: impl Fn(&K, &L, &R) -> O + Send + Sync + 'static,
        joined: TableJoined<F>,
        materialized: Materialized<K, O>,
    ) -> KTable<'b, K, O> {
        let joiner = move |key: &K, left: &L, right: Option<&R>| right.map(|right| joiner(key, left, right));
        join(self, other, (foreign_key, joiner), (joined, false), materialized)
    }

    /// As [`join_foreign`](Self::join_foreign), but rows without a row of `other` are joined with `None`.
    ///
    /// ```
    /// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder, TableJoined};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("orders"));
    /// let rates = builder.table("rates", Consumed::<i64, Option<i64>>::default(), Materialized::named("rates"));
    /// orders
    ///     .left_join_foreign(
    ///         rates,
    ///         |_, order| Some(order % 10),
    ///         |_, order, rate| order * rate.unwrap_or(&1),
    ///         TableJoined::named("rates-of-orders"),
    ///         Materialized::named("rated-orders"),
    ///     )
    ///     .to_stream()
    ///     .map_values(|order| order.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # driver.input_topic("rates", I64Serde, I64Serde).pipe(2, 100, Timestamp(20)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // An order of 12, then a rate of 2:
    /// assert_eq!(values, [12, 1_200]);
    /// ```
    pub fn left_join_foreign<F: StoreKey, R: Data, O: Data>(
        self,
        other: KTable<'b, F, R>,
        foreign_key: impl Fn(&K, &L) -> Option<F> + Send + Sync + 'static,
        joiner: impl Fn(&K, &L, Option<&R>) -> O + Send + Sync + 'static,
        joined: TableJoined<F>,
        materialized: Materialized<K, O>,
    ) -> KTable<'b, K, O> {
        let joiner = move |key: &K, left: &L, right: Option<&R>| Some(joiner(key, left, right));
        join(self, other, (foreign_key, joiner), (joined, true), materialized)
    }
}

/// The serdes of both tables.
struct Serdes<K, L, F, R> {
    key: SharedSerde<K>,
    left: SharedSerde<L>,
    foreign: SharedSerde<F>,
    right: SharedSerde<R>,
}

fn serdes_of<K: StoreKey, L: Data, F: StoreKey, R: Data>(
    left: &KTable<'_, K, L>,
    right: &KTable<'_, F, R>,
) -> Option<Serdes<K, L, F, R>> {
    let (left, right) = (left.info(), right.info());
    Some(Serdes { key: left.key?, left: left.value?, foreign: right.key?, right: right.value? })
}

/// Takes the names of a join in the order in which Kafka Streams does.
struct Names<'j, 'b> {
    builder: &'b StreamsBuilder,
    name: Option<&'j Arc<str>>,
}

impl Names<'_, '_> {
    fn next(&self, suffix: &str, prefix: &str) -> Arc<str> {
        self.builder.name_behind_or(self.name, suffix, prefix)
    }

    /// An internal topic of the join.
    fn topic(&self, suffix: &str, prefix: &str) -> TopicRef {
        let topic: Arc<str> = format!("{}-topic", self.next(suffix, prefix)).into();
        let mut graph = self.builder.graph.borrow_mut();
        graph.repartitions.push(RepartitionDecl { topic: Arc::clone(&topic), partitions: None, route: None });
        if self.name.is_none() {
            graph.errors.push(TopologyError::Unnamed {
                node: topic.to_string(),
                what: "internal topic",
                generated: topic.to_string(),
                advice: "name the join with TableJoined::named",
            });
        }
        TopicRef::Internal(topic)
    }
}

const REGISTRATION: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-";
const PROCESSOR: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-";
const RESPONSE: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-";
const RESOLVER: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-";
const OUTPUT: &str = "KTABLE-FK-JOIN-OUTPUT-";

fn join<'b, K: StoreKey, L: Data, F: StoreKey, R: Data, O: Data>(
    left: KTable<'b, K, L>,
    right: KTable<'b, F, R>,
    (foreign_key, joiner): (
        impl Fn(&K, &L) -> Option<F> + Send + Sync + 'static,
        impl Fn(&K, &L, Option<&R>) -> Option<O> + Send + Sync + 'static,
    ),
    (joined, is_left): (TableJoined<F>, bool),
    materialized: Materialized<K, O>,
) -> KTable<'b, K, O> {
    let builder = left.builder;
    let names = Names { builder, name: joined.name.as_ref() };
    let asked = names.topic("-subscription-registration", REGISTRATION);
    let Some(serdes) = serdes_of(&left, &right) else {
        let node = asked.declared().to_string();
        builder.graph.borrow_mut().errors.push(TopologyError::UnknownSerde { node });
        return KTable::new(builder, left.node);
    };
    let serdes = Arc::new(serdes);
    builder.graph.borrow_mut().enable_old_values(right.node);
    builder.graph.borrow_mut().enable_old_values(left.node);
    let partitioning = match joined.partitioner.clone() {
        Some(choose) => Partitioning::Chosen(Arc::new(move |key: &Option<F>, _: &Subscription<K>, count| {
            // What has no foreign key is answered wherever it is asked.
            key.as_ref().map_or(Partition(0), |key| choose(key, count))
        })),
        None => Partitioning::OfKey,
    };
    let source = subscribe(&names, left, &serdes, (foreign_key, is_left), (asked, partitioning));
    align(builder, &[source, right.node]);
    let answered = answer(&names, right, &serdes, source);
    align(builder, &[answered, left.node]);
    let resolver = names.next("-subscription-response-resolver", RESOLVER);
    let getter = left.readable(&resolver);
    let (make_getter, joiner, shared) = (getter.make, Arc::new(joiner), Arc::clone(&serdes));
    let make: MakeNode = Box::new(move |wiring| {
        let (value, joiner) = (Arc::clone(&shared.left), Arc::clone(&joiner));
        Box::new(Resolving::<_, K, L, R, O>::new(make_getter(wiring), value, joiner))
    });
    let role = NodeRole::Processor { make };
    let resolved = builder.add_node::<Record<K, Answer<R>>, Record<K, Option<O>>>(
        resolver,
        vec![answered],
        role,
        getter.stores,
    );
    let output = names.next("-result", OUTPUT);
    let store = materialized.store_name(builder, OUTPUT);
    table_source::materialize(builder, resolved, output, &store, materialized)
}

/// The sources above these nodes must have the same number of partitions.
fn align(builder: &StreamsBuilder, nodes: &[NodeId]) {
    let mut graph = builder.graph.borrow_mut();
    let sources = nodes.iter().flat_map(|&node| graph.sources_of(node)).collect();
    graph.co_partitioned.push((nodes[0], sources));
}

fn consumed<K, V>(key: SharedSerde<K>, value: SharedSerde<V>) -> Consumed<K, V> {
    let timestamps = Arc::new(FailOnInvalidTimestamp);
    Consumed { key, value, name: None, reset: None, timestamps, policy: None }
}

/// The left side: each change asks for its foreign key's value, through a topic. Gives the node that reads the topic.
fn subscribe<K: StoreKey, L: Data, F: StoreKey, R: Data>(
    names: &Names<'_, '_>,
    left: KTable<'_, K, L>,
    serdes: &Arc<Serdes<K, L, F, R>>,
    (foreign_key, is_left): (impl Fn(&K, &L) -> Option<F> + Send + Sync + 'static, bool),
    (topic, partitioning): (TopicRef, Partitioning<Option<F>, Subscription<K>>),
) -> NodeId {
    let builder = names.builder;
    let name = names.next("-subscription-registration-processor", REGISTRATION);
    let (foreign_key, shared) = (Arc::new(foreign_key), Arc::clone(serdes));
    let make: MakeNode = Box::new(move |_| {
        let (value, foreign) = (Arc::clone(&shared.left), Arc::clone(&shared.foreign));
        Box::new(Typed::new(Subscribing::new(Arc::clone(&foreign_key), value, foreign, is_left)))
    });
    let role = NodeRole::Processor { make };
    let sent = builder.add_node::<Record<K, Change<L>>, Record<Option<F>, Subscription<K>>>(
        name,
        vec![left.node],
        role,
        Vec::new(),
    );
    let key: SharedSerde<Option<F>> = Arc::new(Nullable(Arc::clone(&serdes.foreign)));
    let value: SharedSerde<Subscription<K>> = Arc::new(SubscriptionSerde(Arc::clone(&serdes.key)));
    let sink = names.next("-subscription-registration-sink", "KTABLE-SINK-");
    Sinking { key: Arc::clone(&key), value: Arc::clone(&value), partitioning }.add(
        builder,
        sink,
        topic.clone(),
        vec![sent],
    );
    let source = names.next("-subscription-registration-source", "KTABLE-SOURCE-");
    builder.add_named_source(source, vec![topic], consumed(key, value))
}

/// The right side: subscriptions are kept, and answered now and whenever the foreign row changes, through a topic. Gives
/// the node that reads the topic.
fn answer<K: StoreKey, L: Data, F: StoreKey, R: Data>(
    names: &Names<'_, '_>,
    right: KTable<'_, F, R>,
    serdes: &Arc<Serdes<K, L, F, R>>,
    source: NodeId,
) -> NodeId {
    let builder = names.builder;
    let store = names.next("-subscription-store", "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-");
    let combined =
        || CombinedSerde { foreign: Arc::clone(&serdes.foreign), primary: Arc::clone(&serdes.key) };
    let wanted = SubscriptionSerde(Arc::clone(&serdes.key));
    builder.add_store(Stores::grouped(&store, combined(), wanted, Grouping::LengthFirst).without_cache());
    let name = names.next("-subscription-receive", PROCESSOR);
    let (store_name, shared) = (Arc::clone(&store), Arc::clone(serdes));
    let make: MakeNode = Box::new(move |wiring| {
        Box::new(Typed::<_, Option<F>, Subscription<K>, Option<F>, Subscription<K>>::new(
            Keeping::<F, K>::new(wiring.store(&store_name), Arc::clone(&shared.foreign)),
        ))
    });
    type Asked<F, K> = Record<Option<F>, Subscription<K>>;
    let role = NodeRole::Processor { make };
    let kept = builder.add_node::<Asked<F, K>, Asked<F, K>>(name, vec![source], role, vec![store.clone()]);
    let name = names.next("-subscription-join-foreign", PROCESSOR);
    let getter = right.readable(&name);
    let make_getter = getter.make;
    let make: MakeNode = Box::new(move |wiring| Box::new(Matching::<F, K, R>::new(make_getter(wiring))));
    let role = NodeRole::Processor { make };
    let matched =
        builder.add_node::<Asked<F, K>, Record<K, Answer<R>>>(name, vec![kept], role, getter.stores);
    let name = names.next("-foreign-join-subscription", PROCESSOR);
    let (store_name, shared) = (Arc::clone(&store), Arc::clone(serdes));
    let make: MakeNode = Box::new(move |wiring| {
        let keys = CombinedSerde { foreign: Arc::clone(&shared.foreign), primary: Arc::clone(&shared.key) };
        let topic = wiring.changelog(&store_name);
        Box::new(Typed::<_, F, Change<R>, K, Answer<R>>::new(Answering::<F, K>::new(
            wiring.store(&store_name),
            keys,
            topic,
        )))
    });
    let role = NodeRole::Processor { make };
    let told = builder.add_node::<Record<F, Change<R>>, Record<K, Answer<R>>>(
        name,
        vec![right.node],
        role,
        vec![store],
    );
    let topic = names.topic("-subscription-response", RESPONSE);
    let sink = names.next("-subscription-response-sink", "KTABLE-SINK-");
    let value: SharedSerde<Answer<R>> = Arc::new(AnswerSerde(Arc::clone(&serdes.right)));
    let sinking = Sinking {
        key: Arc::clone(&serdes.key),
        value: Arc::clone(&value),
        partitioning: Partitioning::Chosen(Arc::new(|_, answer: &Answer<R>, _| answer.partition)),
    };
    sinking.add(builder, sink, topic.clone(), vec![matched, told]);
    let source = names.next("-subscription-response-source", "KTABLE-SOURCE-");
    builder.add_named_source(source, vec![topic], consumed(Arc::clone(&serdes.key), value))
}
