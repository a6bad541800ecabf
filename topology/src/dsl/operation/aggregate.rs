//! `aggregate`, `count` and `reduce` of grouped streams, over all time.

use std::marker::PhantomData;
use std::sync::Arc;

use super::keep::{self, Aggregation, Initial, Keep, Step};
use super::kept::{Kept, apply};
use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Data, KGroupedStream, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::Record;

impl<'b, K: StoreKey, V: Data> KGroupedStream<'b, K, V> {
    /// Keeps an aggregate per key: `initialize` makes the first one, `add` changes it by each record. Records with a
    /// null key or a null value are dropped. Where `A` is an `Option` and `add` leaves `None`, the key is deleted and
    /// begins anew with its next record.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let longest = builder
    ///     .stream("words", Consumed::<String, String>::default())
    ///     .group_by_key(Grouped::default())
    ///     .aggregate(|| 0, |_, word, longest| *longest = word.len().max(*longest as usize) as i64,
    ///         Materialized::named("longest"));
    /// # let _ = longest;
    /// # builder.build().expect("valid");
    /// ```
    pub fn aggregate<A: Data>(
        self,
        initialize: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<'b, K, A> {
        let step = keep::adding(add);
        let initial = move || Some(initialize());
        keep::aggregate((self, "KSTREAM-AGGREGATE-"), (&AllTime, false), initial, step, materialized)
    }

    /// Counts the records of each key.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map_values(|count| count.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1, 2, 3, 4]);
    /// ```
    pub fn count(self, materialized: Materialized<K, i64>) -> KTable<'b, K, i64> {
        materialized.burn_number(self.stream.builder);
        keep::aggregate(
            (self, "KSTREAM-AGGREGATE-"),
            (&AllTime, false),
            || Some(0),
            keep::counting,
            materialized,
        )
    }

    /// Keeps one value per key: the first one, then what `reducer` makes of it and each next one.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .reduce(|largest, number| *largest.max(number), Materialized::named("largest"))
    ///     .to_stream()
    ///     .map_values(|largest| largest.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [2, 5, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 2, 5 and 3:
    /// assert_eq!(values, [2, 5, 5]);
    /// ```
    pub fn reduce(
        self,
        reducer: impl Fn(&V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<'b, K, V> {
        let step = keep::reducing(reducer);
        keep::aggregate((self, "KSTREAM-REDUCE-"), (&AllTime, false), || None, step, materialized)
    }
}

/// Aggregates of all time: one a key.
pub(super) struct AllTime;

impl<K: StoreKey, A: Data> Keep<K, A> for AllTime {
    type Key = K;

    fn add_store(&self, builder: &StreamsBuilder, store: &Arc<str>, materialized: &Materialized<K, A>) {
        builder.add_store(materialized.key_value_store(store));
    }

    fn make<V: Data, I: Initial<A>, F: Step<K, V, A>>(
        &self,
        aggregation: Aggregation<K, V, A, I, F>,
    ) -> MakeNode {
        Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            let Aggregation { store, key, value, aggregate, initial, step, .. } = &aggregation;
            Box::new(Typed::new(Aggregate {
                kept: Kept::new(wiring, store),
                key: Arc::clone(key),
                value: Arc::clone(value),
                aggregate: Arc::clone(aggregate),
                initial: Arc::clone(initial),
                step: Arc::clone(step),
                types: PhantomData,
            }))
        })
    }

    fn grace_ms(&self) -> Option<i64> {
        None
    }

    fn info(&self, store: &Arc<str>, materialized: Materialized<K, A>) -> TableInfo<K, A> {
        let getter = Some(ValueGetter::of_store(Arc::clone(store)));
        TableInfo { getter, key: Some(materialized.key), value: Some(materialized.value), keep: None }
    }
}

struct Aggregate<I, F, K: StoreKey, V, A: Data> {
    kept: Kept<K, A>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    aggregate: SharedSerde<A>,
    initial: Arc<I>,
    step: Arc<F>,
    types: PhantomData<fn(V)>,
}

impl<I, F, K, V, A> Processor<K, V, K, Change<A>> for Aggregate<I, F, K, V, A>
where
    I: Fn() -> Option<A> + Send + Sync + 'static,
    F: Fn(&K, &V, &mut Option<A>) + Send + Sync + 'static,
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
        record: Record<K, V>,
        cx: &mut Context<'_, K, Change<A>>,
    ) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        if self.value.is_null(&record.value) {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        }
        let (time, initial, serde) = (record.timestamp, &*self.initial, &*self.aggregate);
        self.kept.change_and_tell(record, cx, |key, value, slot, old_wanted| {
            let step = |aggregate: &mut Option<A>| (self.step)(key, &value, aggregate);
            apply(slot, time, old_wanted, initial, step, serde)
        })
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<A>>) -> Result<(), ProcessError> {
        self.kept.flush(cx)
    }
}
