//! The bytes of a key or value in an ordered map: short ones lie in the map's own nodes, so that a search compares them
//! where it stands and a row costs no allocation. Knows bytes only.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Bound;

/// The longest bytes that lie inline: with their length and the choice they fill four words.
const INLINE_MAX: usize = 30;

/// Owned bytes, compared as slices are.
#[derive(Clone)]
pub(crate) enum RowBytes {
    /// The bytes, zeros behind them, and their number: compared as a whole they are in the order of slices, for a slice
    /// comes before all that it is the beginning of.
    Inline([u8; INLINE_MAX + 1]),
    Heap(Box<[u8]>),
}

impl RowBytes {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => &bytes[..usize::from(bytes[INLINE_MAX]).min(INLINE_MAX)],
            Self::Heap(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for RowBytes {
    #[inline]
    fn from(slice: &[u8]) -> Self {
        match u8::try_from(slice.len()) {
            Ok(len) if slice.len() <= INLINE_MAX => {
                let mut bytes = [0; INLINE_MAX + 1];
                bytes[..slice.len()].copy_from_slice(slice);
                bytes[INLINE_MAX] = len;
                Self::Inline(bytes)
            }
            _ => Self::Heap(slice.into()),
        }
    }
}

/// Compares four words where the compiler would call for a comparison of bytes.
#[inline]
fn compare_inline(one: &[u8; INLINE_MAX + 1], other: &[u8; INLINE_MAX + 1]) -> Ordering {
    // The last word begins a byte early, so that it ends with the array.
    for at in [0, 8, 16, INLINE_MAX - 7] {
        let word = |bytes: &[u8; INLINE_MAX + 1]| {
            let word = bytes[at..].first_chunk::<8>().expect("each place has a word behind it");
            u64::from_be_bytes(*word)
        };
        let (one, other) = (word(one), word(other));
        if one != other {
            return one.cmp(&other);
        }
    }
    Ordering::Equal
}

/// The value of a key. A long one is compared where it lies instead of being copied.
#[inline]
pub(super) fn find<'m, V>(map: &'m BTreeMap<RowBytes, V>, key: &[u8]) -> Option<&'m V> {
    if key.len() <= INLINE_MAX { map.get(&RowBytes::from(key)) } else { map.get(key) }
}

/// The bounds of a range as an ordered map of such bytes takes them.
pub(super) fn owned((from, to): (Bound<&[u8]>, Bound<&[u8]>)) -> (Bound<RowBytes>, Bound<RowBytes>) {
    (from.map(Into::into), to.map(Into::into))
}

/// The first bytes after all that begin with `prefix`; `None` where there are none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl std::ops::Deref for RowBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for RowBytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for RowBytes {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RowBytes {}

impl Hash for RowBytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl PartialOrd for RowBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowBytes {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Inline(one), Self::Inline(other)) => compare_inline(one, other),
            _ => self.as_slice().cmp(other.as_slice()),
        }
    }
}

impl std::fmt::Debug for RowBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
        assert_eq!(after_prefix(b""), None);
    }

    #[test]
    fn bytes_of_every_length_come_back_and_are_ordered_as_slices() {
        let mut slices: Vec<Vec<u8>> =
            (0..40).map(|len| (0..len).map(|byte| byte ^ 0x55).collect()).collect();
        slices.extend((0..40).map(|len| vec![0; len]));
        slices.extend((1..40).map(|len| [vec![0; len - 1], vec![0xff]].concat()));
        for one in &slices {
            assert_eq!(RowBytes::from(&one[..]).as_slice(), &one[..]);
            for other in &slices {
                assert_eq!(RowBytes::from(&one[..]).cmp(&RowBytes::from(&other[..])), one.cmp(other));
            }
        }
        assert_eq!(size_of::<Option<RowBytes>>(), 32);
    }
}
