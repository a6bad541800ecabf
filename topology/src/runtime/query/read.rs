//! The reads that each kind of store has. Owns what a row becomes; who is asked for it stands in `route`.

use super::ask::{Answer, Keys, Page, Times};
use super::error::QueryError;
use super::store::StoreQuery;
use crate::state::{Entry, KeyValueStore, Session, SessionStore, VersionedStore, WindowStore};
use crate::time::Timestamp;

impl<K: 'static, V: 'static> StoreQuery<KeyValueStore<K, V>> {
    /// The value of a key.
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (Timestamp(0), Timestamp(0)))
    }

    /// The values of many keys.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn range(&self, keys: Keys<K>) -> Result<Page<(K, Entry<V>)>, QueryError> {
        self.page(&keys, Times::all(), |key, _, _, value| Ok((key, self.codec.read(value)?)))
    }
}

impl<K: 'static, V: 'static> StoreQuery<WindowStore<K, V>> {
    /// The value of the window of a key that starts at `start`.
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (start, start))
    }

    /// The windows of these keys that start in these times, each with its start; those that have expired are left out.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, starts: Times) -> Result<Page<(K, Timestamp, Entry<V>)>, QueryError> {
        self.page(&keys, starts, |key, start, _, value| Ok((key, start, self.codec.read(value)?)))
    }
}

impl<K: 'static, V: 'static> StoreQuery<SessionStore<K, V>> {
    /// The value of a key's session.
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K, session: Session) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (session.start, session.end))
    }

    /// The sessions of these keys that were open at any of these times; those that have expired are left out.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, times: Times) -> Result<Page<(K, Session, Entry<V>)>, QueryError> {
        self.page(&keys, times, |key, start, end, value| {
            Ok((key, Session { start, end }, self.codec.read(value)?))
        })
    }
}

impl<K: 'static, V: 'static> StoreQuery<VersionedStore<K, V>> {
    /// The latest version of a key; `None` when it was deleted.
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.get_as_of(key, Timestamp(i64::MAX))
    }

    /// The version of a key that held at `time`. Of times before the history begins only the latest version is known.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as_of(&self, key: &K, time: Timestamp) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (time, time))
    }

    /// The versions of these keys that begin in these times, deletions too: since when each holds, and its value.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, since: Times) -> Result<Page<(K, Timestamp, Option<V>)>, QueryError> {
        self.page(&keys, since, |key, since, _, value| {
            let value = if value.is_empty() { None } else { Some(self.codec.read(value)?.value) };
            Ok((key, since, value))
        })
    }
}
