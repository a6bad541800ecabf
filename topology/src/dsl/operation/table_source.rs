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

use super::kept::Kept;
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
        let kept: Kept<K, V> = Kept::new(wiring, &store_name);
        Box::new(Typed::new(TableSource { kept, key: Arc::clone(&key) }))
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
    kept: Kept<K, V>,
    key: SharedSerde<K>,
}

impl<K: StoreKey, V: Data> Processor<K, Option<V>, K, Change<V>> for TableSource<K, V> {
    fn init(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        self.kept.init(cx);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Option<V>>,
        cx: &mut Context<'_, K, Change<V>>,
    ) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        let Record { key, value, timestamp, headers } = record;
        match self.kept.replace(&key, value, timestamp, cx)? {
            Some((value, timestamp)) => cx.forward(Record { key, value, timestamp, headers }),
            None => Ok(()),
        }
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<V>>) -> Result<(), ProcessError> {
        self.kept.flush(cx)
    }
}
