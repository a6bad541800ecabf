//! How a join reads a table: from its store, or computed on the way from the store of the table above, so that a
//! filtered, mapped or joined table needs no store of its own.

use std::sync::Arc;

use super::change::Change;
use super::options::SharedSerde;
use super::{StoreKey, Windowed};
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::Env;
use crate::state::{
    Entry, KeyValueStore, Session, SessionStore, SuppressBuffer, VersionedStore, WindowStore,
};
use crate::time::Timestamp;

/// Reads the value of a key: as of a time where one is given and the table keeps versions, else the current one.
pub(crate) type GetValue<K, V> =
    Box<dyn FnMut(&mut Env, &K, Option<Timestamp>) -> Result<Option<Entry<V>>, ProcessError> + Send>;

type MakeGetter<K, V> = Arc<dyn Fn(&Wiring<'_>) -> GetValue<K, V> + Send + Sync>;

/// Makes getters of one table, and names the stores they read.
pub(crate) struct ValueGetter<K, V> {
    pub(crate) stores: Vec<Arc<str>>,
    /// Whether what it reads keeps versions.
    pub(crate) versioned: bool,
    pub(crate) make: MakeGetter<K, V>,
}

impl<K, V> Clone for ValueGetter<K, V> {
    fn clone(&self) -> Self {
        Self { stores: self.stores.clone(), versioned: self.versioned, make: Arc::clone(&self.make) }
    }
}

impl<K: super::Data, V: super::Data> ValueGetter<K, V> {
    /// Reads the table above a suppression, but for keys whose changes are held back: those have their value of before.
    pub(crate) fn of_suppressed(above: Self, buffer: Arc<str>, value: SharedSerde<V>) -> Self {
        let mut stores = vec![Arc::clone(&buffer)];
        stores.extend(above.stores);
        let make: MakeGetter<K, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let (mut above, value) = ((above.make)(wiring), Arc::clone(&value));
            let handle = wiring.store::<SuppressBuffer<K, Change<V>>>(&buffer);
            let topic = wiring.changelog(&buffer);
            Box::new(move |env, key, time| {
                let Some(prior) = env.store(handle).prior(key)? else { return above(env, key, time) };
                let value = prior.map(|bytes| value.deserialize(&topic, bytes)).transpose()?;
                // When it held is not kept.
                Ok(value.map(|value| Entry { value, timestamp: Timestamp::UNKNOWN }))
            })
        });
        Self { stores, versioned: false, make }
    }
}

impl<K: StoreKey, V: super::Data> ValueGetter<K, V> {
    /// Reads a key-value store.
    pub(crate) fn of_store(store: Arc<str>) -> Self {
        let stores = vec![Arc::clone(&store)];
        let make: MakeGetter<K, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let handle = wiring.store::<KeyValueStore<K, V>>(&store);
            Box::new(move |env, key, _| Ok(env.store(handle).get(key)?.cloned()))
        });
        Self { stores, versioned: false, make }
    }

    /// Reads a versioned store.
    pub(crate) fn of_versions(store: Arc<str>) -> Self {
        let stores = vec![Arc::clone(&store)];
        let make: MakeGetter<K, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let handle = wiring.store::<VersionedStore<K, V>>(&store);
            Box::new(move |env, key, at| {
                let store = env.store(handle);
                Ok(match at {
                    Some(time) => store.get_as_of(key, time)?,
                    None => store.get(key)?,
                })
            })
        });
        Self { stores, versioned: true, make }
    }

    /// Computes each value from the one this getter reads.
    pub(crate) fn map<W: 'static>(
        &self,
        mapper: impl Fn(&K, V) -> Option<W> + Send + Sync + 'static,
    ) -> ValueGetter<K, W> {
        let (inner, mapper) = (Arc::clone(&self.make), Arc::new(mapper));
        let make: MakeGetter<K, W> = Arc::new(move |wiring: &Wiring<'_>| {
            let (mut inner, mapper) = (inner(wiring), Arc::clone(&mapper));
            Box::new(move |env, key, at| {
                let Some(Entry { value, timestamp }) = inner(env, key, at)? else { return Ok(None) };
                Ok(mapper(key, value).map(|value| Entry { value, timestamp }))
            })
        });
        ValueGetter { stores: self.stores.clone(), versioned: self.versioned, make }
    }

    /// Computes each value from those that this getter and another read; the newer one's time holds.
    pub(crate) fn join<W: super::Data, O: 'static>(
        &self,
        other: &ValueGetter<K, W>,
        joiner: impl Fn(&K, Option<&V>, Option<&W>) -> Option<O> + Send + Sync + 'static,
    ) -> ValueGetter<K, O> {
        let (left, right, joiner) = (Arc::clone(&self.make), Arc::clone(&other.make), Arc::new(joiner));
        let make: MakeGetter<K, O> = Arc::new(move |wiring: &Wiring<'_>| {
            let (mut left, mut right, joiner) = (left(wiring), right(wiring), Arc::clone(&joiner));
            Box::new(move |env, key, _| {
                let (left, right) = (left(env, key, None)?, right(env, key, None)?);
                let time = left.as_ref().map(|entry| entry.timestamp);
                let time = time.max(right.as_ref().map(|entry| entry.timestamp));
                let (left, right) = (left.map(|entry| entry.value), right.map(|entry| entry.value));
                let joined = joiner(key, left.as_ref(), right.as_ref());
                Ok(joined.map(|value| Entry { value, timestamp: time.unwrap_or(Timestamp::UNKNOWN) }))
            })
        });
        let mut stores = self.stores.clone();
        stores.extend(other.stores.iter().filter(|store| !self.stores.contains(store)).cloned());
        ValueGetter { stores, versioned: false, make }
    }
}

impl<K: StoreKey, V: super::Data> ValueGetter<Windowed<K>, V> {
    /// Reads a session store.
    pub(crate) fn of_sessions(store: Arc<str>) -> Self {
        let stores = vec![Arc::clone(&store)];
        let make: MakeGetter<Windowed<K>, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let handle = wiring.store::<SessionStore<K, V>>(&store);
            Box::new(move |env, Windowed { key, window }: &Windowed<K>, _| {
                let session = Session { start: window.start, end: window.end };
                Ok(env.store(handle).get(key, session)?.cloned())
            })
        });
        Self { stores, versioned: false, make }
    }

    /// Reads a window store.
    pub(crate) fn of_windows(store: Arc<str>) -> Self {
        let stores = vec![Arc::clone(&store)];
        let make: MakeGetter<Windowed<K>, V> = Arc::new(move |wiring: &Wiring<'_>| {
            let handle = wiring.store::<WindowStore<K, V>>(&store);
            Box::new(move |env, key: &Windowed<K>, _| {
                Ok(env.store(handle).get(&key.key, key.window.start)?.cloned())
            })
        });
        Self { stores, versioned: false, make }
    }
}
