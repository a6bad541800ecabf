//! The typed write-back cache: values deserialized, inline in one hash table, changed in place. Owns which slots are
//! dirty, in which order they became so, and which clean ones to forget. Must not know bytes, serdes or engines.
//!
//! Two lists hold bucket numbers: `dirty` (to be reported by the next flush, in order of first change) and `unstaged`
//! (a part of it: not yet serialized into the overlay). A slot knows its place in both, so when the table grows and the
//! buckets move, one walk over the table puts the lists right; no key is ever cloned to be found again.

use std::cell::Cell;

use hashbrown::HashTable;

use super::entry::Entry;
use crate::time::Timestamp;

/// Not in the list.
const NOWHERE: u32 = u32::MAX;

/// Buckets one insertion looks at for something to forget.
const CLOCK_STEPS_MAX: usize = 32;

/// What the layers below held before the slot's first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    /// The slot was written without being read.
    Unknown,
    /// Nothing.
    Absent,
    /// Some value.
    Present,
}

impl Below {
    fn of<V>(entry: Option<&Entry<V>>) -> Self {
        if entry.is_some() { Self::Present } else { Self::Absent }
    }
}

/// One key of the cache; `entry` is `None` for a key known to be absent.
pub(crate) struct Slot<Q, V> {
    pub(crate) key: Q,
    pub(crate) entry: Option<Entry<V>>,
    /// When the entry was deleted; meaningful while `entry` is `None` and the slot is dirty.
    pub(crate) deleted_at: Timestamp,
    pub(crate) below: Below,
    referenced: bool,
    dirty: u32,
    unstaged: u32,
}

impl<Q, V> Slot<Q, V> {
    /// The time of the newest change.
    pub(crate) fn timestamp(&self) -> Timestamp {
        self.entry.as_ref().map_or(self.deleted_at, |entry| entry.timestamp)
    }
}

/// How much a cache may hold, and what it remembers for a flush.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    /// Bytes of all slots, estimated.
    pub(crate) bytes_max: usize,
    /// Every change is to be flushed after the record that made it.
    pub(crate) write_through: bool,
    /// Slots stay when all is flushed, to be read. Where nothing is gathered and the layers below lie in memory, a small
    /// table costs less than what finding a value there saves.
    pub(crate) keeps_clean: bool,
}

/// How often what was asked for was in the cache, and how often it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

pub(crate) struct Cache<Q, V> {
    table: HashTable<Slot<Q, V>>,
    hash: fn(&Q) -> u64,
    dirty: Vec<u32>,
    unstaged: Vec<u32>,
    /// Parallel to `dirty` while old values are captured, else empty.
    olds: Vec<Option<Entry<V>>>,
    capture_old: bool,
    limits: CacheLimits,
    slots_max: usize,
    has_taker: bool,
    hand: usize,
    counts: Cell<CacheCounts>,
}

/// The smallest table for which the room of a table is known.
const LEAST_BUCKETS: usize = 8;

impl<Q, V: Clone> Cache<Q, V> {
    pub(crate) fn new(limits: CacheLimits, hash: fn(&Q) -> u64) -> Self {
        let mut cache = Self {
            table: HashTable::new(),
            hash,
            dirty: Vec::new(),
            unstaged: Vec::new(),
            olds: Vec::new(),
            capture_old: false,
            limits,
            slots_max: 0,
            has_taker: false,
            hand: 0,
            counts: Cell::default(),
        };
        cache.expect_heap_bytes(48);
        cache
    }

    /// Sizes the cache for slots that own `heap` bytes each beside their place in the table.
    pub(crate) fn expect_heap_bytes(&mut self, heap: usize) {
        // The table doubles: the slots are as many as the greatest table that fits has room for.
        let bytes = |buckets: usize| buckets * (size_of::<Slot<Q, V>>() + 1) + buckets / 8 * 7 * heap;
        let mut buckets = LEAST_BUCKETS;
        while buckets < NOWHERE as usize / 2 && bytes(buckets * 2) <= self.limits.bytes_max {
            buckets *= 2;
        }
        let few = self.limits.bytes_max / (size_of::<Slot<Q, V>>() + heap);
        self.slots_max = if bytes(buckets) <= self.limits.bytes_max { buckets / 8 * 7 } else { few.max(1) };
    }

    /// Whether `old` is remembered from now on; call it before the first change. A node does, and takes the changes when
    /// they are too many.
    pub(crate) fn capture_old(&mut self, capture: bool) {
        self.capture_old = capture;
        self.has_taker = true;
    }

    /// Whether the store itself has to take the changes, since no node does and they are as many as the cache may hold.
    pub(crate) fn is_full_of_changes(&self) -> bool {
        !self.has_taker && self.dirty.len() >= self.slots_max
    }

    pub(crate) fn captures_old(&self) -> bool {
        self.capture_old
    }

    /// Whether what was read and not changed stays.
    pub(crate) fn keeps_clean(&self) -> bool {
        self.limits.keeps_clean
    }

    pub(crate) fn write_through(&self) -> bool {
        self.limits.write_through
    }

    pub(crate) fn wants_flush(&self) -> bool {
        self.dirty.len() > if self.limits.write_through { 0 } else { self.slots_max }
    }

    pub(crate) fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, is_key: impl Fn(&Q) -> bool) -> Option<usize> {
        let found = self.table.find_bucket_index(hash, |slot| is_key(&slot.key));
        self.count(found.is_some());
        found
    }

    #[inline]
    fn count(&self, is_hit: bool) {
        let CacheCounts { hits, misses } = self.counts.get();
        self.counts.set(CacheCounts { hits: hits + u64::from(is_hit), misses: misses + u64::from(!is_hit) });
    }

    /// Since the store was opened.
    pub(crate) fn counts(&self) -> CacheCounts {
        self.counts.get()
    }

    #[inline]
    pub(crate) fn entry(&mut self, bucket: usize) -> Option<&Entry<V>> {
        let slot = self.slot_mut(bucket);
        slot.referenced = true;
        slot.entry.as_ref()
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, bucket: usize) -> &mut Slot<Q, V> {
        self.table.get_bucket_mut(bucket).expect("a bucket found or filled a moment ago is full")
    }

    /// The change itself, when the key is cached and already waits to be staged: the way of a hot key.
    /// Gives `f` back when it is not.
    #[inline]
    pub(crate) fn change_hot<R, F: FnOnce(&mut Option<Entry<V>>) -> R>(
        &mut self,
        hash: u64,
        timestamp: Timestamp,
        is_key: impl Fn(&Q) -> bool,
        f: F,
    ) -> Result<R, F> {
        match self.table.find_mut(hash, |slot| is_key(&slot.key)) {
            Some(slot) if slot.unstaged != NOWHERE => {
                slot.referenced = true;
                let answer = f(&mut slot.entry);
                if slot.entry.is_none() {
                    slot.deleted_at = timestamp;
                }
                self.count(true);
                Ok(answer)
            }
            _ => Err(f),
        }
    }

    /// Lets `f` change the entry of `bucket` and remembers that it changed.
    pub(crate) fn change<R>(
        &mut self,
        bucket: usize,
        timestamp: Timestamp,
        f: impl FnOnce(&mut Option<Entry<V>>) -> R,
    ) -> R {
        let write_through = self.limits.write_through;
        let slot = self.slot_mut(bucket);
        slot.referenced = true;
        let known_absent = slot.dirty == NOWHERE && slot.below == Below::Absent;
        if !known_absent {
            self.mark(bucket);
        }
        let slot = self.slot_mut(bucket);
        let answer = f(&mut slot.entry);
        let gone = slot.entry.is_none();
        if gone {
            slot.deleted_at = timestamp;
        }
        // Deleting what is known to be absent changes nothing; a store without cache passes it on all the same.
        if known_absent && (!gone || write_through) {
            self.mark_from(bucket, None);
        }
        answer
    }

    fn mark(&mut self, bucket: usize) {
        let capture = self.capture_old;
        let slot = self.slot_mut(bucket);
        let old = if capture && slot.dirty == NOWHERE { slot.entry.clone() } else { None };
        self.mark_from(bucket, old);
    }

    fn mark_from(&mut self, bucket: usize, old: Option<Entry<V>>) {
        let (dirty_len, unstaged_len) = (self.dirty.len() as u32, self.unstaged.len() as u32);
        let slot = self.slot_mut(bucket);
        let (first_change, first_unstaged) = (slot.dirty == NOWHERE, slot.unstaged == NOWHERE);
        if first_change {
            slot.dirty = dirty_len;
        }
        if first_unstaged {
            slot.unstaged = unstaged_len;
        }
        if first_change {
            self.dirty.push(bucket as u32);
            if self.capture_old {
                self.olds.push(old);
            }
        }
        if first_unstaged {
            self.unstaged.push(bucket as u32);
        }
    }

    /// Adds a clean slot for a key that is not here; may forget others first.
    pub(crate) fn insert(&mut self, hash: u64, key: Q, entry: Option<Entry<V>>, below: Below) -> usize {
        if self.table.len() >= self.slots_max {
            self.forget_some();
        }
        let rehash = self.hash;
        if self.table.len() == self.table.capacity() {
            self.table.reserve(1, |slot| rehash(&slot.key));
            self.renumber();
        }
        let slot = Slot {
            key,
            entry,
            deleted_at: Timestamp::UNKNOWN,
            below,
            referenced: false,
            dirty: NOWHERE,
            unstaged: NOWHERE,
        };
        self.table.insert_unique(hash, slot, |slot| rehash(&slot.key)).bucket_index()
    }

    /// A slot for what was read from below.
    pub(crate) fn insert_read(&mut self, hash: u64, key: Q, entry: Option<Entry<V>>) -> usize {
        let below = Below::of(entry.as_ref());
        self.insert(hash, key, entry, below)
    }

    /// CLOCK: clean slots not referenced since the hand last passed are forgotten.
    fn forget_some(&mut self) {
        let buckets = self.table.num_buckets();
        for _ in 0..CLOCK_STEPS_MAX {
            if self.table.len() < self.slots_max {
                return;
            }
            self.hand = if self.hand + 1 >= buckets { 0 } else { self.hand + 1 };
            let Ok(mut place) = self.table.get_bucket_entry(self.hand) else { continue };
            let slot = place.get_mut();
            if slot.dirty != NOWHERE {
                continue;
            }
            if slot.referenced {
                slot.referenced = false;
            } else {
                place.remove();
            }
        }
    }

    /// After the table grew: the lists learn the new buckets.
    fn renumber(&mut self) {
        self.hand = 0;
        for bucket in 0..self.table.num_buckets() {
            let Some(slot) = self.table.get_bucket(bucket) else { continue };
            if slot.dirty != NOWHERE {
                self.dirty[slot.dirty as usize] = bucket as u32;
            }
            if slot.unstaged != NOWHERE {
                self.unstaged[slot.unstaged as usize] = bucket as u32;
            }
        }
    }

    /// Hands every slot that is not in the overlay yet to `stage`; all are staged afterwards.
    pub(crate) fn stage<E>(
        &mut self,
        mut stage: impl FnMut(&mut Slot<Q, V>) -> Result<(), E>,
    ) -> Result<(), E> {
        for place in 0..self.unstaged.len() {
            let bucket = self.unstaged[place] as usize;
            let slot = self.slot_mut(bucket);
            stage(slot)?;
            slot.unstaged = NOWHERE;
        }
        self.unstaged.clear();
        Ok(())
    }

    /// Hands every dirty slot with its old value to `report`, in order of first change; all are clean afterwards.
    /// Call [`stage`](Self::stage) before.
    pub(crate) fn settle(&mut self, mut report: impl FnMut(&Slot<Q, V>, Option<Entry<V>>)) {
        let dirty = std::mem::take(&mut self.dirty);
        let write_through = self.limits.write_through;
        for (place, &bucket) in dirty.iter().enumerate() {
            let old = self.olds.get_mut(place).and_then(Option::take);
            let slot = self.slot_mut(bucket as usize);
            let nothing = slot.below == Below::Absent && slot.entry.is_none();
            if !nothing || write_through {
                report(slot, old);
            }
            slot.dirty = NOWHERE;
            slot.below = Below::of(slot.entry.as_ref());
        }
        self.olds.clear();
        self.dirty = dirty;
        self.dirty.clear();
        if !self.limits.keeps_clean {
            self.table.clear();
            self.hand = 0;
        }
    }

    /// Forgets everything, dirty or not.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.dirty.clear();
        self.unstaged.clear();
        self.olds.clear();
        self.hand = 0;
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(key: &u64) -> u64 {
        key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn cache(slots: usize) -> Cache<u64, u64> {
        let bytes_max = (slots * 8).div_ceil(7).next_power_of_two() * (size_of::<Slot<u64, u64>>() + 1 + 48);
        Cache::new(CacheLimits { bytes_max, write_through: false, keeps_clean: true }, identity)
    }

    fn put(cache: &mut Cache<u64, u64>, key: u64, value: u64) {
        let hash = identity(&key);
        let bucket = match cache.find(hash, |k| *k == key) {
            Some(bucket) => bucket,
            None => cache.insert_read(hash, key, None),
        };
        cache.change(bucket, Timestamp(0), |entry| *entry = Some(Entry::new(value, Timestamp(0))));
    }

    #[test]
    fn dirty_slots_are_reported_in_order_of_first_change_across_growth() {
        let mut cache = cache(1 << 20);
        let keys: Vec<u64> = (0..10_000).map(|i| (i * 7919) % 10_007).collect();
        for round in 0..2 {
            for &key in &keys {
                put(&mut cache, key, round);
            }
        }
        cache.stage(|_| Ok::<(), ()>(())).expect("never fails");
        let mut seen = Vec::new();
        cache.settle(|slot, _| seen.push((slot.key, slot.entry.as_ref().map(|e| e.value))));
        assert_eq!(seen, keys.iter().map(|&key| (key, Some(1))).collect::<Vec<_>>());
        assert_eq!(cache.dirty_len(), 0);
    }

    #[test]
    fn clean_slots_are_forgotten_and_dirty_ones_never() {
        let mut cache = cache(56);
        for key in 0..32 {
            put(&mut cache, key, key);
        }
        for key in 1_000..5_000 {
            cache.insert_read(identity(&key), key, None);
        }
        assert!(cache.len() <= 56 + 8, "{} slots of 56", cache.len());
        for key in 0..32u64 {
            assert!(cache.find(identity(&key), |k| *k == key).is_some(), "dirty {key} is kept");
        }
    }

    #[test]
    fn old_is_what_was_there_before_the_first_change() {
        let mut cache = cache(56);
        cache.capture_old(true);
        put(&mut cache, 1, 10);
        put(&mut cache, 1, 11);
        let mut olds = Vec::new();
        cache.stage(|_| Ok::<(), ()>(())).expect("never fails");
        cache.settle(|_, old| olds.push(old.map(|e| e.value)));
        put(&mut cache, 1, 12);
        put(&mut cache, 1, 13);
        cache.stage(|_| Ok::<(), ()>(())).expect("never fails");
        cache.settle(|_, old| olds.push(old.map(|e| e.value)));
        assert_eq!(olds, [None, Some(11)]);
    }

    #[test]
    fn deleting_what_is_known_to_be_absent_is_no_change() {
        let mut cache = cache(56);
        let bucket = cache.insert_read(identity(&5), 5, None);
        cache.change(bucket, Timestamp(9), |entry| *entry = None);
        assert_eq!(cache.dirty_len(), 0);
    }

    #[test]
    fn what_is_there_counts_as_a_hit_and_what_is_not_as_a_miss() {
        let limits = CacheLimits { bytes_max: 1 << 20, write_through: false, keeps_clean: true };
        let mut cache = Cache::<u64, u64>::new(limits, identity);
        assert_eq!(cache.find(5, |k| *k == 5), None);
        cache.insert_read(5, 5, None);
        assert!(cache.find(5, |k| *k == 5).is_some());
        assert_eq!(cache.counts(), CacheCounts { hits: 1, misses: 1 });
    }
}
