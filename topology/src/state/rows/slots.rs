//! Values found by the hash of bytes: an index of places, and the values in one vector that never moves them. Knows bytes
//! only; in what order keys stand it does not know.

use std::cmp::Reverse;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use super::bytes::RowBytes;
use super::index::Index;

/// Places that stay allocated when all values are dropped, at most: what one commit fills again and again.
const KEPT_MAX: usize = 1 << 16;

/// So many places that became free one after the other are filled again from the first to the last: what left in one
/// order and comes in another would else touch memory all over.
const FREED_MAX: usize = 4_096;

/// Keys whose memory is touched together, at most.
pub(crate) const WARM_MAX: usize = 64;

#[inline]
fn hash_of(key: &[u8]) -> u32 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(key);
    (hasher.finish() >> 32) as u32
}

/// A place, which begins with a line of memory: a short key is compared, and a short value read, in one step.
#[repr(align(64))]
struct Slot<T>(Option<(RowBytes, T)>);

/// Values by key. A value keeps its place, a number, until it is removed.
pub(super) struct Slots<T> {
    index: Index,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// Places that became free since they were last put in order.
    freed: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { index: Index::default(), slots: Vec::new(), free: Vec::new(), freed: 0 }
    }
}

impl<T> Slots<T> {
    /// Where a key's value lies.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        self.find_hashed(hash_of(key), key)
    }

    #[inline]
    fn find_hashed(&self, hash: u32, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |slot| self.is_at(slot, key)).map(|(_, slot)| slot)
    }

    /// Touches the memory that changes of these keys are going to, at most of so many as [`WARM_MAX`], and by `touch` what
    /// is likely their value's. One step for all before the next one: within a step no key waits for another's memory.
    pub(super) fn warm<'k>(&self, keys: impl Iterator<Item = &'k [u8]>, touch: impl Fn(&T) -> bool) {
        let mut places = [u32::MAX; WARM_MAX];
        for (place, key) in places.iter_mut().zip(keys) {
            *place = self.index.first(hash_of(key)).unwrap_or(u32::MAX);
        }
        let there = || places.iter().filter_map(|place| self.get(*place));
        std::hint::black_box(there().count());
        std::hint::black_box(there().filter(|(_, value)| touch(value)).count());
    }

    /// Touches the places that are filled next.
    pub(super) fn warm_room(&self, places: usize) {
        let next = self.free.iter().rev().take(places);
        std::hint::black_box(next.filter(|slot| self.get(**slot).is_some()).count());
    }

    #[inline]
    fn is_at(&self, slot: u32, key: &[u8]) -> bool {
        self.get(slot).is_some_and(|(other, _)| other.as_slice() == key)
    }

    /// The key and value at a place that was found.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> &(RowBytes, T) {
        self.slots[slot as usize].0.as_ref().expect("a place that was found has a value until it is removed")
    }

    /// The key and value at a place that may be empty by now.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&(RowBytes, T)> {
        self.slots.get(slot as usize)?.0.as_ref()
    }

    /// As [`get`](Self::get), the value to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(&RowBytes, &mut T)> {
        self.slots.get_mut(slot as usize)?.0.as_mut().map(|(key, value)| (&*key, value))
    }

    #[inline]
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut T {
        let slot = self.slots[slot as usize].0.as_mut();
        &mut slot.expect("a place that was found has a value until it is removed").1
    }

    /// The place of a key's value and whether it was there; else it is what `make` makes.
    #[inline]
    pub(super) fn find_or_insert(&mut self, key: &[u8], make: impl FnOnce() -> T) -> (u32, bool) {
        let hash = hash_of(key);
        if let Some(slot) = self.find_hashed(hash, key) {
            return (slot, true);
        }
        let filled = Slot(Some((RowBytes::from(key), make())));
        if self.freed >= FREED_MAX {
            self.free.sort_unstable_by_key(|slot| Reverse(*slot));
            self.freed = 0;
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = filled;
                self.freed = self.freed.saturating_sub(1);
                slot
            }
            None => {
                self.slots.push(filled);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 rows fit into memory")
            }
        };
        self.index.insert(hash, slot);
        (slot, false)
    }

    /// Takes a key's value out.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<(u32, T)> {
        let (cell, slot) = self.index.find(hash_of(key), |slot| self.is_at(slot, key))?;
        let (_, value) = self.vacate(cell, slot)?;
        Some((slot, value))
    }

    /// Takes out what lies at a place.
    pub(super) fn take(&mut self, slot: u32) -> Option<(RowBytes, T)> {
        let hash = hash_of(&self.get(slot)?.0);
        let (cell, _) = self.index.find(hash, |other| other == slot)?;
        self.vacate(cell, slot)
    }

    fn vacate(&mut self, cell: usize, slot: u32) -> Option<(RowBytes, T)> {
        self.index.remove(cell);
        self.free.push(slot);
        self.freed += 1;
        self.slots[slot as usize].0.take()
    }

    /// All values with their places, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &RowBytes, &T)> {
        let places = self.slots.iter().enumerate();
        places.filter_map(|(slot, held)| held.0.as_ref().map(|(key, value)| (slot as u32, key, value)))
    }

    /// Takes all values out; [`clear`](Self::clear) afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (RowBytes, T)> {
        self.slots.drain(..).filter_map(|slot| slot.0)
    }

    /// Drops all values; what they took is kept for the next ones unless it was a lot.
    pub(super) fn clear(&mut self) {
        if self.slots.capacity() > KEPT_MAX {
            *self = Self::default();
            return;
        }
        self.index.clear();
        self.slots.clear();
        self.free.clear();
        self.freed = 0;
    }
}
