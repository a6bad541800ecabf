//! `table` and `to_table`: records become a table's changes, kept in a store.

use std::sync::Arc;

use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Consumed, Data, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, TopicRef, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::Record;
use crate::state::{Dirty, Entry, KeyValueStore, StoreHandle};

use super::aggregate::forward_dirty;
use super::versioned_source;

pub(in crate::dsl) fn table<'b, K: StoreKey, V: Data>(
    builder: &'b StreamsBuilder,
    topic: &str,
    consumed: Consumed<K, Option<V>>,
    materialized: Materialized<K, V>,
) -> KTable<'b, K, V> {
    let store = materialized.store_name(builder, &format!("{topic}-"));
    let source = builder.add_source(vec![TopicRef::External(topic.into())], consumed);
    let name = builder.next_name("KTABLE-SOURCE-");
    materialize(builder, source, name, &store, materialized)
}

/// Adds the node that turns records into changes, and its store.
pub(super) fn materialize<'b, K: StoreKey, V: Data>(
    builder: &'b StreamsBuilder,
    parent: NodeId,
    name: Arc<str>,
    store: &Arc<str>,
    materialized: Materialized<K, V>,
) -> KTable<'b, K, V> {
    materialized.require_store_name(builder, &name, store);
    if let Some(history) = materialized.history {
        return versioned_source::materialize(builder, parent, name, store, materialized, history);
    }
    builder.add_store(materialized.key_value_store(store));
    let (key, store_name) = (Arc::clone(&materialized.key), Arc::clone(store));
    let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
        Box::new(Typed::new(TableSource {
            store: wiring.store::<KeyValueStore<K, V>>(&store_name),
            key: Arc::clone(&key),
            cached: wiring.caches(&store_name),
            send_old: wiring.node.send_old,
            dirty: Vec::new(),
        }))
    });
    let node = builder.add_node::<Record<K, Option<V>>, Record<K, Change<V>>>(
        name,
        vec![parent],
        NodeRole::Processor { make },
        vec![Arc::clone(store)],
    );
    KTable::new(builder, node).with_info(TableInfo {
        getter: Some(ValueGetter::of_store(Arc::clone(store))),
        key: Some(materialized.key),
        value: Some(materialized.value),
        keep: None,
    })
}

struct TableSource<K: StoreKey, V: Data> {
    store: StoreHandle<KeyValueStore<K, V>>,
    key: SharedSerde<K>,
    cached: bool,
    send_old: bool,
    dirty: Vec<Dirty<K, V>>,
}

impl<K: StoreKey, V: Data> Processor<K, Option<V>, K, Change<V>> for TableSource<K, V> {
    fn init(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        cx.store(self.store).capture_old(self.send_old);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Option<V>>,
        cx: &mut Context<'_, K, Change<V>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, headers } = record;
        if self.key.is_null(&key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        let (send_old, cached) = (self.send_old, self.cached);
        let new = if cached { None } else { value.clone() };
        let old = cx.store(self.store).update(&key, timestamp, |slot| {
            let before = slot.take();
            *slot = value.map(|value| Entry { value, timestamp });
            if send_old && !cached { before.map(|entry| entry.value) } else { None }
        })?;
        if cached {
            return if cx.store(self.store).wants_flush() { self.flush(cx) } else { Ok(()) };
        }
        cx.forward(Record { key, value: Change::new(old, new), timestamp, headers })
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        if !self.cached {
            return Ok(());
        }
        cx.store(self.store).take_dirty(&mut self.dirty)?;
        for dirty in self.dirty.drain(..) {
            forward_dirty(dirty, self.send_old, cx)?;
        }
        Ok(())
    }
}
