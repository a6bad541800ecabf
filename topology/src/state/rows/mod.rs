//! Rows of bytes in memory. A row is found by its hash; rows of one key stand together, in order; all of them are put in
//! order when somebody asks for a range, and kept so while somebody does. Owns [`RowTable`]; knows bytes only.

mod bytes;
mod group;
mod index;
mod ranked;
mod slots;

use std::collections::{BTreeMap, btree_map};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use self::bytes::owned;
pub(crate) use self::bytes::{RowBytes, after_prefix};
use self::group::{Group, GroupRange};
pub(crate) use self::ranked::{AHEAD, Place, RankedRows};
use self::slots::Slots;
pub(crate) use self::slots::WARM_MAX;

/// Which rows belong to one key, and are asked for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// Each is alone.
    Single,
    /// Those that differ in as many bytes at their end.
    Suffix(usize),
    /// Those that begin with the same length, four big-endian bytes, and the same bytes of that length.
    LengthFirst,
}

impl Grouping {
    /// How many bytes at the beginning of a row's key tell to which others it belongs.
    #[inline]
    pub(crate) fn split(self, row: &[u8]) -> usize {
        match self {
            Self::Single => row.len(),
            Self::Suffix(bytes) => row.len().saturating_sub(bytes),
            Self::LengthFirst => match row.first_chunk::<4>() {
                Some(length) => (u32::from_be_bytes(*length) as usize).saturating_add(4).min(row.len()),
                None => row.len(),
            },
        }
    }

    /// Appends what the keys of this key's rows have in common where they begin with their length.
    pub(crate) fn put_length_first(key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&(key.len() as u32).to_be_bytes());
        out.extend_from_slice(key);
    }

    /// Whether these bytes are all that the keys of some rows have in common, so that they can be asked for together.
    pub(crate) fn is_key(self, bytes: &[u8]) -> bool {
        match self {
            Self::Single | Self::Suffix(_) => false,
            Self::LengthFirst => bytes
                .split_first_chunk::<4>()
                .is_some_and(|(length, rest)| u32::from_be_bytes(*length) as usize == rest.len()),
        }
    }
}

/// Rows, each by its place in [`Slots`]: all keys alone, or keys with all that belong to them.
enum Held<V> {
    Single(Slots<V>),
    Grouped(Slots<Group<V>>),
}

/// A map of bytes. Ranges over several keys need an order of all rows, which is made by the first one that is asked for
/// and kept until half as many rows came or went without another one as there are.
pub(crate) struct RowTable<V> {
    grouping: Grouping,
    held: Held<V>,
    len: usize,
    /// Every row's key with the place it lies at.
    order: OnceLock<BTreeMap<RowBytes, u32>>,
    /// Whether the order was asked for since `unasked` began to count.
    asked: AtomicBool,
    /// Rows that came and went since.
    unasked: usize,
}

/// The first bytes of a row, as a number that has their order.
fn beginning(row: &[u8]) -> u128 {
    let mut first = [0; 16];
    let len = row.len().min(first.len());
    first[..len].copy_from_slice(&row[..len]);
    u128::from_be_bytes(first)
}

/// Whether nothing can lie within bounds, which an ordered map takes for a mistake.
pub(crate) fn is_reversed((from, to): (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        _ => false,
    }
}

/// Rows in the order of their keys' bytes.
pub(crate) struct RowRange<'t, V> {
    table: &'t RowTable<V>,
    rows: btree_map::Range<'t, RowBytes, u32>,
}

impl<'t, V> Iterator for RowRange<'t, V> {
    type Item = (&'t RowBytes, &'t V);

    fn next(&mut self) -> Option<Self::Item> {
        let (row, slot) = self.rows.next()?;
        Some((row, self.table.at(row, *slot)))
    }
}

impl<V> DoubleEndedIterator for RowRange<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (row, slot) = self.rows.next_back()?;
        Some((row, self.table.at(row, *slot)))
    }
}

impl<V> RowTable<V> {
    pub(crate) fn new(grouping: Grouping) -> Self {
        let held = match grouping {
            Grouping::Single => Held::Single(Slots::default()),
            Grouping::Suffix(_) | Grouping::LengthFirst => Held::Grouped(Slots::default()),
        };
        let (order, asked) = (OnceLock::new(), AtomicBool::new(false));
        Self { grouping, held, len: 0, order, asked, unasked: 0 }
    }

    pub(crate) fn grouping(&self) -> Grouping {
        self.grouping
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of a row.
    #[inline]
    pub(crate) fn get(&self, row: &[u8]) -> Option<&V> {
        match &self.held {
            Held::Single(slots) => slots.find(row).map(|slot| &slots.at(slot).1),
            Held::Grouped(slots) => {
                let (key, rest) = row.split_at(self.grouping.split(row));
                slots.at(slots.find(key)?).1.get(rest)
            }
        }
    }

    /// Puts a value and gives the one that was there.
    pub(crate) fn insert(&mut self, row: &[u8], value: V) -> Option<V> {
        let mut value = Some(value);
        let mut make = || value.take().expect("a value is made once");
        let slot = match &mut self.held {
            Held::Single(slots) => match slots.find_or_insert(row, &mut make) {
                (slot, true) => return Some(std::mem::replace(slots.at_mut(slot), make())),
                (slot, false) => slot,
            },
            Held::Grouped(slots) => {
                let (key, rest) = row.split_at(self.grouping.split(row));
                let (slot, found) =
                    slots.find_or_insert(key, || Group::One([(RowBytes::from(rest), make())]));
                if found {
                    let group = slots.at_mut(slot);
                    if let Some(there) = group.get_mut(rest) {
                        return Some(std::mem::replace(there, make()));
                    }
                    group.add(rest, make());
                }
                slot
            }
        };
        self.len += 1;
        self.written();
        if let Some(order) = self.order.get_mut() {
            order.insert(row.into(), slot);
        }
        None
    }

    /// Touches the memory of rows, at most of so many as [`WARM_MAX`], and by `touch` what their values own: it comes at
    /// once, where what is done to each of them would wait for its own.
    pub(crate) fn warm<'k>(&self, rows: impl Iterator<Item = &'k [u8]>, touch: impl Fn(&V) -> bool) {
        match &self.held {
            Held::Single(slots) => slots.warm(rows, touch),
            Held::Grouped(slots) => {
                let keys = rows.map(|row| &row[..self.grouping.split(row)]);
                slots.warm(keys, |group| group.iter().next_back().is_some_and(|(_, value)| touch(value)));
            }
        }
    }

    /// Touches the memory that so many new rows are going to.
    pub(crate) fn warm_room(&self, rows: usize) {
        match &self.held {
            Held::Single(slots) => slots.warm_room(rows),
            Held::Grouped(slots) => slots.warm_room(rows),
        }
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, row: &[u8]) -> Option<V> {
        let value = match &mut self.held {
            Held::Single(slots) => slots.remove(row)?.1,
            Held::Grouped(slots) => {
                let (key, rest) = row.split_at(self.grouping.split(row));
                let slot = slots.find(key)?;
                let group = slots.at_mut(slot);
                group.get(rest)?;
                if group.len() > 1 {
                    group.take(rest)?
                } else {
                    match slots.remove(key)?.1 {
                        Group::One([(_, value)]) => value,
                        Group::Few(mut rows) => rows.pop()?.1,
                        Group::Many(mut rows) => rows.pop_first()?.1,
                    }
                }
            }
        };
        self.len -= 1;
        self.written();
        if let Some(order) = self.order.get_mut() {
            order.remove(row);
        }
        Some(value)
    }

    /// Keeping an order that nobody asks for any more has cost as much as a new one.
    #[inline]
    fn written(&mut self) {
        if self.order.get().is_none() {
            return;
        }
        if std::mem::take(self.asked.get_mut()) {
            self.unasked = 0;
        }
        self.unasked += 1;
        if 2 * self.unasked > self.len {
            self.order.take();
            self.unasked = 0;
        }
    }

    /// Drops all rows; some room is kept for the next ones.
    pub(crate) fn clear(&mut self) {
        match &mut self.held {
            Held::Single(slots) => slots.clear(),
            Held::Grouped(slots) => slots.clear(),
        }
        self.len = 0;
        self.order.take();
    }

    /// The rows of one key whose rest lies within bounds, in order. Nothing where each row is alone.
    #[inline]
    pub(crate) fn of_key(&self, key: &[u8], bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> GroupRange<'_, V> {
        let group = match &self.held {
            Held::Single(_) => None,
            Held::Grouped(slots) => slots.find(key).map(|slot| &slots.at(slot).1),
        };
        group.map_or(GroupRange::Few([].iter()), |group| group.range(bounds))
    }

    /// All rows within bounds, in the order of their keys' bytes.
    pub(crate) fn range(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> RowRange<'_, V> {
        let bounds = if is_reversed(bounds) { (Bound::Unbounded, Bound::Excluded(&[][..])) } else { bounds };
        RowRange { table: self, rows: self.ordered().range(owned(bounds)) }
    }

    fn ordered(&self) -> &BTreeMap<RowBytes, u32> {
        self.asked.store(true, Ordering::Relaxed);
        self.order.get_or_init(|| match &self.held {
            Held::Single(slots) => slots.iter().map(|(slot, row, _)| (row.clone(), slot)).collect(),
            Held::Grouped(slots) => {
                let mut whole = Vec::new();
                let groups = slots
                    .iter()
                    .flat_map(|(slot, key, group)| group.iter().map(move |(rest, _)| (slot, key, rest)));
                let rows = groups.map(|(slot, key, rest)| {
                    whole.clear();
                    whole.extend_from_slice(key);
                    whole.extend_from_slice(rest);
                    (RowBytes::from(&whole[..]), slot)
                });
                rows.collect()
            }
        })
    }

    fn at(&self, row: &[u8], slot: u32) -> &V {
        match &self.held {
            Held::Single(slots) => &slots.at(slot).1,
            Held::Grouped(slots) => {
                let value = slots.at(slot).1.get(&row[self.grouping.split(row)..]);
                value.expect("the order has the rows that are there")
            }
        }
    }

    /// Takes all rows out, in no order that means anything.
    pub(crate) fn take_each(&mut self, mut visit: impl FnMut(&[u8], V)) {
        match &mut self.held {
            Held::Single(slots) => slots.drain().for_each(|(row, value)| visit(&row, value)),
            Held::Grouped(slots) => {
                let mut whole = Vec::new();
                for (key, group) in slots.drain() {
                    whole.clear();
                    whole.extend_from_slice(&key);
                    let mut visit = |(rest, value): (RowBytes, V)| {
                        whole.truncate(key.len());
                        whole.extend_from_slice(&rest);
                        visit(&whole, value);
                    };
                    match group {
                        Group::One([row]) => visit(row),
                        Group::Few(rows) => rows.into_iter().for_each(&mut visit),
                        Group::Many(rows) => rows.into_iter().for_each(&mut visit),
                    }
                }
            }
        }
        self.clear();
    }

    /// Visits all rows once in the order of their keys' bytes, which is not kept.
    #[cfg(any(test, feature = "lmdb"))]
    pub(crate) fn for_each_in_order<E>(
        &self,
        mut visit: impl FnMut(&[u8], &V) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut bytes = Vec::new();
        let mut rows = Vec::with_capacity(self.len);
        let read = self.for_each(|row, value| {
            let start = bytes.len();
            bytes.extend_from_slice(row);
            rows.push((beginning(row), start, row.len(), value));
            Ok::<(), Infallible>(())
        });
        let Ok(()) = read;
        rows.sort_unstable_by(|(one, at, len, _), (other, other_at, other_len, _)| {
            let rest = || bytes[*at..at + len].cmp(&bytes[*other_at..other_at + other_len]);
            one.cmp(other).then_with(rest)
        });
        rows.into_iter().try_for_each(|(_, at, len, value)| visit(&bytes[at..at + len], value))
    }

    /// Visits all rows, in no order that means anything.
    pub(crate) fn for_each<'t, E>(
        &'t self,
        mut visit: impl FnMut(&[u8], &'t V) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.held {
            Held::Single(slots) => slots.iter().try_for_each(|(_, row, value)| visit(row, value)),
            Held::Grouped(slots) => {
                let mut whole = Vec::new();
                slots.iter().try_for_each(|(_, key, group)| {
                    whole.clear();
                    whole.extend_from_slice(key);
                    group.iter().try_for_each(|(rest, value)| {
                        whole.truncate(key.len());
                        whole.extend_from_slice(rest);
                        visit(&whole, value)
                    })
                })
            }
        }
    }
}

impl<V> std::fmt::Debug for RowTable<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowTable({} rows)", self.len)
    }
}

#[cfg(test)]
mod tests;
