//! `table` and `to_table`: records become a table's changes, kept in a store.

use std::sync::Arc;

use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Consumed, Data, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, TopicRef, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::{Record, RecordRun};
use crate::state::SourceTopic;
use crate::time::Timestamp;

use super::kept::Kept;
use super::versioned_source;

pub(in crate::dsl) fn table<'b, K: StoreKey, V: Data>(
    builder: &'b StreamsBuilder,
    topic: &str,
    consumed: Consumed<K, Option<V>>,
    mut materialized: Materialized<K, V>,
) -> KTable<'b, K, V> {
    if builder.options.reuse_source_topics {
        materialized.source = Some(source_topic(topic, &consumed, &materialized));
    }
    let store = materialized.store_name(builder, &format!("{topic}-"));
    let (source, name) = builder.kept_names(consumed.name.as_ref());
    let source = builder.add_named_source(source, vec![TopicRef::External(topic.into())], consumed);
    materialize(builder, source, name, &store, materialized)
}

/// The topic as the changelog of its table: its records are read as the source reads them and written as the store keeps
/// them, for serdes and times may be other ones.
fn source_topic<K: StoreKey, V: Data>(
    topic: &str,
    consumed: &Consumed<K, Option<V>>,
    materialized: &Materialized<K, V>,
) -> SourceTopic {
    let source = consumed.reader();
    let (key_serde, value_serde) = (Arc::clone(&materialized.key), Arc::clone(&materialized.value));
    let read = move |run: &RecordRun| {
        let mut rows = RecordRun::new(run.source.clone());
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut partition_time = Timestamp::UNKNOWN;
        for raw in run.iter() {
            // What cannot be read was left to a handler when it was processed: it is in no table.
            let Ok(record) = source.read(&run.source.topic, raw, partition_time) else { continue };
            if record.timestamp.0 < 0 || key_serde.is_null(&record.key) {
                continue;
            }
            partition_time = partition_time.max(record.timestamp);
            key.clear();
            value.clear();
            let wrote = key_serde.serialize(&run.source.topic, &record.key, &mut key);
            let kept = record.value.as_ref().filter(|value| !value_serde.is_null(value));
            let wrote = wrote.and_then(|()| {
                kept.map_or(Ok(()), |kept| value_serde.serialize(&run.source.topic, kept, &mut value))
            });
            if wrote.is_ok() {
                let value = kept.is_some().then_some(&value[..]);
                rows.push(raw.offset, record.timestamp, Some(&key), value, record.headers);
            }
        }
        rows
    };
    SourceTopic { topic: topic.into(), read: Arc::new(read) }
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
