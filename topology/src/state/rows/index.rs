//! Which place a hash leads to: one flat table of hashes and places, searched from where the hash points, so that most
//! look-ups touch one line of memory. Knows hashes and numbers only.

/// Half of a hash above, a place plus one below; nought where there is nothing.
type Pointer = u64;

/// The smallest table.
const CELLS_MIN: usize = 8;

/// Places by hash. Several may have the same one; whoever asks tells them apart.
#[derive(Default)]
pub(super) struct Index {
    /// As many as a power of two, at most two in three of them filled; none before the first place.
    cells: Vec<Pointer>,
    len: usize,
}

#[inline]
fn pointer(hash: u32, place: u32) -> Pointer {
    u64::from(hash) << 32 | (u64::from(place) + 1)
}

#[inline]
fn hash_of(pointer: Pointer) -> u32 {
    (pointer >> 32) as u32
}

impl Index {
    #[inline]
    fn mask(&self) -> usize {
        self.cells.len().wrapping_sub(1)
    }

    /// The cell and place of a hash for which `is_it` answers `true`.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mask = self.mask();
        let mut cell = hash as usize & mask;
        loop {
            let pointer = *self.cells.get(cell)?;
            if pointer == 0 {
                return None;
            }
            let place = (pointer as u32).wrapping_sub(1);
            if hash_of(pointer) == hash && is_it(place) {
                return Some((cell, place));
            }
            cell = (cell + 1) & mask;
        }
    }

    /// The place where the search for a hash begins, if it is likely the one: to have it near before it is asked for.
    #[inline]
    pub(super) fn first(&self, hash: u32) -> Option<u32> {
        let pointer = *self.cells.get(hash as usize & self.mask())?;
        (pointer != 0 && hash_of(pointer) == hash).then(|| (pointer as u32).wrapping_sub(1))
    }

    /// Adds a place that is not there. Places are lower than the greatest number there is.
    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        if (self.len + 1) * 3 > self.cells.len() * 2 {
            let cells = (self.cells.len() * 2).max(CELLS_MIN);
            let before = std::mem::replace(&mut self.cells, vec![0; cells]);
            before.into_iter().filter(|pointer| *pointer != 0).for_each(|pointer| self.fill(pointer));
        }
        self.fill(pointer(hash, place));
        self.len += 1;
    }

    fn fill(&mut self, pointer: Pointer) {
        let mask = self.mask();
        let mut cell = hash_of(pointer) as usize & mask;
        while self.cells[cell] != 0 {
            cell = (cell + 1) & mask;
        }
        self.cells[cell] = pointer;
    }

    /// Empties a cell that was found. Those behind it that are not where their hash points move up.
    pub(super) fn remove(&mut self, cell: usize) {
        let mask = self.mask();
        let (mut hole, mut next) = (cell, (cell + 1) & mask);
        while self.cells[next] != 0 {
            let home = hash_of(self.cells[next]) as usize & mask;
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                self.cells[hole] = self.cells[next];
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.cells[hole] = 0;
        self.len -= 1;
    }

    /// Forgets all places and keeps the room.
    pub(super) fn clear(&mut self) {
        if self.len > 0 {
            self.cells.fill(0);
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_found_until_they_are_removed_however_their_hashes_collide(
            bits in 1u32..6,
            ops in prop::collection::vec((any::<bool>(), 0u32..64), 1..400),
        ) {
            // Few hashes, some at the end of the table: long chains that go over its end.
            let hash = |place: u32| (place % (1 << bits)).wrapping_sub(3);
            let (mut index, mut model) = (Index::default(), BTreeSet::new());
            for (add, place) in ops {
                let found = index.find(hash(place), |other| other == place);
                prop_assert_eq!(found.map(|(_, place)| place), model.get(&place).copied());
                match found {
                    Some((cell, _)) if !add => {
                        index.remove(cell);
                        model.remove(&place);
                    }
                    None if add => {
                        index.insert(hash(place), place);
                        model.insert(place);
                    }
                    _ => {}
                }
                prop_assert_eq!(index.len, model.len());
            }
            for place in 0..64 {
                prop_assert_eq!(index.find(hash(place), |other| other == place).is_some(), model.contains(&place));
            }
            index.clear();
            prop_assert!((0..64).all(|place| index.find(hash(place), |other| other == place).is_none()));
        }
    }
}
