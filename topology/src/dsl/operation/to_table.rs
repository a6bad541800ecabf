//! `to_table`: a stream read as the changes of a table.

use std::sync::Arc;

use super::table_source::materialize;
use crate::dsl::repartition::RepartitionSettings;
use crate::dsl::{Data, KStream, KTable, Materialized, StoreKey};
use crate::serde::Nullable;

impl<'b, K: StoreKey, V: Data> KStream<'b, K, Option<V>> {
    /// Each record replaces its key's value; `None` deletes it. Repartitions first if the key may have changed.
    pub fn to_table(self, materialized: Materialized<K, V>) -> KTable<'b, K, V> {
        let name = self.builder.next_name("KSTREAM-TOTABLE-");
        let store = materialized.store_name(self.builder, "KSTREAM-TOTABLE-");
        let stream = if self.rekeyed {
            self.through(RepartitionSettings {
                key: Arc::clone(&materialized.key),
                value: Arc::new(Nullable(Arc::clone(&materialized.value))),
                name: None,
                generated: Arc::clone(&name),
                partitions: None,
                drop_null_keys: true,
            })
        } else {
            self
        };
        materialize(self.builder, stream.node, name, &store, materialized)
    }
}
