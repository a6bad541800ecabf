//! `peek` and `for_each`: look at records on their way, or at their end. What they do outside may happen again after
//! a crash.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Calls `look` with each record and passes it on unchanged.
    pub fn peek(self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        let look = Arc::new(look);
        self.then(
            "KSTREAM-PEEK-",
            Vec::new(),
            Box::new(move |_| {
                let look = Arc::clone(&look);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| {
                    look(&record.key, &record.value);
                    true
                }))
            }),
        )
    }

    /// Calls `act` with each record; the stream ends here.
    pub fn for_each(self, act: impl Fn(&K, &V) + Send + Sync + 'static) {
        let act = Arc::new(act);
        self.then::<K, V>(
            "KSTREAM-FOREACH-",
            Vec::new(),
            Box::new(move |_| {
                let act = Arc::clone(&act);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| {
                    act(&record.key, &record.value);
                    false
                }))
            }),
        );
    }
}
