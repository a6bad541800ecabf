//! From a [`Materialized`] to a declared store. Shared by every operation that keeps a table.

use std::sync::Arc;

use crate::dsl::{Data, Materialized, StoreKey, StreamsBuilder};
use crate::error::TopologyError;
use crate::state::{KeyValueStore, StoreBuilder, Stores};

impl<K: StoreKey, V: Data> Materialized<K, V> {
    /// The store's name, generated as Kafka Streams does where the user gave none.
    pub(crate) fn store_name(&self, builder: &StreamsBuilder, prefix: &str) -> Arc<str> {
        self.name.clone().unwrap_or_else(|| builder.next_name(&format!("{prefix}STATE-STORE-")))
    }

    /// Takes the number that Kafka Streams wastes where it counts into a store without a name.
    pub(crate) fn burn_number(&self, builder: &StreamsBuilder) {
        if self.name.is_none() {
            let _ = builder.next_name("KSTREAM-AGGREGATE-STATE-STORE-");
        }
    }

    /// The key-value store this describes.
    pub(crate) fn key_value_store(&self, name: &Arc<str>) -> StoreBuilder<KeyValueStore<K, V>> {
        let store = Stores::key_value(name, Arc::clone(&self.key), Arc::clone(&self.value));
        self.configure(store)
    }

    pub(crate) fn configure<S>(&self, mut store: StoreBuilder<S>) -> StoreBuilder<S> {
        if self.in_memory {
            store = store.in_memory();
        }
        if !self.cached {
            store = store.without_cache();
        }
        if !self.logged {
            store = store.without_changelog();
        }
        if let Some(source) = self.source.as_ref().filter(|_| self.logged) {
            store = store.restored_from(source.clone());
        }
        for (key, value) in &self.changelog_config {
            store = store.changelog_config(key, value);
        }
        store
    }

    /// Notes that the store of `node`, which keeps no versions, was asked to, or was not named by the user.
    pub(crate) fn require_name(&self, builder: &StreamsBuilder, node: &Arc<str>, store: &Arc<str>) {
        if self.history.is_some() {
            let error = TopologyError::NoVersions { node: node.to_string() };
            builder.graph.borrow_mut().errors.push(error);
        }
        self.require_store_name(builder, node, store);
    }

    /// Notes that the store of `node` was not named by the user.
    pub(crate) fn require_store_name(&self, builder: &StreamsBuilder, node: &Arc<str>, store: &Arc<str>) {
        if self.name.is_none() {
            builder.graph.borrow_mut().errors.push(TopologyError::Unnamed {
                node: node.to_string(),
                what: "store",
                generated: store.to_string(),
                advice: "name it with Materialized::with or Materialized::named",
            });
        }
    }
}
