//! How the changes of a window store become durable and come back: flush, commit, rollback, restore. Owns the dropping of
//! old segments; must not know how windows are read.

use std::any::Any;
use std::hash::Hash;

use super::{DirtyWindow, OBSERVED, SEQUENCE, WindowKey, WindowStore};
use crate::record::RecordRun;
use crate::state::CacheCounts;
use crate::state::StateStore;
use crate::state::codec::without_timestamp;
use crate::state::engine::Batch;
use crate::state::entry::Dirty;
use crate::state::error::StoreError;
use crate::state::overlay::{Layer, Log, mark_name};
use crate::state::schema::window::{split, suffix};
use crate::state::staging;

impl<K, V> WindowStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Where no node takes the changes, and the cache is full of them, they are put where the commit finds them.
    pub(super) fn make_room(&mut self) -> Result<(), StoreError> {
        if self.cache.is_full_of_changes() { self.settle() } else { Ok(()) }
    }

    pub(super) fn stage(&mut self) -> Result<(), StoreError> {
        let Self { cache, codec, layer, retention, .. } = self;
        staging::stage(cache, codec, layer, |WindowKey { key, start, sequence }| {
            (key, suffix(*start, *sequence), retention.segment(*start))
        })
    }

    /// Appends what changed since the last call to `out`, one change a window, in the order in which they first changed.
    /// The values stay cached; their bytes wait for the changelog and the commit.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// for start in [0, 10, 0] {
    ///     store.put("BTC".to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// let mut changes = Vec::new();
    /// store.take_dirty(&mut changes)?;
    /// let starts: Vec<i64> = changes.iter().map(|change| change.key.1.0).collect();
    /// assert_eq!(starts, [0, 10]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When a key or value cannot be written.
    pub fn take_dirty(&mut self, out: &mut Vec<DirtyWindow<K, V>>) -> Result<(), StoreError> {
        self.stage()?;
        out.reserve(self.cache.dirty_len());
        self.cache.settle(|slot, old| {
            let key = (slot.key.key.clone(), slot.key.start);
            out.push(Dirty { key, old, new: slot.entry.clone(), timestamp: slot.timestamp() });
        });
        Ok(())
    }

    /// Whether the owner should call [`take_dirty`](Self::take_dirty) after this record.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept).without_cache());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// // Of a store without a cache:
    /// assert!(!store.wants_flush());
    /// store.put("BTC".to_owned(), Timestamp(0), 1, Timestamp(7))?;
    /// assert!(store.wants_flush());
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[inline]
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.cache.wants_flush()
    }
}

impl<K, V> StateStore for WindowStore<K, V>
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
        self.layer.bytes() == 0 && self.committed == (self.observed, self.sequence)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        self.layer.prepare(self.retention.first_segment(self.observed))
    }

    fn add_to<'a>(&'a mut self, batch: &mut Batch<'a>) {
        batch.marks.push((mark_name(OBSERVED, &self.layer.store), self.observed.0));
        batch.marks.push((mark_name(SEQUENCE, &self.layer.store), self.sequence.into()));
        self.layer.add_to(self.retention.first_segment(self.observed), batch);
    }

    fn committed(&mut self) -> Result<(), StoreError> {
        self.layer.clear();
        self.committed = (self.observed, self.sequence);
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
        let windows = || run.iter().filter_map(|record| Some((record, split(record.key?)?)));
        for (_, (_, start, sequence)) in windows() {
            self.observed = self.observed.max(start);
            self.sequence = self.sequence.max(sequence);
        }
        let first = self.retention.first_segment(self.observed);
        for (record, (_, start, _)) in windows() {
            let segment = self.retention.segment(start);
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
        marks.push((mark_name(SEQUENCE, &self.layer.store), self.sequence.into()));
        self.layer.write_restored(first, marks)?;
        self.committed = (self.observed, self.sequence);
        self.layer.remove_before(first)
    }
}
