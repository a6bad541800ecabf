//! How the changes of a key-value store become durable and come back: flush, rollback, restore. Must not know how keys are
//! read.

use std::any::Any;
use std::hash::Hash;

use super::KeyValueStore;
use crate::record::RecordRun;
use crate::state::StateStore;
use crate::state::cache::CacheCounts;
use crate::state::codec::without_timestamp;
use crate::state::error::StoreError;
use crate::state::overlay::{Layer, Log, WHOLE};

impl<K, V> StateStore for KeyValueStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn layer_mut(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cache_counts(&self) -> Option<CacheCounts> {
        Some(self.cache.counts())
    }

    fn pays_ahead(&self) -> bool {
        self.layer.pays_ahead()
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.stage()?;
        self.cache.settle(|_, _| ());
        Ok(())
    }

    fn drain_log(&mut self, log: &mut Log<'_>) {
        self.layer.drain_log(&mut |key, value, timestamp| log(key, without_timestamp(value), timestamp));
    }

    fn is_flushed(&self) -> bool {
        self.cache.dirty_len() == 0 && !self.layer.has_unlogged()
    }

    fn unload(&mut self) {
        self.cache.clear();
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        let rows = self.layer.restored(WHOLE);
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            rows.push(key, &record.timestamp.0.to_be_bytes(), record.value);
        }
        Ok(())
    }
}
