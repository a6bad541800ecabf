//! `join_global` and `left_join_global`: each record looks up a key of its choice in a global table.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::dsl::options::SharedSerde;
use crate::dsl::{Data, GlobalKTable, Joined, KStream, StoreKey};
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::{DropReason, Hop, Node, take};
use crate::record::Record;
use crate::state::{Codec, GlobalHandle};

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Joins each record with the table's value of the key that `key_of` tells; records without one are left out. The
    /// table's changes trigger nothing, and nothing has to be partitioned alike. Records with a null value are dropped.
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let venues = builder.global_table(
    ///     "venues", Consumed::<String, Option<String>>::default(), Materialized::named("venues"));
    /// let trades = builder.stream("trades", Consumed::<String, String>::default());
    /// let named = trades.join_global(
    ///     venues,
    ///     |_, trade| trade.split('@').nth(1).map(str::to_owned),
    ///     |_, trade, venue| format!("{trade} at {venue}"),
    ///     Joined::default(),
    /// );
    /// # let _ = named;
    /// # builder.build().expect("valid");
    /// ```
    pub fn join_global<G: StoreKey, T: Data, O: Data>(
        self,
        table: GlobalKTable<'b, G, T>,
        key_of: impl Fn(&K, &V) -> Option<G> + Send + Sync + 'static,
        joiner: impl Fn(&K, &V, &T) -> O + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, value: &V, row: Option<&T>| row.map(|row| joiner(key, value, row));
        join(self, table, (key_of, joiner), (joined, false))
    }

    /// As [`join_global`](Self::join_global), but records without a match, or without a key to look up, are joined with
    /// `None`.
    ///
    /// ```
    /// use candlewick::{Consumed, Joined, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::*;
    /// let builder = StreamsBuilder::new();
    /// let rates = Consumed::<i64, Option<i64>>::default();
    /// let rates = builder.global_table("rates", rates, Materialized::named("rates"));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .left_join_global(rates, |_, n| Some(n % 10), |_, n, rate| n * rate.unwrap_or(&1), Joined::default())
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.input_topic("rates", I64Serde, I64Serde).pipe(2, 100, Timestamp(0)).expect("processed");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [11, 12] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // There is a rate of 2 and none of 1:
    /// assert_eq!(values, [11, 1_200]);
    /// ```
    pub fn left_join_global<G: StoreKey, T: Data, O: Data>(
        self,
        table: GlobalKTable<'b, G, T>,
        key_of: impl Fn(&K, &V) -> Option<G> + Send + Sync + 'static,
        joiner: impl Fn(&K, &V, Option<&T>) -> O + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<'b, K, O> {
        let joiner = move |key: &K, value: &V, row: Option<&T>| Some(joiner(key, value, row));
        join(self, table, (key_of, joiner), (joined, true))
    }
}

fn join<'b, K: Data, V: Data, G: StoreKey, T: Data, O: Data>(
    stream: KStream<'b, K, V>,
    table: GlobalKTable<'b, G, T>,
    (key_of, joiner): (
        impl Fn(&K, &V) -> Option<G> + Send + Sync + 'static,
        impl Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync + 'static,
    ),
    (joined, left): (Joined<K, V>, bool),
) -> KStream<'b, K, O> {
    let (info, index, name) = (table.info(), table.index, joined.name.clone());
    let (key_of, joiner) = (Arc::new(key_of), Arc::new(joiner));
    let make = Box::new(move |_: &Wiring<'_>| -> Box<dyn Node> {
        let (key, value) = (Arc::clone(&info.key), Arc::clone(&info.value));
        let (topic, store) = (Arc::clone(&info.topic), Arc::clone(&info.store));
        Box::new(GlobalJoin {
            table: GlobalHandle::new(index, Codec::new(Arc::clone(&key), value, topic, store)),
            key,
            value: Arc::clone(&joined.value),
            key_of: Arc::clone(&key_of),
            joiner: Arc::clone(&joiner),
            left,
            types: PhantomData::<fn(K) -> O>,
        })
    });
    // Kafka Streams calls the inner one so too.
    let name = stream.builder.name_or(name.as_ref(), "KSTREAM-LEFTJOIN-");
    stream.then_named(name, Vec::new(), make)
}

struct GlobalJoin<X, J, G, T, K, V, O> {
    table: GlobalHandle<G, T>,
    key: SharedSerde<G>,
    value: SharedSerde<V>,
    key_of: Arc<X>,
    joiner: Arc<J>,
    left: bool,
    types: PhantomData<fn(K) -> O>,
}

impl<X, J, G, T, K, V, O> Node for GlobalJoin<X, J, G, T, K, V, O>
where
    X: Fn(&K, &V) -> Option<G> + Send + Sync,
    J: Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync,
    G: StoreKey,
    T: Data,
    K: Data,
    V: Data,
    O: Data,
{
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        if self.value.is_null(&record.value) {
            hop.env.count_drop(DropReason::NullValue);
            return Ok(());
        }
        let key = (self.key_of)(&record.key, &record.value).filter(|key| !self.key.is_null(key));
        let row = match &key {
            Some(key) => hop.env.global(&self.table).get(key)?,
            None if self.left => None,
            None => {
                hop.env.count_drop(DropReason::NullKey);
                return Ok(());
            }
        };
        match (self.joiner)(&record.key, &record.value, row.as_ref().map(|entry| &entry.value)) {
            Some(output) => hop.pass(&mut Some(record.with_value(output))),
            None => Ok(()),
        }
    }
}
