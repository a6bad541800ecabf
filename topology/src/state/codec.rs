//! The serdes of one store with their scratch buffers, and the bytes of an entry: its timestamp as eight big-endian
//! bytes, then the value, as in Kafka's timestamped stores. Must not know engines or caches.

use std::sync::Arc;

use super::entry::Entry;
use super::error::StoreError;
use crate::serde::{Serde, SerdeError};
use crate::time::Timestamp;

/// Bytes of the timestamp before each value.
pub(crate) const TIMESTAMP_BYTES: usize = 8;

/// Serdes of a store. `topic` is the store's changelog, as Kafka tells its serdes.
pub(crate) struct Codec<K, V> {
    pub(crate) key: Arc<dyn Serde<K>>,
    pub(crate) value: Arc<dyn Serde<V>>,
    pub(crate) topic: Arc<str>,
    pub(crate) store: Arc<str>,
    key_bytes: Vec<u8>,
    value_bytes: Vec<u8>,
    written: usize,
    count: usize,
}

impl<K: 'static, V: 'static> Codec<K, V> {
    pub(crate) fn new(
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<V>>,
        topic: Arc<str>,
        store: Arc<str>,
    ) -> Self {
        Self {
            key,
            value,
            topic,
            store,
            key_bytes: Vec::new(),
            value_bytes: Vec::new(),
            written: 0,
            count: 0,
        }
    }

    fn fault(&self, source: SerdeError) -> StoreError {
        StoreError::Serde { store: self.store.clone(), source }
    }

    /// Appends the bytes of `key` to `out`.
    pub(crate) fn append_key(&self, key: &K, out: &mut Vec<u8>) -> Result<(), StoreError> {
        if self.key.is_null(key) {
            return Err(self.fault(SerdeError::Null { what: "key" }));
        }
        self.key.serialize(&self.topic, key, out).map_err(|source| self.fault(source))
    }

    /// The bytes of a row: `suffix` follows the key. A value that is null is none at all.
    pub(crate) fn row(
        &mut self,
        key: &K,
        suffix: &[u8],
        entry: Option<&Entry<V>>,
    ) -> Result<(&[u8], Option<&[u8]>), StoreError> {
        let mut key_bytes = std::mem::take(&mut self.key_bytes);
        key_bytes.clear();
        self.append_key(key, &mut key_bytes)?;
        key_bytes.extend_from_slice(suffix);
        self.key_bytes = key_bytes;
        let Some(entry) = entry.filter(|entry| !self.value.is_null(&entry.value)) else {
            return Ok((&self.key_bytes, None));
        };
        self.value_bytes.clear();
        self.value_bytes.extend_from_slice(&entry.timestamp.0.to_be_bytes());
        let value = self.value.serialize(&self.topic, &entry.value, &mut self.value_bytes);
        value.map_err(|source| self.fault(source))?;
        self.written += self.key_bytes.len() + self.value_bytes.len();
        self.count += 1;
        Ok((&self.key_bytes, Some(&self.value_bytes)))
    }

    /// Mean bytes of the rows written so far.
    pub(crate) fn row_bytes(&self) -> Option<usize> {
        self.written.checked_div(self.count)
    }

    /// Reads a key.
    pub(crate) fn read_key(&self, bytes: &[u8]) -> Result<K, StoreError> {
        self.key.deserialize(&self.topic, bytes).map_err(|source| self.fault(source))
    }

    /// Reads an entry.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Entry<V>, StoreError> {
        let Some((timestamp, value)) = bytes.split_first_chunk::<TIMESTAMP_BYTES>() else {
            let reason = format!("{} bytes, too few for a timestamp", bytes.len());
            return Err(self.fault(SerdeError::Malformed { format: "timestamped value", reason }));
        };
        let value = self.value.deserialize(&self.topic, value).map_err(|source| self.fault(source))?;
        Ok(Entry { value, timestamp: Timestamp(i64::from_be_bytes(*timestamp)) })
    }
}

/// The changelog's value of an engine row: without the timestamp, which is the record's own.
pub(crate) fn without_timestamp(row: Option<&[u8]>) -> Option<&[u8]> {
    row.map(|row| row.get(TIMESTAMP_BYTES..).unwrap_or_default())
}

/// Makes the codecs of a store, one for each task.
pub(super) fn codec_of<K: 'static, V: 'static>(
    name: &str,
    key_serde: impl Serde<K>,
    value_serde: impl Serde<V>,
) -> Arc<impl Fn(&Arc<str>) -> Codec<K, V> + Send + Sync + 'static> {
    let store: Arc<str> = Arc::from(name);
    let key: Arc<dyn Serde<K>> = Arc::new(key_serde);
    let value: Arc<dyn Serde<V>> = Arc::new(value_serde);
    Arc::new(move |topic: &Arc<str>| Codec::new(key.clone(), value.clone(), topic.clone(), store.clone()))
}
