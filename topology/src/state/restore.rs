//! Rows on their way from a changelog into an engine, in bulk. Owns the collecting, sorting and thinning of what is
//! written at once: the newest value of each key, in key order. Must not know which changelog they came from.

use std::cmp::Ordering;

/// Where a row lies in the bytes that all rows share: its key, and its value behind it.
#[derive(Clone, Copy)]
struct Row {
    /// The key's first eight bytes as a number, which tells most keys apart without looking at them.
    prefix: u64,
    start: u32,
    key_len: u32,
    /// [`GONE`] for a deletion.
    value_len: u32,
    /// The newest of a key has the greatest.
    number: u32,
}

const GONE: u32 = u32::MAX;

impl Row {
    /// How two keys are ordered. Those of eight bytes and less are told apart here, without a look at what lies elsewhere.
    fn by_key(&self, other: &Self, data: &[u8]) -> Ordering {
        let key = |row: &Self| &data[row.start as usize..][..row.key_len as usize];
        self.prefix.cmp(&other.prefix).then_with(|| match self.key_len.max(other.key_len) {
            // The prefix of the shorter one ends in zeros as the longer one itself does.
            0..=8 => self.key_len.cmp(&other.key_len),
            _ => key(self).cmp(key(other)),
        })
    }
}

/// Rows of one keyspace.
#[derive(Default)]
pub(crate) struct RestoredRows {
    data: Vec<u8>,
    rows: Vec<Row>,
}

impl RestoredRows {
    /// Adds a row; `before` goes before the value.
    pub(crate) fn push(&mut self, key: &[u8], before: &[u8], value: Option<&[u8]>) {
        let short = |len: usize| u32::try_from(len).expect("what is restored at once has some MiB");
        let (start, key_len) = (short(self.data.len()), short(key.len()));
        self.data.extend_from_slice(key);
        let value_len = value.map_or(GONE, |value| {
            self.data.extend_from_slice(before);
            self.data.extend_from_slice(value);
            short(before.len() + value.len())
        });
        let number = short(self.rows.len());
        self.rows.push(Row { prefix: prefix(key), start, key_len, value_len, number });
    }

    /// Sorts by key and keeps the newest row of each.
    pub(crate) fn sort(&mut self) {
        let Self { data, rows } = self;
        rows.sort_unstable_by(|a, b| a.by_key(b, data).then(a.number.cmp(&b.number)));
        // `dedup_by` hands (later, earlier) and drops the later one: swap first, so that the newest stays.
        rows.dedup_by(|later, earlier| {
            let same = later.by_key(earlier, data).is_eq();
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }

    /// Forgets all rows and keeps their room.
    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.rows.clear();
    }

    pub(crate) fn bytes(&self) -> usize {
        self.data.len() + self.rows.len() * size_of::<Row>()
    }

    #[cfg(feature = "lmdb")]
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows.iter().map(|row| {
            let (key, behind) = self.data[row.start as usize..].split_at(row.key_len as usize);
            (key, (row.value_len != GONE).then(|| &behind[..row.value_len as usize]))
        })
    }
}

/// Ordered as the keys are, as far as eight bytes tell; the rest of a short one counts as zeros.
fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_row_of_each_key_stays_in_key_order() {
        let mut rows = RestoredRows::default();
        rows.push(b"b", b"t", Some(b"1"));
        rows.push(b"a", b"t", Some(b"2"));
        rows.push(b"b", b"t", Some(b"3"));
        rows.push(b"a", b"t", None);
        rows.push(b"b", b"t", Some(b"4"));
        rows.sort();
        let rows: Vec<_> = rows.iter().collect();
        assert_eq!(rows, [(&b"a"[..], None), (&b"b"[..], Some(&b"t4"[..]))]);
    }
    #[test]
    fn keys_are_ordered_as_bytes_also_behind_their_first_eight() {
        let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"aaaaaaaa", b"aaaaaaaab", b"b"];
        let mut rows = RestoredRows::default();
        keys.iter().rev().for_each(|key| rows.push(key, b"", Some(b"")));
        rows.sort();
        assert_eq!(rows.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
    }
}
