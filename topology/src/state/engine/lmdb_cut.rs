//! The rows of a batch on their way into LMDB: in transactions that are cut where a batch may be, each row at its place.
//! Owns how keys are written. Must not know where rows come from.

use std::borrow::Cow;

use heed::{Env, PutFlags, RwTxn, WithoutTls};

use super::lmdb::Db;

/// Write transactions, one after the other.
pub(super) struct Cut<'a> {
    env: &'a Env<WithoutTls>,
    txn: Option<RwTxn<'a>>,
    left: usize,
    rows_max: usize,
    /// Room for a key that is escaped.
    escaped: Vec<u8>,
}

/// Where rows come that are written in key order.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Anywhere,
    /// Behind all that the keyspace has: no place need be looked for, and no page is left half empty for what may come
    /// between.
    Behind,
}

impl<'a> Cut<'a> {
    /// Transactions of at most so many rows each.
    pub(super) fn new(env: &'a Env<WithoutTls>, rows_max: usize) -> Self {
        Self { env, txn: None, left: rows_max, rows_max, escaped: Vec::new() }
    }

    /// The one that is under way.
    pub(super) fn transaction(&mut self) -> Result<&mut RwTxn<'a>, heed::Error> {
        let txn = match self.txn.take() {
            Some(txn) => txn,
            None => self.env.write_txn()?,
        };
        Ok(self.txn.insert(txn))
    }

    /// Where the rows from this key on come.
    pub(super) fn place_of(&mut self, database: Db, key: &[u8]) -> Result<Place, heed::Error> {
        let key = escaped(key);
        let last = database.last(self.transaction()?)?;
        Ok(if last.is_none_or(|(last, _)| last < &*key) { Place::Behind } else { Place::Anywhere })
    }

    /// Writes one more row.
    pub(super) fn write(
        &mut self,
        database: Db,
        place: Place,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), heed::Error> {
        if self.left == 0 {
            self.commit()?;
        }
        self.left -= 1;
        let mut room = std::mem::take(&mut self.escaped);
        let key = escaped_into(key, &mut room);
        let txn = self.transaction()?;
        let written = match (place, value) {
            (Place::Anywhere, Some(value)) => database.put(txn, key, value),
            (Place::Anywhere, None) => database.delete(txn, key).map(|_| ()),
            (Place::Behind, Some(value)) => database.put_with_flags(txn, PutFlags::APPEND, key, value),
            (Place::Behind, None) => Ok(()),
        };
        self.escaped = room;
        written
    }

    pub(super) fn commit(&mut self) -> Result<(), heed::Error> {
        self.left = self.rows_max;
        self.txn.take().map_or(Ok(()), RwTxn::commit)
    }
}

/// LMDB has no empty key. A key that is empty or begins with a zero gets one more zero in front, which keeps the order.
pub(super) fn escaped(key: &[u8]) -> Cow<'_, [u8]> {
    match key.first() {
        Some(1..) => Cow::Borrowed(key),
        _ => Cow::Owned([&[0], key].concat()),
    }
}

/// The same, in the room of another one.
fn escaped_into<'a>(key: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    if let Some(1..) = key.first() {
        return key;
    }
    room.clear();
    room.push(0);
    room.extend_from_slice(key);
    room
}

pub(super) fn plain(key: &[u8]) -> &[u8] {
    key.strip_prefix(&[0]).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_keys_keep_their_order_and_read_back() {
        let keys: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\0\x01", b"\x01", b"\x01\0", b"a"];
        for pair in keys.windows(2) {
            assert!(escaped(pair[0]) < escaped(pair[1]), "{pair:?}");
        }
        for key in keys {
            assert!(!escaped(key).is_empty());
            assert_eq!(plain(&escaped(key)), key);
        }
    }
}
