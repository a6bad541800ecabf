//! How a join reads a table: from its store, or computed on the way from the store of the table above, so that a
//! filtered or mapped table needs no store of its own.

use std::sync::Arc;

use super::StoreKey;
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::Env;
use crate::state::{Entry, KeyValueStore};

/// Reads the current value of a key.
pub(crate) type GetValue<K, V> =
    Box<dyn FnMut(&mut Env, &K) -> Result<Option<Entry<V>>, ProcessError> + Send>;

type MakeGetter<K, V> = Arc<dyn Fn(&Wiring<'_>) -> GetValue<K, V> + Send + Sync>;

/// Makes getters of one table, and names the stores they read.
pub(crate) struct ValueGetter<K, V> {
    pub(crate) stores: Vec<Arc<str>>,
    pub(crate) make: MakeGetter<K, V>,
}

impl<K, V> Clone for ValueGetter<K, V> {
    fn clone(&self) -> Self {
        Self { stores: self.stores.clone(), make: Arc::clone(&self.make) }
    }
}

impl<K: StoreKey, V: super::Data> ValueGetter<K, V> {
    /// Reads a key-value store.
    pub(crate) fn of_store(store: Arc<str>) -> Self {
        let stores = vec![Arc::clone(&store)];
        let make: MakeGetter<K, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let handle = wiring.store::<KeyValueStore<K, V>>(&store);
            Box::new(move |env: &mut Env, key: &K| Ok(env.store(handle).get(key)?.cloned()))
        });
        Self { stores, make }
    }

    /// Computes each value from the one this getter reads.
    pub(crate) fn map<W: 'static>(
        &self,
        mapper: impl Fn(&K, V) -> Option<W> + Send + Sync + 'static,
    ) -> ValueGetter<K, W> {
        let (inner, mapper) = (Arc::clone(&self.make), Arc::new(mapper));
        let make: MakeGetter<K, W> = Arc::new(move |wiring: &Wiring<'_>| {
            let (mut inner, mapper) = (inner(wiring), Arc::clone(&mapper));
            Box::new(move |env: &mut Env, key: &K| {
                let Some(Entry { value, timestamp }) = inner(env, key)? else { return Ok(None) };
                Ok(mapper(key, value).map(|value| Entry { value, timestamp }))
            })
        });
        ValueGetter { stores: self.stores.clone(), make }
    }
}
