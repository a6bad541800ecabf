//! Rows on their way from a changelog into an engine, in bulk. Owns the collecting, sorting and thinning of a run: the
//! newest value of each key, in key order. Must not know which changelog they came from.

use std::ops::Range;

/// Rows of one keyspace. Their bytes share one buffer.
#[derive(Default)]
pub(crate) struct RestoredRows {
    data: Vec<u8>,
    rows: Vec<(Range<usize>, Option<Range<usize>>)>,
}

impl RestoredRows {
    /// Adds a row; `prefix` goes before the value.
    pub(crate) fn push(&mut self, key: &[u8], prefix: &[u8], value: Option<&[u8]>) {
        let start = self.data.len();
        self.data.extend_from_slice(key);
        let key = start..self.data.len();
        let value = value.map(|value| {
            self.data.extend_from_slice(prefix);
            self.data.extend_from_slice(value);
            key.end..self.data.len()
        });
        self.rows.push((key, value));
    }

    /// Sorts by key and keeps the newest row of each.
    pub(crate) fn sort(&mut self) {
        let data = &self.data;
        self.rows.sort_by(|a, b| data[a.0.clone()].cmp(&data[b.0.clone()]));
        // `dedup_by` hands (later, earlier) and drops the later one: swap first, so that the newest stays.
        self.rows.dedup_by(|later, earlier| {
            let same = data[later.0.clone()] == data[earlier.0.clone()];
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.rows.iter().map(|(key, value)| (&self.data[key.clone()], value.clone().map(|v| &self.data[v])))
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
}
