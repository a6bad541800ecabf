//! `table` and `to_table` with versions: records become changes of a table that keeps what held when.

use std::sync::Arc;
use std::time::Duration;

use crate::dsl::ktable::TableInfo;
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Data, KTable, Materialized, StoreKey, StreamsBuilder};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, Wiring};
use crate::processor::{Context, DropReason, Node, Processor, Typed};
use crate::record::Record;
use crate::state::{Put, StoreHandle, Stores, VersionedStore};

/// Adds the node that turns records into changes, and its store.
pub(super) fn materialize<'b, K: StoreKey, V: Data>(
    builder: &'b StreamsBuilder,
    parent: NodeId,
    name: Arc<str>,
    store: &Arc<str>,
    materialized: Materialized<K, V>,
    history: Duration,
) -> KTable<'b, K, V> {
    let (key, value) = (Arc::clone(&materialized.key), Arc::clone(&materialized.value));
    let versions = Stores::versioned(store, Arc::clone(&key), Arc::clone(&value), history);
    // Every version is told at once: there is no one newest to wait for.
    builder.add_store(materialized.configure(versions).without_cache());
    let (store_name, keys) = (Arc::clone(store), Arc::clone(&key));
    let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
        Box::new(Typed::new(VersionedSource {
            store: wiring.store::<VersionedStore<K, V>>(&store_name),
            key: Arc::clone(&keys),
            send_old: wiring.node.send_old,
        }))
    });
    let node = builder.add_node::<Record<K, Option<V>>, Record<K, Change<V>>>(
        name,
        vec![parent],
        NodeRole::Processor { make },
        vec![Arc::clone(store)],
    );
    let getter = Some(ValueGetter::of_versions(Arc::clone(store)));
    KTable::new(builder, node).with_info(TableInfo { getter, key: Some(key), value: Some(value), keep: None })
}

struct VersionedSource<K: StoreKey, V: Data> {
    store: StoreHandle<VersionedStore<K, V>>,
    key: SharedSerde<K>,
    send_old: bool,
}

impl<K: StoreKey, V: Data> Processor<K, Option<V>, K, Change<V>> for VersionedSource<K, V> {
    fn process(
        &mut self,
        record: Record<K, Option<V>>,
        cx: &mut Context<'_, K, Change<V>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value: new, timestamp, headers } = record;
        if self.key.is_null(&key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        let store = cx.store(self.store);
        let old = if self.send_old { store.get(&key)?.map(|entry| entry.value) } else { None };
        let is_latest = match store.put(&key, new.clone(), timestamp)? {
            Put::Latest => true,
            Put::Until(_) => false,
            Put::TooLate => {
                cx.drop_record(DropReason::Late);
                return Ok(());
            }
        };
        cx.forward(Record { key, value: Change { old, new, is_latest }, timestamp, headers })
    }
}
