//! Rows that wait in order: of a rank, such as a time, and among equals of their bytes. Each is found by its hash; what
//! has one rank is put in order when its turn comes, not before. Owns [`RankedRows`]; knows bytes and ranks only.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::bytes::RowBytes;
use super::slots::Slots;

/// Rows of one rank that were taken out and still wait in its queue, at most, beside as many as are there.
const STALE_MAX: usize = 64;

/// Rows whose memory is touched together before they are taken out one after the other: they lie anywhere, and their
/// memory comes at once where each would wait for its own.
pub(crate) const AHEAD: usize = 16;

/// One row of a rank: the beginning of its bytes, and where it lies.
#[derive(Clone, Copy)]
struct Waiting {
    beginning: u128,
    slot: u32,
    ticket: u32,
}

/// The rows of one rank, among them some that were taken out since and whose ticket no longer holds.
#[derive(Default)]
struct Queue {
    /// In the order in which they came.
    fresh: Vec<Waiting>,
    /// The last one goes first. Those that come when some have gone wait in `late`.
    sorted: Vec<Waiting>,
    late: BinaryHeap<Reverse<(RowBytes, u32, u32)>>,
    begun: bool,
    len: usize,
}

impl Queue {
    /// Leaves out those whose ticket no longer holds: rows may come and go while others of their rank stay.
    fn forget_stale<R, T>(&mut self, slots: &Slots<Held<R, T>>) {
        self.fresh.retain(|waiting| is_there(slots, waiting.slot, waiting.ticket));
        self.late.retain(|Reverse((_, slot, ticket))| is_there(slots, *slot, *ticket));
    }

    /// Touches the memory of the rows that go next.
    fn warm<R, T>(&self, slots: &Slots<Held<R, T>>) {
        let next = self.sorted.iter().rev().take(AHEAD);
        let rows = || next.clone().filter_map(|waiting| slots.get(waiting.slot));
        std::hint::black_box(rows().filter(|(_, held)| held.ticket > 0).count());
        slots.warm(rows().map(|(row, _)| row.as_slice()), |held| held.ticket > 0);
    }
}

struct Held<R, T> {
    rank: R,
    ticket: u32,
    value: T,
}

/// Values by rows of bytes, in order of their rank and then of their bytes.
pub(crate) struct RankedRows<R, T> {
    slots: Slots<Held<R, T>>,
    queues: BTreeMap<R, Queue>,
    /// A queue that was emptied, for the next rank.
    spare: Option<Queue>,
    /// Bytes at the beginning of each row that all rows of its rank have in common.
    common: usize,
    ticket: u32,
    len: usize,
}

/// A row that was taken out: its bytes, rank and value.
pub(crate) type Taken<R, T> = (RowBytes, R, T);

/// Where a row lies for as long as it is there; the place of one that is gone leads nowhere.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    slot: u32,
    ticket: u32,
}

impl<R: Copy + Ord, T> RankedRows<R, T> {
    /// `common`: how many bytes at the beginning of a row follow from its rank.
    pub(crate) fn new(common: usize) -> Self {
        let (slots, queues) = (Slots::default(), BTreeMap::new());
        Self { slots, queues, spare: None, common, ticket: 0, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A row's rank and value.
    pub(crate) fn get(&self, row: &[u8]) -> Option<(R, &T)> {
        let held = &self.slots.at(self.slots.find(row)?).1;
        Some((held.rank, &held.value))
    }

    /// The row at a place, with its rank and value.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<(&RowBytes, R, &mut T)> {
        let (row, held) = self.slots.get_mut(place.slot)?;
        (held.ticket == place.ticket).then_some((row, held.rank, &mut held.value))
    }

    /// Touches the memory of rows that are asked for next.
    pub(crate) fn warm(&self, places: &[Place]) {
        let there = places.iter().filter(|place| is_there(&self.slots, place.slot, place.ticket));
        std::hint::black_box(there.count());
    }

    /// The row's place, rank and value; one that is not there gets this rank and what `make` makes.
    pub(crate) fn get_or_insert(
        &mut self,
        row: &[u8],
        rank: R,
        make: impl FnOnce() -> T,
    ) -> (Place, R, &mut T) {
        let ticket = self.ticket;
        let (slot, found) = self.slots.find_or_insert(row, || Held { rank, ticket, value: make() });
        if !found {
            self.ticket = self.ticket.wrapping_add(1);
            self.len += 1;
            let spare = &mut self.spare;
            let queue = self.queues.entry(rank).or_insert_with(|| spare.take().unwrap_or_default());
            queue.len += 1;
            if queue.begun {
                queue.late.push(Reverse((row.into(), slot, ticket)));
            } else {
                let beginning = super::beginning(&row[self.common..]);
                queue.fresh.push(Waiting { beginning, slot, ticket });
            }
            if queue.fresh.len() + queue.late.len() > 2 * queue.len + STALE_MAX {
                queue.forget_stale(&self.slots);
            }
        }
        let held = self.slots.at_mut(slot);
        (Place { slot, ticket: held.ticket }, held.rank, &mut held.value)
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, row: &[u8]) -> Option<(R, T)> {
        let (_, Held { rank, value, .. }) = self.slots.remove(row)?;
        self.left(rank);
        Some((rank, value))
    }

    /// A row of this rank is no longer there.
    fn left(&mut self, rank: R) {
        self.len -= 1;
        let queue = self.queues.get_mut(&rank).expect("a row's rank has a queue while the row is there");
        queue.len -= 1;
        if queue.len == 0
            && let Some(mut queue) = self.queues.remove(&rank)
        {
            queue.fresh.clear();
            queue.sorted.clear();
            queue.late.clear();
            queue.begun = false;
            self.spare = Some(queue);
        }
    }

    /// The lowest rank.
    pub(crate) fn first_rank(&self) -> Option<R> {
        self.queues.first_key_value().map(|(rank, _)| *rank)
    }

    /// Whether any row has this rank.
    pub(crate) fn has_rank(&self, rank: R) -> bool {
        self.queues.contains_key(&rank)
    }

    /// All ranks in order, with how many rows each has.
    pub(crate) fn ranks(&self) -> impl Iterator<Item = (R, usize)> {
        self.queues.iter().map(|(rank, queue)| (*rank, queue.len))
    }

    /// The value of some row of a rank.
    pub(crate) fn any_of(&self, rank: R) -> Option<&T> {
        let queue = self.queues.get(&rank)?;
        let fresh = queue.fresh.iter().chain(&queue.sorted).map(|waiting| (waiting.slot, waiting.ticket));
        let mut places = fresh.chain(queue.late.iter().map(|Reverse((_, slot, ticket))| (*slot, *ticket)));
        let (slot, _) = places.find(|(slot, ticket)| is_there(&self.slots, *slot, *ticket))?;
        Some(&self.slots.at(slot).1.value)
    }

    /// All rows with their values, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RowBytes, R, &T)> {
        self.slots.iter().map(|(_, row, held)| (row, held.rank, &held.value))
    }

    /// Takes out the first row of the lowest rank.
    pub(crate) fn pop_first(&mut self) -> Option<Taken<R, T>> {
        self.pop(self.first_rank()?)
    }

    /// Takes out the first row of a rank.
    pub(crate) fn pop(&mut self, rank: R) -> Option<Taken<R, T>> {
        let (slots, common) = (&self.slots, self.common);
        let queue = self.queues.get_mut(&rank)?;
        if !queue.begun {
            queue.begun = true;
            std::mem::swap(&mut queue.fresh, &mut queue.sorted);
            queue.sorted.retain(|waiting| is_there(slots, waiting.slot, waiting.ticket));
            queue.sorted.sort_unstable_by(|one, other| {
                let rest = || rest_of(slots, *other, common).cmp(rest_of(slots, *one, common));
                other.beginning.cmp(&one.beginning).then_with(rest)
            });
        }
        let slot = loop {
            let sorted = queue.sorted.last();
            let late = queue.late.peek();
            let is_late = match (sorted, late) {
                (None, None) => return None,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(sorted), Some(Reverse((row, ..)))) => {
                    let beginning = super::beginning(&row[common..]);
                    let rest = || row[common..].cmp(rest_of(slots, *sorted, common));
                    is_there(slots, sorted.slot, sorted.ticket)
                        && beginning.cmp(&sorted.beginning).then_with(rest) == Ordering::Less
                }
            };
            let (slot, ticket) = if is_late {
                queue.late.pop().map(|Reverse((_, slot, ticket))| (slot, ticket))?
            } else {
                if queue.sorted.len().is_multiple_of(AHEAD) {
                    queue.warm(slots);
                }
                queue.sorted.pop().map(|waiting| (waiting.slot, waiting.ticket))?
            };
            if is_there(slots, slot, ticket) {
                break slot;
            }
        };
        let (row, Held { rank, value, .. }) = self.slots.take(slot)?;
        self.left(rank);
        Some((row, rank, value))
    }

    /// Drops all rows.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.queues.clear();
        self.len = 0;
    }
}

/// Whether a place still holds the row that waited there.
fn is_there<R, T>(slots: &Slots<Held<R, T>>, slot: u32, ticket: u32) -> bool {
    slots.get(slot).is_some_and(|(_, held)| held.ticket == ticket)
}

/// A row's bytes behind those that its rank tells.
fn rest_of<R, T>(slots: &Slots<Held<R, T>>, waiting: Waiting, common: usize) -> &[u8] {
    slots.get(waiting.slot).map_or(&[], |(row, _)| &row[common..])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Put(Vec<u8>, u8),
        Remove(Vec<u8>),
        PopFirst,
        Pop(u8),
        Clear,
    }

    fn row() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            9 => prop::collection::vec(0u8..3, 2..5),
            1 => prop::collection::vec(0u8..2, 17..22),
        ]
    }

    /// Whether this is the value of some row of a rank, or there is none.
    fn is_of(rank: u8, any: Option<&usize>, model: &BTreeMap<(u8, Vec<u8>), usize>) -> bool {
        let mut of_rank = model.iter().filter(|((other, _), _)| *other == rank).peekable();
        any.map_or(of_rank.peek().is_none(), |any| of_rank.any(|(_, value)| value == any))
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            30 => (row(), 0u8..4).prop_map(|(row, rank)| Op::Put(row, rank)),
            10 => row().prop_map(Op::Remove),
            10 => Just(Op::PopFirst),
            4 => (0u8..4).prop_map(Op::Pop),
            1 => Just(Op::Clear),
        ]
    }

    proptest! {
        #[test]
        fn rows_go_in_order_of_rank_and_bytes_whatever_came_and_went(
            common in 0usize..3,
            ops in prop::collection::vec(op(), 1..300),
        ) {
            // The model holds each row by its rank; the common bytes are those of the rank.
            let mut model: BTreeMap<(u8, Vec<u8>), usize> = BTreeMap::new();
            let mut ranks: BTreeMap<Vec<u8>, u8> = BTreeMap::new();
            let mut rows = RankedRows::<u8, usize>::new(common);
            let mut places: BTreeMap<Vec<u8>, Place> = BTreeMap::new();
            for (number, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Put(row, rank) => {
                        let rest = row[common.min(row.len())..].to_vec();
                        let row = [&[rank; 2][..common], &rest].concat();
                        let there = *ranks.entry(row.clone()).or_insert(rank);
                        *model.entry((there, row.clone())).or_default() += number;
                        let (place, held, value) = rows.get_or_insert(&row, rank, || 0);
                        *value += number;
                        prop_assert_eq!(held, there);
                        places.insert(row.clone(), place);
                        let at = rows.at_mut(place).map(|(row, rank, _)| (row.to_vec(), rank));
                        prop_assert_eq!(at, Some((row, there)));
                    }
                    Op::Remove(row) => {
                        let rank = ranks.remove(&row);
                        let expected = rank.and_then(|rank| Some((rank, model.remove(&(rank, row.clone()))?)));
                        prop_assert_eq!(rows.get(&row).map(|(rank, value)| (rank, *value)), expected);
                        prop_assert_eq!(rows.remove(&row), expected);
                    }
                    Op::PopFirst => {
                        let expected = model.pop_first();
                        let taken = rows.pop_first();
                        if let Some(((_, row), _)) = &expected {
                            ranks.remove(row);
                        }
                        let taken = taken.map(|(row, rank, value)| ((rank, row.to_vec()), value));
                        prop_assert_eq!(taken, expected);
                    }
                    Op::Pop(rank) => {
                        let first = model.keys().find(|(other, _)| *other == rank).cloned();
                        let value = first.as_ref().and_then(|first| model.remove(first));
                        if let Some((_, row)) = &first {
                            ranks.remove(row);
                        }
                        let taken = rows.pop(rank).map(|(row, rank, value)| ((rank, row.to_vec()), value));
                        prop_assert_eq!(taken, first.zip(value));
                    }
                    Op::Clear => {
                        rows.clear();
                        model.clear();
                        ranks.clear();
                    }
                }
                prop_assert_eq!(rows.len(), model.len());
                prop_assert_eq!(rows.first_rank(), model.keys().next().map(|(rank, _)| *rank));
                let mut expected: BTreeMap<u8, usize> = BTreeMap::new();
                model.keys().for_each(|(rank, _)| *expected.entry(*rank).or_default() += 1);
                prop_assert_eq!(rows.ranks().collect::<BTreeMap<_, _>>(), expected);
                prop_assert!((0..4).all(|rank| is_of(rank, rows.any_of(rank), &model)));
                let held = rows.iter().map(|(row, rank, value)| ((rank, row.to_vec()), *value));
                prop_assert_eq!(&held.collect::<BTreeMap<_, _>>(), &model);
                places.retain(|row, place| {
                    let there = rows.at_mut(*place).map(|(other, _, _)| other.to_vec());
                    assert!(there.is_none() || there.as_ref() == Some(row), "a place leads to its row or nowhere");
                    there.is_some()
                });
                prop_assert_eq!(places.len(), model.len());
            }
        }
    }
}
