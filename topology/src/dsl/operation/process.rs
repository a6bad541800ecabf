//! `process` and `process_values`: the Processor API within the DSL.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::processor::{Processor, Typed};
use crate::state::StoreHandle;

/// What a supplier is given when it makes a processor: handles of the stores it was connected to.
pub struct ProcessorStores<'a> {
    wiring: &'a crate::plan::Wiring<'a>,
}

impl<'a> ProcessorStores<'a> {
    pub(super) fn new(wiring: &'a crate::plan::Wiring<'a>) -> Self {
        Self { wiring }
    }
}

impl ProcessorStores<'_> {
    /// The handle of a connected store. `S` must be the type it was built with.
    ///
    /// # Panics
    /// When the processor was not connected to a store of this name.
    #[must_use]
    pub fn get<S: 'static>(&self, name: &str) -> StoreHandle<S> {
        assert!(
            self.wiring.node.stores.iter().any(|store| &**store == name),
            "{} is not connected to store {name}: name it where the processor is added",
            self.wiring.node.name,
        );
        self.wiring.store(name)
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Runs a processor over the stream. `supplier` is called once per task, with the handles of the `stores` named.
    /// What comes out counts as rekeyed; use [`process_values`](Self::process_values) when keys stay.
    pub fn process<K2: Data, V2: Data, P: Processor<K, V, K2, V2>>(
        self,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        self.processor("KSTREAM-PROCESSOR-", stores, supplier).rekeyed()
    }

    /// Runs a processor that keeps every record's key, so that no repartition is needed below it.
    pub fn process_values<V2: Data, P: Processor<K, V, K, V2>>(
        self,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        self.processor("KSTREAM-PROCESSVALUES-", stores, supplier)
    }

    fn processor<K2: Data, V2: Data, P: Processor<K, V, K2, V2>>(
        self,
        prefix: &str,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        let stores: Vec<Arc<str>> = stores.iter().map(|store| (*store).into()).collect();
        self.then(
            prefix,
            stores,
            Box::new(move |wiring| {
                Box::new(Typed::<P, K, V, K2, V2>::new(supplier(&ProcessorStores::new(wiring))))
            }),
        )
    }
}
