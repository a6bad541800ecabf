//! The rows of one key: a few in a vector, many in a tree, always in order. Knows bytes only.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use super::bytes::{self, RowBytes, owned};
use super::is_reversed;

/// Rows of one key that lie in one vector; more of them are kept in a tree, where each is found and put alike fast.
const FEW_MAX: usize = 64;

/// The rows of one key, by the rest of their keys' bytes.
pub(super) enum Group<V> {
    One([(RowBytes, V); 1]),
    Few(Vec<(RowBytes, V)>),
    Many(BTreeMap<RowBytes, V>),
}

impl<V> Group<V> {
    fn slice(&self) -> Option<&[(RowBytes, V)]> {
        match self {
            Self::One(row) => Some(row),
            Self::Few(rows) => Some(rows),
            Self::Many(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, rest: &[u8]) -> Option<&V> {
        match self {
            Self::Many(rows) => bytes::find(rows, rest),
            Self::One(row) => position(row, rest).ok().map(|at| &row[at].1),
            Self::Few(rows) => position(rows, rest).ok().map(|at| &rows[at].1),
        }
    }

    pub(super) fn get_mut(&mut self, rest: &[u8]) -> Option<&mut V> {
        match self {
            Self::Many(rows) => rows.get_mut(rest),
            Self::One(row) => position(row, rest).ok().map(|at| &mut row[at].1),
            Self::Few(rows) => position(rows, rest).ok().map(|at| &mut rows[at].1),
        }
    }

    /// Puts a row that is not there.
    pub(super) fn add(&mut self, rest: &[u8], value: V) {
        let rows = match self {
            Self::Many(rows) => return drop(rows.insert(rest.into(), value)),
            Self::Few(rows) => rows,
            Self::One(_) => {
                let Self::One([row]) = std::mem::replace(self, Self::Few(Vec::with_capacity(2))) else {
                    return;
                };
                let Self::Few(rows) = self else { return };
                rows.push(row);
                rows
            }
        };
        if rows.len() == FEW_MAX {
            let mut many: BTreeMap<_, _> = std::mem::take(rows).into_iter().collect();
            many.insert(rest.into(), value);
            *self = Self::Many(many);
        } else if let Err(at) = position(rows, rest) {
            rows.insert(at, (rest.into(), value));
        }
    }

    /// Takes out a row of several.
    pub(super) fn take(&mut self, rest: &[u8]) -> Option<V> {
        match self {
            Self::One(_) => None,
            Self::Few(rows) => position(rows, rest).ok().map(|at| rows.remove(at).1),
            Self::Many(rows) => rows.remove(rest),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(rows) => rows.len(),
            Self::Many(rows) => rows.len(),
        }
    }

    pub(super) fn iter(&self) -> GroupRange<'_, V> {
        self.range((Bound::Unbounded, Bound::Unbounded))
    }

    pub(super) fn range(&self, bounds: (Bound<&[u8]>, Bound<&[u8]>)) -> GroupRange<'_, V> {
        match (self.slice(), self) {
            (Some(rows), _) => GroupRange::Few(within(rows, bounds).iter()),
            (None, Self::Many(rows)) if !is_reversed(bounds) => GroupRange::Many(rows.range(owned(bounds))),
            _ => GroupRange::Few([].iter()),
        }
    }
}

/// Where a row is among those in order, or belongs. What is asked for last mostly lies at the end.
#[inline]
fn position<V>(rows: &[(RowBytes, V)], rest: &[u8]) -> Result<usize, usize> {
    let rest = RowBytes::from(rest);
    match rows.last() {
        None => Err(0),
        Some((last, _)) if *last < rest => Err(rows.len()),
        Some(_) => rows.binary_search_by(|(other, _)| other.cmp(&rest)),
    }
}

/// Those of some rows in order that lie within bounds.
fn within<'r, V>(rows: &'r [(RowBytes, V)], (from, to): (Bound<&[u8]>, Bound<&[u8]>)) -> &'r [(RowBytes, V)] {
    let before = |bound: &[u8], included: bool| {
        let at = position(rows, bound);
        at.map_or_else(|at| at, |at| at + usize::from(included))
    };
    let first = match from {
        Bound::Unbounded => 0,
        Bound::Included(from) => before(from, false),
        Bound::Excluded(from) => before(from, true),
    };
    let end = match to {
        Bound::Unbounded => rows.len(),
        Bound::Included(to) => before(to, true),
        Bound::Excluded(to) => before(to, false),
    };
    rows.get(first..end).unwrap_or_default()
}

/// Rows of one key in order: the rest of the key's bytes, and the value.
pub(crate) enum GroupRange<'t, V> {
    Few(std::slice::Iter<'t, (RowBytes, V)>),
    Many(btree_map::Range<'t, RowBytes, V>),
}

impl<'t, V> Iterator for GroupRange<'t, V> {
    type Item = (&'t RowBytes, &'t V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(rows) => rows.next().map(|(rest, value)| (rest, value)),
            Self::Many(rows) => rows.next(),
        }
    }
}

impl<V> DoubleEndedIterator for GroupRange<'_, V> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(rows) => rows.next_back().map(|(rest, value)| (rest, value)),
            Self::Many(rows) => rows.next_back(),
        }
    }
}
