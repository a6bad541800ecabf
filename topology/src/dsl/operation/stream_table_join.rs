//! `join` and `left_join` of a stream with a table: each record looks up its key in the table, as it is now or, where the
//! table keeps versions, as it was at the record's time.

use std::marker::PhantomData;
use std::sync::Arc;

use super::stream_join::by_key;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::GetValue;
use crate::dsl::{Data, Joined, KStream, KTable, StoreKey};
use crate::error::{ProcessError, TopologyError};
use crate::plan::Wiring;
use crate::processor::{Context, DropReason, Hop, Node, take};
use crate::record::{Record, RecordMetadata, TopicPartition};
use crate::state::{RecordBuffer, StoreHandle, Stores};
use crate::time::{Timestamp, millis};

impl<'b, K: StoreKey, V: Data> KStream<'b, K, V> {
    /// Joins each record with the table's value of its key; records without one are left out. The table's changes
    /// trigger nothing. Null keys and values are dropped. Both sides must have the same number of partitions; a stream
    /// whose key changed is repartitioned first.
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .join(prices, |_, amount, price| amount * price, Joined::default())
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=1 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let prices = driver.input_topic::<String, Option<i64>>("prices", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(10), 0)] { prices.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let later = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 2..=3 { later.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // 1 comes before there is a price; then the price is 10, and 2 and 3 come.
    /// assert_eq!(values, [20, 30]);
    /// ```
    pub fn join<T: Data, O: Data>(
        self,
        table: KTable<'b, K, T>,
        joiner: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, value: &V, row: Option<&T>| row.map(|row| joiner(key, value, row));
        self.join_table("KSTREAM-JOIN-", table, joiner, joined, false)
    }

    /// As [`join`](Self::join), but records without a match are joined with `None`, those with a null key too.
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, Nullable, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .left_join(prices, |_, amount, price| amount * price.unwrap_or(&0), Joined::default())
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=1 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let prices = driver.input_topic::<String, Option<i64>>("prices", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(10), 0)] { prices.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let later = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 2..=3 { later.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // 1 comes before there is a price; then the price is 10, and 2 and 3 come.
    /// assert_eq!(values, [0, 20, 30]);
    /// ```
    pub fn left_join<T: Data, O: Data>(
        self,
        table: KTable<'b, K, T>,
        joiner: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, value: &V, row: Option<&T>| Some(joiner(key, value, row));
        self.join_table("KSTREAM-LEFTJOIN-", table, joiner, joined, true)
    }

    fn join_table<T: Data, O: Data>(
        self,
        prefix: &str,
        table: KTable<'b, K, T>,
        joiner: impl Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync + 'static,
        joined: Joined<K, V>,
        left: bool,
    ) -> KStream<'b, K, O> {
        let builder = self.builder;
        let stream = by_key(self, (&joined.key, &joined.value), joined.name.clone(), !left);
        let name = builder.name_or(joined.name.as_ref(), prefix);
        let getter = table.readable(&name);
        let mut stores = getter.stores;
        let buffer = joined.grace.map(|grace| {
            let buffer: Arc<str> = format!("{name}-Buffer").into();
            stream.require_versions(&name, &buffer, getter.versioned, joined.name.is_none());
            let (key, value) = (Arc::clone(&joined.key), Arc::clone(&joined.value));
            builder.add_store(Stores::record_buffer(&buffer, key, value));
            // Its own store stands in front of the table's, as Kafka Streams connects them.
            stores.insert(0, Arc::clone(&buffer));
            (buffer, millis(grace))
        });
        let (joiner, key, value) = (Arc::new(joiner), joined.key, joined.value);
        let make_getter = getter.make;
        let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            let waiting = buffer.as_ref().map(|(buffer, grace_ms)| Waiting {
                buffer: wiring.store(buffer),
                grace_ms: *grace_ms,
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                released: Vec::new(),
            });
            Box::new(StreamTableJoin {
                get: make_getter(wiring),
                waiting,
                joiner: Arc::clone(&joiner),
                key: Arc::clone(&key),
                value: Arc::clone(&value),
                left,
                types: PhantomData,
            })
        });
        let below: KStream<'b, K, O> = stream.then_named(name, stores, make);
        let mut graph = builder.graph.borrow_mut();
        let mut sources = graph.sources_of(stream.node);
        sources.extend(graph.sources_of(table.node));
        graph.co_partitioned.push((below.node, sources));
        drop(graph);
        KStream::new(builder, below.node, stream.rekeyed)
    }

    /// Notes that a join which waits was given a table without versions, or a buffer without a name.
    fn require_versions(&self, node: &Arc<str>, buffer: &Arc<str>, versioned: bool, unnamed: bool) {
        let mut graph = self.builder.graph.borrow_mut();
        if !versioned {
            graph.errors.push(TopologyError::NotVersioned { node: node.to_string() });
        }
        if unnamed {
            graph.errors.push(TopologyError::Unnamed {
                node: node.to_string(),
                what: "store",
                generated: buffer.to_string(),
                advice: "name it with Joined::named",
            });
        }
    }
}

/// Records that wait for the table to be known at their time.
struct Waiting<K, V> {
    buffer: StoreHandle<RecordBuffer<K, V>>,
    grace_ms: i64,
    /// The greatest time of a record that was held back; what was dropped does not count, as in Kafka Streams.
    observed: Timestamp,
    observed_key: Arc<str>,
    released: Vec<Record<K, V>>,
}

struct StreamTableJoin<F, K, V, T, O> {
    get: GetValue<K, T>,
    waiting: Option<Waiting<K, V>>,
    joiner: Arc<F>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    left: bool,
    types: PhantomData<fn() -> O>,
}

impl<F, K, V, T, O> StreamTableJoin<F, K, V, T, O>
where
    F: Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync,
    K: StoreKey,
    V: Data,
    T: Data,
    O: Data,
{
    fn join(&mut self, record: Record<K, V>, hop: &mut Hop<'_>) -> Result<(), ProcessError> {
        let row = (self.get)(hop.env, &record.key, Some(record.timestamp))?;
        match (self.joiner)(&record.key, &record.value, row.as_ref().map(|entry| &entry.value)) {
            Some(output) => hop.pass(&mut Some(record.with_value(output))),
            None => Ok(()),
        }
    }

    /// Holds the record back, or gives it back when it comes too late for that; joins those that have waited enough.
    fn wait(&mut self, record: Record<K, V>, hop: &mut Hop<'_>) -> Result<(), ProcessError> {
        let Some(waiting) = &mut self.waiting else { return self.join(record, hop) };
        if record.timestamp < waiting.observed.minus_millis(waiting.grace_ms) {
            return self.join(record, hop);
        }
        waiting.observed = waiting.observed.max(record.timestamp);
        let due = waiting.observed.minus_millis(waiting.grace_ms);
        let metadata = hop.env.metadata().unwrap_or_else(no_origin);
        let mut released = std::mem::take(&mut waiting.released);
        let buffer = hop.env.store(waiting.buffer);
        buffer.put(record, metadata)?;
        buffer.release(due, &mut released)?;
        let joined = released.drain(..).try_for_each(|record| self.join(record, hop));
        if let Some(waiting) = &mut self.waiting {
            waiting.released = released;
        }
        joined
    }
}

/// The origin of a record that a wall-clock punctuator made before the first one came.
fn no_origin() -> RecordMetadata {
    RecordMetadata { source: TopicPartition::new("", -1), offset: -1 }
}

impl<F, K, V, T, O> Node for StreamTableJoin<F, K, V, T, O>
where
    F: Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync,
    K: StoreKey,
    V: Data,
    T: Data,
    O: Data,
{
    fn init(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        if let Some(waiting) = &mut self.waiting {
            let cx = Context::<K, O>::new(hop);
            waiting.observed = cx.recall(&waiting.observed_key).map_or(Timestamp::UNKNOWN, Timestamp);
        }
        Ok(())
    }

    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        if self.value.is_null(&record.value) {
            hop.env.count_drop(DropReason::NullValue);
            return Ok(());
        }
        if !self.key.is_null(&record.key) {
            return self.wait(record, &mut hop);
        }
        if !self.left {
            hop.env.count_drop(DropReason::NullKey);
            return Ok(());
        }
        // No row has this key, so that there is nothing to look up or to wait for.
        match (self.joiner)(&record.key, &record.value, None) {
            Some(output) => hop.pass(&mut Some(record.with_value(output))),
            None => Ok(()),
        }
    }

    fn flush(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        if let Some(waiting) = &self.waiting {
            Context::<K, O>::new(hop).remember(&waiting.observed_key, waiting.observed.0);
        }
        Ok(())
    }
}
