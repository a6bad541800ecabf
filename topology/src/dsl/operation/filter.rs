//! `filter` and `filter_not`: keep records by a predicate. Looks at the record in place.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Keeps the records for which `predicate` holds. Null keys and values (`Option` types) are shown to it too.
    pub fn filter(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let predicate = Arc::new(predicate);
        self.then(
            "KSTREAM-FILTER-",
            Vec::new(),
            Box::new(move |_| {
                let predicate = Arc::clone(&predicate);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| predicate(&record.key, &record.value)))
            }),
        )
    }

    /// Keeps the records for which `predicate` does not hold.
    pub fn filter_not(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }
}
