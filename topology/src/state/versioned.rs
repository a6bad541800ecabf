//! The versioned store: every version of each key's value for as long as the history goes back, and the latest one for
//! ever. Owns which version holds when; must not know tables.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Bound;

use super::StateStore;
use super::codec::Codec;
use super::engine::Batch;
use super::entry::Entry;
use super::error::StoreError;
use super::overlay::{Layer, Log, WHOLE, mark_name};
use crate::record::RecordRun;
use crate::time::Timestamp;

const OBSERVED: &str = "observed";

/// Bytes behind the key of a row: the time since which its version holds.
pub(super) const SUFFIX_BYTES: usize = 8;

/// What became of a version that was put.
///
/// ```
/// use candlewick::{Put, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
/// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
/// // Versions are kept for 100 ms.
/// let key = "BTC".to_owned();
/// store.put(&key, Some(100), Timestamp(500))?;
/// assert_eq!(store.put(&key, Some(90), Timestamp(300))?, Put::TooLate);
/// # Ok(())
/// # }).expect("in memory");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is the key's latest version.
    Latest,
    /// It holds until this time, at which another version that was there begins.
    Until(Timestamp),
    /// It is older than the history goes back, and was not put.
    TooLate,
}

/// A change that the changelog has not seen; key and value lie in the log's bytes.
struct Unlogged {
    key: usize,
    value: Option<usize>,
    time: Timestamp,
}

/// A store of all versions of each key's value that are younger than its history, by the store's own time: the greatest
/// time it was given. Each version goes to the changelog, in the order in which they came.
///
/// ```
/// use candlewick::{Put, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
/// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
/// // Versions are kept for 100 ms.
/// let key = "BTC".to_owned();
/// assert_eq!(store.put(&key, Some(100), Timestamp(10))?, Put::Latest);
/// assert_eq!(store.put(&key, Some(130), Timestamp(30))?, Put::Latest);
/// // One that comes late holds until the next one begins.
/// assert_eq!(store.put(&key, Some(120), Timestamp(20))?, Put::Until(Timestamp(30)));
/// assert_eq!(store.get_as_of(&key, Timestamp(25))?.map(|entry| entry.value), Some(120));
/// assert_eq!(store.get(&key)?.map(|entry| entry.value), Some(130));
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct VersionedStore<K, V> {
    codec: Codec<K, V>,
    layer: Layer,
    history_ms: i64,
    observed: Timestamp,
    committed: Timestamp,
    log: Vec<u8>,
    unlogged: Vec<Unlogged>,
    /// Scratch: the bytes of the key in question.
    key: Vec<u8>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> VersionedStore<K, V>
where
    K: Send + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(codec: Codec<K, V>, layer: Layer, history_ms: i64) -> Result<Self, StoreError> {
        let mut store = Self {
            codec,
            layer,
            history_ms,
            observed: Timestamp::UNKNOWN,
            committed: Timestamp::UNKNOWN,
            log: Vec::new(),
            unlogged: Vec::new(),
            key: Vec::new(),
            types: PhantomData,
        };
        store.read_marks()?;
        Ok(store)
    }

    fn read_marks(&mut self) -> Result<(), StoreError> {
        self.observed = self.layer.mark(OBSERVED)?.map_or(Timestamp::UNKNOWN, Timestamp);
        self.committed = self.observed;
        Ok(())
    }

    /// The store's name.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(store.name(), "s");
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.layer.store
    }

    /// Since when the history is complete; what was put before may be forgotten.
    fn horizon(&self) -> Timestamp {
        self.observed.minus_millis(self.history_ms)
    }

    /// Puts a version that holds from `time`; `None` ends the one before. A version of the same time takes its place.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// assert_eq!(store.put(&key, Some(100), Timestamp(200))?, Put::Latest);
    /// // Versions are kept for 100 ms.
    /// assert_eq!(store.put(&key, Some(90), Timestamp(50))?, Put::TooLate);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key or value cannot be written, or the engine fails.
    pub fn put(&mut self, key: &K, value: Option<V>, time: Timestamp) -> Result<Put, StoreError> {
        if time < self.horizon() {
            return Ok(Put::TooLate);
        }
        self.observed = self.observed.max(time);
        let entry = value.map(|value| Entry { value, timestamp: time });
        let (row, value) = self.codec.row(key, &time.0.to_be_bytes(), entry.as_ref())?;
        let key_len = row.len() - SUFFIX_BYTES;
        self.key.clear();
        self.key.extend_from_slice(&row[..key_len]);
        let (value_at, bytes) = (self.log.len() + key_len, value.map(|value| &value[SUFFIX_BYTES..]));
        let unlogged = Unlogged { key: self.log.len(), value: bytes.map(|_| value_at), time };
        self.log.extend_from_slice(&row[..key_len]);
        self.log.extend_from_slice(bytes.unwrap_or_default());
        self.unlogged.push(unlogged);
        // A deletion is a version too: a row without value behind its time.
        let gone = time.0.to_be_bytes();
        self.layer.stage(WHOLE, row, Some(value.unwrap_or(&gone[..0])), time)?;
        let until = self.next_version(time)?;
        self.forget()?;
        Ok(until.map_or(Put::Latest, Put::Until))
    }

    /// Visits the versions of the key in question that begin in `from..=to`, or the latest first, until `visit` answers
    /// `false`: the time since when it holds, and its value's bytes.
    fn scan(
        &self,
        (from, to): (Timestamp, Timestamp),
        reverse: bool,
        mut visit: impl FnMut(&Codec<K, V>, Timestamp, &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let (first, last) = (from.0.to_be_bytes(), to.0.to_be_bytes());
        let bounds = (Bound::Included(&first[..]), Bound::Included(&last[..]));
        self.layer.scan_key(WHOLE, &self.key, bounds, reverse, &mut |since, value| {
            let since = since.try_into().map(i64::from_be_bytes);
            since.map_or(Ok(true), |since| visit(&self.codec, Timestamp(since), value))
        })
    }

    /// Puts a key's bytes into the scratch.
    fn begin(&mut self, key: &K) -> Result<(), StoreError> {
        self.key.clear();
        self.codec.append_key(key, &mut self.key)
    }

    /// The time of the first version behind `time` of the key in the scratch.
    fn next_version(&mut self, time: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let mut next = None;
        self.scan((time.plus_millis(1), Timestamp(i64::MAX)), false, |_, time, _| {
            next = Some(time);
            Ok(false)
        })?;
        Ok(next)
    }

    /// Removes the versions of the key in the scratch that ended before the history begins.
    fn forget(&mut self) -> Result<(), StoreError> {
        let horizon = self.horizon();
        if horizon.0 < 0 {
            return Ok(());
        }
        let (mut gone, mut held) = (Vec::new(), false);
        self.scan((Timestamp(0), horizon), true, |_, since, _| {
            // The first one still holds when the history begins.
            if held {
                gone.push(since);
            }
            held = true;
            Ok(true)
        })?;
        let (layer, key) = (&mut self.layer, &mut self.key);
        let key_len = key.len();
        gone.iter().try_for_each(|since| {
            key.truncate(key_len);
            key.extend_from_slice(&since.0.to_be_bytes());
            layer.stage(WHOLE, key, None, horizon)
        })
    }

    /// The latest version of a key; `None` when it was deleted.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// store.put(&key, Some(100), Timestamp(10))?;
    /// assert_eq!(store.get(&key)?, Some(Entry::new(100, Timestamp(10))));
    /// store.put(&key, None, Timestamp(20))?;
    /// assert_eq!(store.get(&key)?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key cannot be written, or the engine fails or its bytes are not a value.
    pub fn get(&mut self, key: &K) -> Result<Option<Entry<V>>, StoreError> {
        self.find(key, Timestamp(i64::MAX))
    }

    /// The version of a key that held at `time`. Of times before the history begins only the latest version is known.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use candlewick::{Consumed, Context, ProcessError, Processor, Record, StreamsBuilder, TopologyTestDriver};
    /// # use candlewick::{I64Serde, StoreError, Stores, StringSerde, VersionedStore};
    /// # use std::time::Duration;
    /// # let builder = StreamsBuilder::new();
    /// # builder.add_store(Stores::versioned::<String, i64>("s", StringSerde, I64Serde, Duration::from_secs(3_600)));
    /// # builder.stream("in", Consumed::<String, String>::default()).process::<String, String, _>(&["s"], |_| Idle);
    /// # struct Idle;
    /// # impl Processor<String, String, String, String> for Idle {
    /// #     fn process(&mut self, _: Record<String, String>, _: &mut Context<'_, String, String>) -> Result<(), ProcessError> { Ok(()) }
    /// # }
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store::<VersionedStore<String, i64>, _>("s", |store| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// store.put(&key, Some(100), Timestamp(10))?;
    /// store.put(&key, Some(120), Timestamp(20))?;
    /// store.put(&key, None, Timestamp(30))?;
    /// let price = store.get_as_of(&key, Timestamp(25))?.map(|entry| entry.value);
    /// assert_eq!(price, Some(120));
    /// assert_eq!(store.get_as_of(&key, Timestamp(5))?, None);
    /// assert_eq!(store.get(&key)?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as_of(&mut self, key: &K, time: Timestamp) -> Result<Option<Entry<V>>, StoreError> {
        if time >= self.horizon() {
            return self.find(key, time);
        }
        Ok(self.get(key)?.filter(|latest| latest.timestamp <= time))
    }

    fn find(&mut self, key: &K, time: Timestamp) -> Result<Option<Entry<V>>, StoreError> {
        if time.0 < 0 {
            return Ok(None);
        }
        self.begin(key)?;
        let mut entry = None;
        self.scan((Timestamp(0), time), true, |codec, _, value| {
            if !value.is_empty() {
                entry = Some(codec.read(value)?);
            }
            Ok(false)
        })?;
        Ok(entry)
    }

    /// Appends the versions of a key that hold anywhere in `from..=to` to `out`, the oldest first: since when each holds,
    /// and its value, `None` where it was deleted.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("s").versioned(std::time::Duration::from_millis(100)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut VersionedStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// store.put(&key, Some(100), Timestamp(10))?;
    /// store.put(&key, Some(120), Timestamp(20))?;
    /// store.put(&key, None, Timestamp(30))?;
    /// let mut found = Vec::new();
    /// store.versions(&key, Timestamp(15), Timestamp(30), &mut found)?;
    /// // The first one began before 15 and still held then.
    /// assert_eq!(found, [(Timestamp(10), Some(100)), (Timestamp(20), Some(120)), (Timestamp(30), None)]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn versions(
        &mut self,
        key: &K,
        from: Timestamp,
        to: Timestamp,
        out: &mut Vec<(Timestamp, Option<V>)>,
    ) -> Result<(), StoreError> {
        let first = self.get_as_of(key, from)?.map_or(from, |entry| entry.timestamp);
        self.begin(key)?;
        self.scan((first.max(Timestamp(0)), to), false, |codec, time, value| {
            out.push((time, if value.is_empty() { None } else { Some(codec.read(value)?.value) }));
            Ok(true)
        })
    }
}

impl<K, V> StateStore for VersionedStore<K, V>
where
    K: Send + 'static,
    V: Clone + Send + 'static,
{
    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn layer_mut(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn drain_log(&mut self, log: &mut Log<'_>) {
        // The changelog has every version under its plain key, in order; not the rows, which hold the time too.
        self.layer.drain_log(&mut |_, _, _| ());
        let ends = self.unlogged.iter().skip(1).map(|next| next.key).chain([self.log.len()]);
        for (change, end) in self.unlogged.iter().zip(ends) {
            let key = &self.log[change.key..change.value.unwrap_or(end)];
            log(key, change.value.map(|at| &self.log[at..end]), change.time);
        }
        self.unlogged.clear();
        self.log.clear();
    }

    fn is_flushed(&self) -> bool {
        self.unlogged.is_empty() && !self.layer.has_unlogged()
    }

    fn is_committed(&self) -> bool {
        self.layer.bytes() == 0 && self.committed == self.observed
    }

    fn add_to<'a>(&'a mut self, batch: &mut Batch<'a>) {
        batch.marks.push((mark_name(OBSERVED, &self.layer.store), self.observed.0));
        self.layer.add_to(WHOLE, batch);
    }

    fn committed(&mut self) -> Result<(), StoreError> {
        self.layer.clear();
        self.committed = self.observed;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.unlogged.clear();
        self.log.clear();
        self.layer.clear();
        self.read_marks()
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        let mut row = Vec::new();
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            // A table's own topic also holds what the table has refused as too late.
            if record.timestamp < self.horizon() {
                continue;
            }
            self.observed = self.observed.max(record.timestamp);
            let time = record.timestamp.0.to_be_bytes();
            row.clear();
            row.extend_from_slice(key);
            row.extend_from_slice(&time);
            match record.value {
                Some(value) => self.layer.restored(WHOLE).push(&row, &time, Some(value)),
                None => self.layer.restored(WHOLE).push(&row, &[], Some(&[])),
            }
        }
        Ok(())
    }

    fn write_restored(&mut self, mut marks: Vec<(String, i64)>) -> Result<(), StoreError> {
        marks.push((mark_name(OBSERVED, &self.layer.store), self.observed.0));
        self.layer.write_restored(WHOLE, marks)?;
        self.committed = self.observed;
        Ok(())
    }
}

impl<K, V> std::fmt::Debug for VersionedStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VersionedStore({})", self.layer.store)
    }
}
