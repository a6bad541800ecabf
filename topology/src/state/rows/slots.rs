//! Values found by the hash of bytes: a table of hashes and places, and the values in one vector that never moves them.
//! Knows bytes only; in what order keys stand it does not know.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::bytes::RowBytes;

/// Places that stay allocated when all values are dropped, at most: what one commit fills again and again.
const KEPT_MAX: usize = 1 << 16;

/// Half of a key's hash and where its value lies: growing reads no key, and nearly every look-up one alone.
#[derive(Clone, Copy)]
struct Pointer {
    hash: u32,
    slot: u32,
}

/// The table's hash of a pointer: all bits come from the half that is kept.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline]
fn hash_of(key: &[u8]) -> u32 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(key);
    (hasher.finish() >> 32) as u32
}

/// Values by key. A value keeps its place, a number, until it is removed.
pub(super) struct Slots<T> {
    index: HashTable<Pointer>,
    slots: Vec<Option<(RowBytes, T)>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { index: HashTable::new(), slots: Vec::new(), free: Vec::new() }
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
        let found =
            self.index.find(spread(hash), |at| at.hash == hash && self.slots_key(at.slot) == Some(key));
        found.map(|at| at.slot)
    }

    #[inline]
    fn slots_key(&self, slot: u32) -> Option<&[u8]> {
        self.slots[slot as usize].as_ref().map(|(key, _)| key.as_slice())
    }

    /// The key and value at a place that was found.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> &(RowBytes, T) {
        self.slots[slot as usize].as_ref().expect("a place that was found has a value until it is removed")
    }

    /// The key and value at a place that may be empty by now.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&(RowBytes, T)> {
        self.slots.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut T {
        let slot = self.slots[slot as usize].as_mut();
        &mut slot.expect("a place that was found has a value until it is removed").1
    }

    /// The place of a key's value and whether it was there; else it is what `make` makes.
    #[inline]
    pub(super) fn find_or_insert(&mut self, key: &[u8], make: impl FnOnce() -> T) -> (u32, bool) {
        let hash = hash_of(key);
        if let Some(slot) = self.find_hashed(hash, key) {
            return (slot, true);
        }
        let filled = Some((RowBytes::from(key), make()));
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = filled;
                slot
            }
            None => {
                self.slots.push(filled);
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 rows fit into memory")
            }
        };
        self.index.insert_unique(spread(hash), Pointer { hash, slot }, |at| spread(at.hash));
        (slot, false)
    }

    /// Takes a key's value out.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<(u32, T)> {
        let (hash, slots) = (hash_of(key), &self.slots);
        let is_it = |at: &Pointer| {
            at.hash == hash
                && slots[at.slot as usize].as_ref().is_some_and(|(other, _)| other.as_slice() == key)
        };
        let entry = self.index.find_entry(spread(hash), is_it).ok()?;
        let (Pointer { slot, .. }, _) = entry.remove();
        self.free.push(slot);
        let (_, value) = self.slots[slot as usize].take()?;
        Some((slot, value))
    }

    /// All values with their places, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &RowBytes, &T)> {
        let places = self.slots.iter().enumerate();
        places.filter_map(|(slot, held)| held.as_ref().map(|(key, value)| (slot as u32, key, value)))
    }

    /// Takes all values out; [`clear`](Self::clear) afterwards.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (RowBytes, T)> {
        self.slots.drain(..).flatten()
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
    }
}
