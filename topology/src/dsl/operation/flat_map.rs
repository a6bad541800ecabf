//! `flat_map` and `flat_map_values`: any number of records for one record.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::processor::{Context, MapNode};
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Makes any number of records of each; all keep its time and headers.
    pub fn flat_map<K2: Data, V2: Data, I>(
        self,
        mapper: impl Fn(K, V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)>,
    {
        let mapper = Arc::new(mapper);
        self.then(
            "KSTREAM-FLATMAP-",
            Vec::new(),
            Box::new(move |_| {
                let mapper = Arc::clone(&mapper);
                let run =
                    move |record: Record<K, V>, cx: &mut Context<'_, K2, V2>| -> Result<(), ProcessError> {
                        for (key, value) in mapper(record.key, record.value) {
                            let headers = record.headers.clone();
                            cx.forward(Record { key, value, timestamp: record.timestamp, headers })?;
                        }
                        Ok(())
                    };
                Box::new(MapNode::new(run))
            }),
        )
        .rekeyed()
    }

    /// Makes any number of values of each value; all keep its key, time and headers.
    pub fn flat_map_values<V2: Data, I>(
        self,
        mapper: impl Fn(V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K, V2>
    where
        I: IntoIterator<Item = V2>,
    {
        let mapper = Arc::new(mapper);
        self.then(
            "KSTREAM-FLATMAPVALUES-",
            Vec::new(),
            Box::new(move |_| {
                let mapper = Arc::clone(&mapper);
                let run =
                    move |record: Record<K, V>, cx: &mut Context<'_, K, V2>| -> Result<(), ProcessError> {
                        for value in mapper(record.value) {
                            let (key, headers) = (record.key.clone(), record.headers.clone());
                            cx.forward(Record { key, value, timestamp: record.timestamp, headers })?;
                        }
                        Ok(())
                    };
                Box::new(MapNode::new(run))
            }),
        )
    }
}
