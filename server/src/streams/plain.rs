//! Stores whose keys and values need no introduction: text and numbers. Owns the list of such types.

use candlewick::{
    KeyValueStore, SessionStore, StoreInfo, StoreType, StreamsHandle, VersionedStore, WindowStore,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::application::Sample;

use super::show::{ShownStore, Windows};

/// A store that is shown, and the form of its rows.
type Plain = (Box<dyn ShownStore>, Sample);

/// The store, if its keys and values are plain.
pub(super) fn shown(streams: &StreamsHandle, store: &StoreInfo) -> Option<Plain> {
    with_key::<String>(streams, store)
        .or_else(|| with_key::<i64>(streams, store))
        .or_else(|| with_key::<i32>(streams, store))
}

fn with_key<K: Serialize + DeserializeOwned + Default + 'static>(
    streams: &StreamsHandle,
    store: &StoreInfo,
) -> Option<Plain> {
    with_types::<K, String>(streams, store)
        .or_else(|| with_types::<K, i64>(streams, store))
        .or_else(|| with_types::<K, i32>(streams, store))
        .or_else(|| with_types::<K, f64>(streams, store))
}

fn with_types<K, V>(streams: &StreamsHandle, store: &StoreInfo) -> Option<Plain>
where
    K: Serialize + DeserializeOwned + Default + 'static,
    V: Serialize + Default + 'static,
{
    let name = &store.name;
    let shown: Box<dyn ShownStore> = match store.kind {
        StoreType::Window { size } => {
            Box::new(Windows { store: streams.store::<WindowStore<K, V>>(name).ok()?, size })
        }
        StoreType::Session => Box::new(streams.store::<SessionStore<K, V>>(name).ok()?),
        StoreType::Versioned => Box::new(streams.store::<VersionedStore<K, V>>(name).ok()?),
        _ => Box::new(streams.store::<KeyValueStore<K, V>>(name).ok()?),
    };
    Some((shown, sample(&K::default(), &V::default())?))
}

/// What rows of such keys and values look like.
pub(super) fn sample<K: Serialize, V: Serialize>(key: &K, value: &V) -> Option<Sample> {
    Some(Sample { key: serde_json::to_value(key).ok()?, value: serde_json::to_value(value).ok()? })
}
