//! `select_key`: another key for the same value.

use crate::dsl::{Data, KStream};
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Gives each record a new key. Grouping and joining repartition the stream by it when they need to.
    pub fn select_key<K2: Data>(
        self,
        selector: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KStream<'b, K2, V> {
        self.map_records("KSTREAM-KEY-SELECT-", move |record: Record<K, V>| {
            let key = selector(&record.key, &record.value);
            record.with_key(key)
        })
        .rekeyed()
    }
}
