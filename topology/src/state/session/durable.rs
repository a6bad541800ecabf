//! How the changes of a session store become durable and come back: flush, commit, rollback, restore. Owns the dropping of
//! old segments; must not know how sessions are read.

use std::any::Any;
use std::hash::Hash;

use super::{OBSERVED, SessionStore};
use crate::record::RecordRun;
use crate::state::CacheCounts;
use crate::state::StateStore;
use crate::state::codec::without_timestamp;
use crate::state::engine::Batch;
use crate::state::error::StoreError;
use crate::state::overlay::{Layer, Log, mark_name};
use crate::state::schema::session::split;

impl<K, V> SessionStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Where no node takes the changes, and the cache is full of them, they are put where the commit finds them.
    pub(super) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.cache.is_full_of_changes() { self.settle() } else { Ok(()) }
    }
}

impl<K, V> StateStore for SessionStore<K, V>
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

    fn is_committed(&self) -> bool {
        self.layer.bytes() == 0 && self.committed == self.observed
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        self.layer.prepare(self.retention.first_segment(self.observed))
    }

    fn add_to<'a>(&'a mut self, batch: &mut Batch<'a>) {
        batch.marks.push((mark_name(OBSERVED, &self.layer.store), self.observed.0));
        self.layer.add_to(self.retention.first_segment(self.observed), batch);
    }

    fn committed(&mut self) -> Result<(), StoreError> {
        self.layer.clear();
        self.committed = self.observed;
        self.layer.remove_before(self.retention.first_segment(self.observed))
    }

    fn unload(&mut self) {
        self.cache.clear();
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.unload();
        self.layer.clear();
        self.read_marks()
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        let sessions = || run.iter().filter_map(|record| Some((record, split(record.key?)?)));
        for (_, (_, end, _)) in sessions() {
            self.observed = self.observed.max(end);
        }
        let first = self.retention.first_segment(self.observed);
        for (record, (_, end, _)) in sessions() {
            let segment = self.retention.segment(end);
            if segment < first {
                continue;
            }
            let key = record.key.expect("records without a key were filtered out");
            let time = record.timestamp.0.to_be_bytes();
            self.layer.restored(segment).push(key, &time, record.value);
        }
        Ok(())
    }

    fn write_restored(&mut self, mut marks: Vec<(String, i64)>) -> Result<(), StoreError> {
        self.unload();
        let first = self.retention.first_segment(self.observed);
        marks.push((mark_name(OBSERVED, &self.layer.store), self.observed.0));
        self.layer.write_restored(first, marks)?;
        self.committed = self.observed;
        self.layer.remove_before(first)
    }
}
