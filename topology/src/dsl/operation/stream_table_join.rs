//! `join` and `left_join` of a stream with a table: each record looks up its key in the table as it is now.

use std::sync::Arc;

use crate::dsl::options::SharedSerde;
use crate::dsl::repartition::RepartitionSettings;
use crate::dsl::value_getter::GetValue;
use crate::dsl::{Data, Joined, KStream, KTable, StoreKey};
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::{DropReason, Hop, Node, take};
use crate::record::Record;

impl<'b, K: StoreKey, V: Data> KStream<'b, K, V> {
    /// Joins each record with the table's value of its key; records without one are left out. The table's changes
    /// trigger nothing. Null keys and values are dropped. Both sides must have the same number of partitions; a stream
    /// whose key changed is repartitioned first.
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
        let stream = if self.rekeyed {
            // Kafka Streams names the topic after the node that changed the key.
            let generated = Arc::clone(&builder.graph.borrow_mut().node_mut(self.node).name);
            self.through(RepartitionSettings {
                key: Arc::clone(&joined.key),
                value: Arc::clone(&joined.value),
                name: joined.name,
                generated,
                partitions: None,
                drop_null_keys: !left,
            })
        } else {
            self
        };
        let name = builder.next_name(prefix);
        let getter = table.info().getter.expect("every table keyed by a store key has a getter");
        let (joiner, key, value) = (Arc::new(joiner), joined.key, joined.value);
        let make_getter = Arc::clone(&getter.make);
        let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
            Box::new(StreamTableJoin {
                get: make_getter(wiring),
                joiner: Arc::clone(&joiner),
                key: Arc::clone(&key),
                value: Arc::clone(&value),
                left,
                types: std::marker::PhantomData,
            })
        });
        let below: KStream<'b, K, O> = stream.then_named(name, getter.stores, make);
        let mut graph = builder.graph.borrow_mut();
        let mut sources = graph.sources_of(stream.node);
        sources.extend(graph.sources_of(table.node));
        graph.co_partitioned.push((below.node, sources));
        drop(graph);
        KStream::new(builder, below.node, stream.rekeyed)
    }
}

struct StreamTableJoin<F, K, V, T, O> {
    get: GetValue<K, T>,
    joiner: Arc<F>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    left: bool,
    types: std::marker::PhantomData<fn() -> O>,
}

impl<F, K, V, T, O> Node for StreamTableJoin<F, K, V, T, O>
where
    F: Fn(&K, &V, Option<&T>) -> Option<O> + Send + Sync,
    K: StoreKey,
    V: Data,
    T: Data,
    O: Data,
{
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        if self.value.is_null(&record.value) {
            hop.env.count_drop(DropReason::NullValue);
            return Ok(());
        }
        let row = if !self.key.is_null(&record.key) {
            (self.get)(hop.env, &record.key)?
        } else if self.left {
            None
        } else {
            hop.env.count_drop(DropReason::NullKey);
            return Ok(());
        };
        match (self.joiner)(&record.key, &record.value, row.as_ref().map(|entry| &entry.value)) {
            Some(output) => hop.pass(&mut Some(record.with_value(output))),
            None => Ok(()),
        }
    }
}
