//! What stores hold and what a flush brings. Owns the two plain types; knows time only.

use crate::time::Timestamp;

/// A value with its timestamp. All stores keep the timestamp of each value, as Kafka's timestamped stores do.
///
/// ```
/// use candlewick::{Entry, Timestamp};
/// let entry = Entry { value: 7, timestamp: Timestamp(1) };
/// assert_eq!(entry, Entry::new(7, Timestamp(1)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry<V> {
    /// The value.
    pub value: V,
    /// Its event time.
    pub timestamp: Timestamp,
}

impl<V> Entry<V> {
    /// `value` as of `timestamp`.
    ///
    /// ```
    /// use candlewick::{Entry, Timestamp};
    /// assert_eq!(Entry::new(7, Timestamp(1)).value, 7);
    /// ```
    #[must_use]
    pub const fn new(value: V, timestamp: Timestamp) -> Self {
        Self { value, timestamp }
    }
}

/// A change that a flush brings: one per key, however often the key changed since the last flush.
///
/// ```
/// use candlewick::{Dirty, Entry, Timestamp};
/// let deleted = Dirty { key: "ada", old: Some(Entry::new(7, Timestamp(1))), new: None, timestamp: Timestamp(2) };
/// assert!(deleted.new.is_none() && deleted.old.is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirty<K, V> {
    /// The key.
    pub key: K,
    /// What was there before the first change since the last flush; `None` when the store was not told to capture it.
    pub old: Option<Entry<V>>,
    /// What is there now; `None` is a deletion.
    pub new: Option<Entry<V>>,
    /// The time of the newest change, also for a deletion.
    pub timestamp: Timestamp,
}
