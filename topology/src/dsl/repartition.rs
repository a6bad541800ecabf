//! Repartitioning: a stream written to an internal topic by its new key and read back. Explicit by `repartition`,
//! implicit before grouping and joining.

use std::sync::Arc;

use super::Data;
use super::kstream::KStream;
use super::options::{Consumed, Repartitioned, SharedSerde};
use super::sink::{Partitioning, Sinking};
use super::source::FailOnInvalidTimestamp;
use crate::error::TopologyError;
use crate::plan::{
    MakeNode, NodeId, NodeRole, RepartitionDecl, Route, TopicRef, is_generated, repartition_topic,
};
use crate::processor::{Hop, Node};
use crate::record::Record;

/// What a repartition needs to know.
pub(crate) struct RepartitionSettings<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    /// The user's name for the topic, if any.
    pub(crate) name: Option<Arc<str>>,
    /// What Kafka Streams would call it.
    pub(crate) generated: Arc<str>,
    pub(crate) partitions: Option<i32>,
    pub(crate) partitioning: Partitioning<K, V>,
    /// Whether records with a null key are left out (grouping and joining need one).
    pub(crate) drop_null_keys: bool,
    pub(crate) purpose: Purpose,
}

/// Why there is a repartition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The user asked for it, so that it stays where it is.
    Asked,
    /// A join needs it.
    Join,
    /// Another operation needs it.
    Operation,
}

struct NullKeyFilter<K, V> {
    key: SharedSerde<K>,
    types: std::marker::PhantomData<fn(V)>,
}

impl<K: Data, V: Data> Node for NullKeyFilter<K, V> {
    fn process(
        &mut self,
        slot: &mut dyn std::any::Any,
        mut hop: Hop<'_>,
    ) -> Result<(), crate::error::ProcessError> {
        let place =
            slot.downcast_mut::<Option<Record<K, V>>>().expect("edge types are checked by Topology::build");
        // Not counted as dropped, as in Kafka Streams: what asked for the repartition has no use for such records.
        if place.as_ref().is_some_and(|record| self.key.is_null(&record.key)) {
            return Ok(());
        }
        hop.pass(place)
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Writes the stream to an internal topic by its key and goes on from there: a new sub-topology, with as many tasks
    /// as the topic has partitions. Records with a null key belong to no partition by key and are left out.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Produced, Repartitioned, StreamsBuilder, StringSerde};
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .select_key(|_, number| (number % 2).to_string())
    ///     .repartition(Repartitioned::with(StringSerde, I64Serde).named("by-parity").partitions(4))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1, 2]);
    /// ```
    pub fn repartition(self, repartitioned: Repartitioned<K, V>) -> Self {
        // Unlike other operators it takes a number for itself only where it has no name.
        let generated = match &repartitioned.name {
            Some(name) => Arc::clone(name),
            None => self.builder.next_name("KSTREAM-REPARTITION-"),
        };
        self.through(RepartitionSettings {
            key: repartitioned.key,
            value: repartitioned.value,
            name: repartitioned.name,
            generated,
            partitions: repartitioned.partitions,
            partitioning: repartitioned.partitioning,
            drop_null_keys: true,
            purpose: Purpose::Asked,
        })
    }

    pub(crate) fn through(self, settings: RepartitionSettings<K, V>) -> Self {
        let builder = self.builder;
        let base = settings.name.clone().unwrap_or_else(|| Arc::clone(&settings.generated));
        let (topic, numbered) = (repartition_topic(&base), is_generated(&base));
        // Kafka Streams takes the three numbers in this order, also when names replace them.
        let node_name = |prefix: &str, suffix: &str| {
            let generated = builder.next_name(prefix);
            if numbered { generated } else { format!("{topic}-{suffix}").into() }
        };
        let sink = node_name("KSTREAM-SINK-", "sink");
        let filter = node_name("KSTREAM-FILTER-", "filter");
        let source = node_name("KSTREAM-SOURCE-", "source");
        if let Some(source) = self.share_route(&topic, &settings) {
            return KStream::new(builder, source, false);
        }
        if settings.name.is_none() {
            let error = TopologyError::Unnamed {
                node: filter.to_string(),
                what: "repartition topic",
                generated: topic.to_string(),
                advice: "name it by the option of the operation: Grouped, Joined or Repartitioned::named",
            };
            builder.graph.borrow_mut().errors.push(error);
        }
        let mut decl =
            RepartitionDecl { topic: Arc::clone(&topic), partitions: settings.partitions, route: None };
        let drop_null_keys = settings.drop_null_keys;
        let make = null_key_filter::<K, V>(drop_null_keys.then(|| Arc::clone(&settings.key)));
        let filtered: Self = self.then_named(filter, Vec::new(), make);
        let topic = TopicRef::Internal(topic);
        let (key, value) = (Arc::clone(&settings.key), Arc::clone(&settings.value));
        let sinking = Sinking { key, value, partitioning: settings.partitioning };
        let sink = sinking.add(builder, sink, topic.clone(), vec![filtered.node]);
        let consumed = Consumed {
            key: settings.key,
            value: settings.value,
            name: None,
            reset: None,
            policy: None,
            timestamps: Arc::new(FailOnInvalidTimestamp),
        };
        let source = builder.add_named_source(source, vec![topic], consumed);
        decl.route = (settings.purpose != Purpose::Asked).then_some(Route {
            filter: filtered.node,
            sink,
            source,
            drops_null_keys: drop_null_keys,
            of_join: settings.purpose == Purpose::Join,
        });
        builder.graph.borrow_mut().repartitions.push(decl);
        KStream::new(builder, source, false)
    }

    /// The source behind a repartition of this very stream that serves this purpose too: what is grouped once under a name,
    /// and aggregated several times, is written once; and a join without a name takes what the last join has written.
    fn share_route(&self, topic: &str, settings: &RepartitionSettings<K, V>) -> Option<NodeId> {
        let mut graph = self.builder.graph.borrow_mut();
        let (nodes, repartitions) = {
            let graph = &mut *graph;
            (&mut graph.nodes, &mut graph.repartitions)
        };
        let takes_any = settings.purpose == Purpose::Join && settings.name.is_none();
        let route = repartitions.iter_mut().rev().find_map(|decl| {
            let is_wanted = *decl.topic == *topic || takes_any && decl.route?.of_join;
            let route = decl.route.as_mut().filter(|_| is_wanted)?;
            (nodes[route.filter.index()].parents == [self.node]).then_some(route)
        });
        let route = route.filter(|_| settings.purpose != Purpose::Asked)?;
        if route.drops_null_keys && !settings.drop_null_keys {
            route.drops_null_keys = false;
            nodes[route.filter.index()].role = NodeRole::Processor { make: null_key_filter::<K, V>(None) };
        }
        Some(route.source)
    }
}

/// Makes what stands in front of the topic: it leaves out records whose key is null, where it is told how to see that.
fn null_key_filter<K: Data, V: Data>(key: Option<SharedSerde<K>>) -> MakeNode {
    Box::new(move |_| match &key {
        Some(key) => {
            Box::new(NullKeyFilter::<K, V> { key: Arc::clone(key), types: std::marker::PhantomData })
        }
        None => Box::new(crate::processor::InPlace::new(|_: &mut Record<K, V>| true)),
    })
}
