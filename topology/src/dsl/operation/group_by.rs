//! `group_by_key` and `group_by` of streams.

use crate::dsl::{Data, Grouped, KGroupedStream, KStream};

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Groups by the key as it is. Repartitions first if the key may have changed since the records were partitioned.
    pub fn group_by_key(self, grouped: Grouped<K, V>) -> KGroupedStream<'b, K, V> {
        KGroupedStream::new(self, grouped)
    }

    /// Groups by a new key: [`select_key`](Self::select_key) and [`group_by_key`](Self::group_by_key).
    pub fn group_by<K2: Data>(
        self,
        selector: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<'b, K2, V> {
        KGroupedStream::new(self.select_key(selector), grouped)
    }
}
