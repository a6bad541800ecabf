//! `aggregate`, `count` and `reduce` of grouped tables: rows are added, and taken out again.

use std::sync::Arc;

use crate::dsl::change::ChangeSerde;
use crate::dsl::ktable::TableInfo;
use crate::dsl::options::{Consumed, SharedSerde};
use crate::dsl::sink::{Partitioning, Sinking};
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{
    Change, Data, FailOnInvalidTimestamp, KGroupedTable, KStream, KTable, Materialized, StoreKey,
};
use crate::error::{ProcessError, TopologyError};
use crate::plan::{Follower, NodeId, NodeRole, RepartitionDecl, TopicRef, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::Record;

use super::kept::{Kept, apply};

impl<'b, K: StoreKey, V: Data> KGroupedTable<'b, K, V> {
    /// Keeps an aggregate per group: `remove` takes an old row out, `add` puts a new one in.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{Nullable, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("accounts"))
    ///     .group_by(|_, balance| ("all".to_owned(), *balance), Grouped::with(StringSerde, I64Serde).named("to-all"))
    ///     .aggregate(
    ///         || 0,
    ///         |_, balance, sum| *sum += balance,
    ///         |_, balance, sum| *sum -= balance,
    ///         Materialized::named("sum"),
    ///     )
    ///     .to_stream()
    ///     .map_values(|sum| sum.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("ada", Some(10), 0), ("grace", Some(5), 1), ("ada", Some(7), 2), ("grace", None, 3)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// # let last = values.last();
    /// // Ada has 10, Grace 5; then Ada has 7, and Grace is gone.
    /// assert_eq!(last, Some(&7));
    /// ```
    pub fn aggregate<A: Data>(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        remove: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, K, A> {
        let step = move |key: &K, change: &Change<V>, slot: &mut Option<A>| {
            if let (Some(old), Some(aggregate)) = (&change.old, slot.as_mut()) {
                remove(key, old, aggregate);
            }
            if let Some(new) = &change.new {
                add(key, new, slot.get_or_insert_with(&initialize));
            }
        };
        self.aggregate_with("KTABLE-AGGREGATE-", step, materialized)
    }

    /// Counts the rows of each group.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("people"))
    ///     .group_by(|_, city| (city.to_string(), 1), Grouped::with(StringSerde, I64Serde).named("by-city"))
    ///     .count(Materialized::named("people-by-city"))
    ///     .to_stream()
    ///     .map_values(|count| count.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (key, value, time) in [("ada", 1, 0), ("ada", 2, 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
    /// // Ada lives in city 1, and moves to city 2.
    /// assert_eq!(out, [("1", 1), ("1", 0), ("2", 1)]);
    /// ```
    pub fn count(self, materialized: Materialized<K, i64>) -> KTable<'b, K, i64> {
        self.aggregate(|| 0, |_, _, count| *count += 1, |_, _, count| *count -= 1, materialized)
    }

    /// Keeps one value per group: `add` brings a row in, `remove` takes one out.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{Nullable, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("accounts"))
    ///     .group_by(|_, balance| ("all".to_owned(), *balance), Grouped::with(StringSerde, I64Serde).named("to-all"))
    ///     .reduce(|sum, balance| sum + balance, |sum, balance| sum - balance, Materialized::named("sum"))
    ///     .to_stream()
    ///     .map_values(|sum| sum.unwrap_or(0))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("ada", Some(10), 0), ("grace", Some(5), 1), ("ada", Some(7), 2), ("grace", None, 3)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// # let last = values.last();
    /// // Ada has 10, Grace 5; then Ada has 7, and Grace is gone.
    /// assert_eq!(last, Some(&7));
    /// ```
    pub fn reduce(
        self,
        add: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        remove: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<'b, K, V> {
        let step = move |_: &K, change: &Change<V>, slot: &mut Option<V>| {
            if let (Some(old), Some(aggregate)) = (&change.old, slot.as_ref()) {
                *slot = Some(remove(aggregate, old));
            }
            if let Some(new) = &change.new {
                *slot = Some(match slot.as_ref() {
                    Some(aggregate) => add(aggregate, new),
                    None => new.clone(),
                });
            }
        };
        self.aggregate_with("KTABLE-REDUCE-", step, materialized)
    }

    fn aggregate_with<A: Data>(
        self,
        prefix: &str,
        step: impl Fn(&K, &Change<V>, &mut Option<A>) + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, K, A> {
        let builder = self.changes.builder;
        // Kafka Streams calls the store so for every operation on a grouped table.
        let store = materialized.store_name(builder, "KTABLE-AGGREGATE-");
        let (changes, sink) = self.repartitioned(materialized.name.as_ref(), &store);
        let name = builder.next_name(prefix);
        materialized.require_name(builder, &name, &store);
        builder.add_store(materialized.key_value_store(&store));
        let info = TableInfo {
            getter: Some(ValueGetter::of_store(Arc::clone(&store))),
            key: Some(materialized.key),
            value: Some(Arc::clone(&materialized.value)),
            keep: None,
        };
        let (aggregate, step, store_name) = (materialized.value, Arc::new(step), Arc::clone(&store));
        let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            Box::new(Typed::new(TableAggregate {
                kept: Kept::new(wiring, &store_name),
                key: Arc::clone(&self.key),
                aggregate: Arc::clone(&aggregate),
                step: Arc::clone(&step),
            }))
        });
        let role = NodeRole::Processor { make };
        let node = builder.add_node::<Record<K, Change<V>>, Record<K, Change<A>>>(
            name,
            vec![changes.node],
            role,
            vec![store],
        );
        if let Some(sink) = sink {
            let mut graph = builder.graph.borrow_mut();
            graph.call_after(node, Follower::Node(sink, "-sink".into()));
            graph.call_after(node, Follower::Node(changes.node, "-source".into()));
        }
        KTable::new(builder, node).with_info(info)
    }

    /// The changes by their group: always through a topic, since two groups of one row may live apart. With the sink, where
    /// this made the topic: one with a name serves every aggregation of the group.
    fn repartitioned(
        &self,
        store: Option<&Arc<str>>,
        generated: &Arc<str>,
    ) -> (KStream<'b, K, Change<V>>, Option<NodeId>) {
        let builder = self.changes.builder;
        let (sink, source) = (builder.next_name("KSTREAM-SINK-"), builder.next_name("KSTREAM-SOURCE-"));
        let named = self.name.as_ref().or(store);
        let topic: Arc<str> = format!("{}-repartition", named.unwrap_or(generated)).into();
        if named.is_none() {
            builder.graph.borrow_mut().errors.push(TopologyError::Unnamed {
                node: sink.to_string(),
                what: "repartition topic",
                generated: topic.to_string(),
                advice: "name it with Grouped::named",
            });
        }
        let decl = RepartitionDecl { topic: Arc::clone(&topic), partitions: None, route: None };
        let topic = TopicRef::Internal(topic);
        let mut graph = builder.graph.borrow_mut();
        if let Some(source) = graph.source_behind(self.changes.node, &topic) {
            return (KStream::new(builder, source, false), None);
        }
        graph.repartitions.push(decl);
        drop(graph);
        let value: SharedSerde<Change<V>> = Arc::new(ChangeSerde(Arc::clone(&self.value)));
        let sinking = Sinking {
            key: Arc::clone(&self.key),
            value: Arc::clone(&value),
            partitioning: Partitioning::OfKey,
        };
        let sink = sinking.add(builder, sink, topic.clone(), vec![self.changes.node]);
        let consumed = Consumed {
            key: Arc::clone(&self.key),
            value,
            name: None,
            reset: None,
            policy: None,
            timestamps: Arc::new(FailOnInvalidTimestamp),
        };
        let source = builder.add_named_source(source, vec![topic], consumed);
        (KStream::new(builder, source, false), Some(sink))
    }
}

struct TableAggregate<F, K: StoreKey, A: Data> {
    kept: Kept<K, A>,
    key: SharedSerde<K>,
    aggregate: SharedSerde<A>,
    step: Arc<F>,
}

impl<F, K, V, A> Processor<K, Change<V>, K, Change<A>> for TableAggregate<F, K, A>
where
    F: Fn(&K, &Change<V>, &mut Option<A>) + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    A: Data,
{
    fn init(&mut self, cx: &mut Context<'_, K, Change<A>>) -> Result<(), ProcessError> {
        self.kept.init(cx);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut Context<'_, K, Change<A>>,
    ) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        let (time, serde) = (record.timestamp, &*self.aggregate);
        self.kept.change_and_tell(record, cx, |key, change, slot, old_wanted| {
            let step = |aggregate: &mut Option<A>| (self.step)(key, &change, aggregate);
            apply(slot, time, old_wanted, &|| None, step, serde)
        })
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<A>>) -> Result<(), ProcessError> {
        self.kept.flush(cx)
    }
}
