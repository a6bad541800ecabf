//! A table grouped by another key.

use std::sync::Arc;

use super::change::Change;
use super::kstream::KStream;
use super::options::SharedSerde;

/// A table whose rows are gathered by a new key: each change takes the old value out of its group and puts the new one
/// into its own. Made by [`KTable::group_by`](super::KTable::group_by).
pub struct KGroupedTable<'b, K, V> {
    /// Changes under their new keys, before the repartition topic.
    pub(crate) changes: KStream<'b, K, Change<V>>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
}

impl<K, V> Clone for KGroupedTable<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
            name: self.name.clone(),
        }
    }
}
