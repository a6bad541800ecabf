//! What is asked of a store and what comes back: keys, times, pages, positions. Plain data; reads nothing.

use std::collections::BTreeMap;

use crate::record::TaskId;
use crate::state::{Codec, KeyBytes, StoreError, Wanted};
use crate::time::Timestamp;

/// Rows of a page that asked for no number.
const LIMIT_DEFAULT: usize = 1_000;

/// Which keys are asked for, in which order, and how many rows of them at once. Keys are ordered by their bytes, as their
/// serde writes them: numbers of one sign by size, text alphabetically.
///
/// ```
/// use candlewick::Keys;
/// let last_ten = Keys::between("a".to_string(), "m".to_string()).reverse().limit(10);
/// # let _ = last_ten;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Keys<K> {
    which: Which<K>,
    reverse: bool,
    limit: usize,
    after: Option<Cursor>,
}

#[derive(Clone, Debug)]
enum Which<K> {
    One(K),
    Prefix(Vec<u8>),
    Between(Option<K>, Option<K>),
}

impl<K> Keys<K> {
    fn new(which: Which<K>) -> Self {
        Self { which, reverse: false, limit: LIMIT_DEFAULT, after: None }
    }

    /// All keys.
    pub fn all() -> Self {
        Self::new(Which::Between(None, None))
    }

    /// One key: of use where it has many rows, in stores of windows, sessions and versions.
    pub fn one(key: K) -> Self {
        Self::new(Which::One(key))
    }

    /// This key and those behind it.
    pub fn from(key: K) -> Self {
        Self::new(Which::Between(Some(key), None))
    }

    /// The keys up to this one, which is included.
    pub fn to(key: K) -> Self {
        Self::new(Which::Between(None, Some(key)))
    }

    /// The keys between these, both included.
    pub fn between(from: K, to: K) -> Self {
        Self::new(Which::Between(Some(from), Some(to)))
    }

    /// The keys whose bytes begin so.
    pub fn prefix(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Which::Prefix(bytes.into()))
    }

    /// The last ones first.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most this many rows in one page; 1,000 unless told. Less than one is one.
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }

    /// Goes on behind a page: what is asked for stays the same otherwise.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    pub(super) fn limit_of(&self) -> usize {
        self.limit.max(1)
    }

    /// The same in bytes.
    pub(super) fn wanted<V: 'static>(&self, codec: &Codec<K, V>, times: Times) -> Result<Wanted, StoreError>
    where
        K: 'static,
    {
        let bytes = |key: &K| {
            let mut out = Vec::new();
            codec.append_key(key, &mut out).map(|()| out)
        };
        let keys = match &self.which {
            Which::One(key) => KeyBytes::One(bytes(key)?),
            Which::Prefix(prefix) => KeyBytes::Prefix(prefix.clone()),
            Which::Between(from, to) => {
                KeyBytes::Between(from.as_ref().map(bytes).transpose()?, to.as_ref().map(bytes).transpose()?)
            }
        };
        Ok(Wanted {
            keys,
            times: (times.from, times.to),
            after: self.after.as_ref().map(|cursor| cursor.0.to_vec()),
            reverse: self.reverse,
            limit: self.limit_of(),
        })
    }
}

/// Which times are asked for, both ends included: of windows when they start, of sessions any moment between their first
/// and last record, of versions since when they hold.
///
/// ```
/// use candlewick::{Timestamp, Times};
/// let morning = Times::between(Timestamp(6 * 3_600_000), Timestamp(12 * 3_600_000));
/// # let _ = (morning, Times::all(), Times::from(Timestamp(0)), Times::to(Timestamp(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Times {
    /// All there is.
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Timestamp(0), to: Timestamp(i64::MAX) }
    }

    /// From then on.
    #[must_use]
    pub const fn from(from: Timestamp) -> Self {
        Self { from, ..Self::all() }
    }

    /// Until then.
    #[must_use]
    pub const fn to(to: Timestamp) -> Self {
        Self { to, ..Self::all() }
    }

    /// Between the two.
    #[must_use]
    pub const fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }
}

/// A place between two rows, to go on from: the bytes of the row before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(super) Box<[u8]>);

impl Cursor {
    /// Its bytes, to be kept or sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Cursor {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// How far the state was that an answer comes from: for each task that was read the offset behind its store's changelog,
/// where it has one. Between two answers of one task with the same offset nothing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub(super) BTreeMap<TaskId, i64>);

impl Position {
    /// The changelog offset of a task.
    #[must_use]
    pub fn of(&self, task: TaskId) -> Option<i64> {
        self.0.get(&task).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (TaskId, i64)> {
        self.0.iter().map(|(task, offset)| (*task, *offset))
    }
}

/// What was found, and as of when.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// What was found.
    pub value: T,
    /// How far the state was.
    pub position: Position,
}

/// Rows of a range. Those of one task are as of one commit; between tasks, and between pages, there is no common moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, in the order of their keys' bytes and then of time.
    pub rows: Vec<T>,
    /// Where to go on: `None` when this was all. A page may be shorter than its limit and still not the last.
    pub next: Option<Cursor>,
    /// How far the state of each task was.
    pub position: Position,
    /// The tasks whose rows are missing, because other instances run them; with where those answer, if they say so.
    pub elsewhere: Vec<(TaskId, Option<String>)>,
    pub(super) cursors: Vec<Cursor>,
}

impl<T> Page<T> {
    /// The place behind each row. Cursors are ordered as rows are: pages of several instances can be merged by them.
    #[must_use]
    pub fn cursors(&self) -> &[Cursor] {
        &self.cursors
    }
}
