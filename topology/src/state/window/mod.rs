//! The window store: values by key and window start, kept for a time and dropped in segments. Owns expiry, by the
//! store's own observed time; must not know which windows there are or when they close.

mod durable;
mod read;

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;

use super::cache::{Below, Cache, CacheLimits};
use super::codec::Codec;
use super::entry::{Dirty, Entry};
use super::error::StoreError;
use super::overlay::Layer;
use super::schema::window::{Retention, suffix};
use crate::time::Timestamp;

const OBSERVED: &str = "observed";
const SEQUENCE: &str = "sequence";

/// A change of one window: see [`Dirty`].
///
/// ```
/// # use {candlewick::*, std::time::Duration};
/// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
/// # let builder = StreamsBuilder::new();
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
/// # windows.count(Materialized::named("s").retention(kept));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
/// let (key, start, now) = ("BTC".to_owned(), Timestamp(0), Timestamp(7));
/// store.put(key.clone(), start, 1, now)?;
/// let mut changes: Vec<DirtyWindow<String, i64>> = Vec::new();
/// store.take_dirty(&mut changes)?;
/// let change = Dirty { key: (key, start), old: None, new: Some(Entry::new(1, now)), timestamp: now };
/// assert_eq!(changes, [change]);
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub type DirtyWindow<K, V> = Dirty<(K, Timestamp), V>;

/// A store of one value a key and window start (or several, in order of arrival, when it retains duplicates).
///
/// Its time is the newest window start it was given. Windows that start at or before that time minus the retention are
/// gone: reads do not see them, changes to them do nothing and are counted.
///
/// ```
/// use candlewick::{Entry, Timestamp};
/// # use {candlewick::*, std::time::Duration};
/// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
/// # let builder = StreamsBuilder::new();
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
/// # windows.count(Materialized::named("s").retention(kept));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
/// // Windows of 10 ms, kept for 60.
/// let (key, first) = ("BTC".to_owned(), Timestamp(0));
/// store.put(key.clone(), first, 1, Timestamp(7))?;
/// assert_eq!(store.get(&key, first)?, Some(&Entry::new(1, Timestamp(7))));
/// store.put(key.clone(), Timestamp(100), 1, Timestamp(107))?;
/// assert_eq!(store.get(&key, first)?, None);
/// assert_eq!(store.observed_time(), Timestamp(100));
/// store.put(key.clone(), first, 2, Timestamp(8))?;
/// assert_eq!(store.expired_count(), 1);
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct WindowStore<K, V> {
    cache: Cache<WindowKey<K>, V>,
    codec: Codec<K, V>,
    layer: Layer,
    retention: Retention,
    observed: Timestamp,
    sequence: i32,
    /// Observed time and sequence number as the engine has them.
    committed: (Timestamp, i32),
    expired: u64,
    segments: Vec<i64>,
    /// Scratch: the bytes of a key or row.
    bytes: Vec<u8>,
}

struct WindowKey<K> {
    key: K,
    start: Timestamp,
    sequence: i32,
}

#[inline]
fn hash_window<K: Hash>(key: &K, start: Timestamp, sequence: i32) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    key.hash(&mut hasher);
    hasher.write_u64(start.0.cast_unsigned() ^ (u64::from(sequence.cast_unsigned()) << 33));
    hasher.finish()
}

fn hash_slot<K: Hash>(slot: &WindowKey<K>) -> u64 {
    hash_window(&slot.key, slot.start, slot.sequence)
}

impl<K, V> WindowStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(
        codec: Codec<K, V>,
        layer: Layer,
        limits: CacheLimits,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            cache: Cache::new(limits, hash_slot::<K>),
            codec,
            layer,
            retention,
            observed: Timestamp::UNKNOWN,
            sequence: 0,
            committed: (Timestamp::UNKNOWN, 0),
            expired: 0,
            segments: Vec::new(),
            bytes: Vec::new(),
        };
        store.read_marks()?;
        Ok(store)
    }

    fn read_marks(&mut self) -> Result<(), StoreError> {
        self.observed = self.layer.mark(OBSERVED)?.map_or(Timestamp::UNKNOWN, Timestamp);
        self.sequence = self.layer.mark(SEQUENCE)?.and_then(|s| i32::try_from(s).ok()).unwrap_or(0);
        self.committed = (self.observed, self.sequence);
        Ok(())
    }

    /// The store's name.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(store.name(), "s");
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.layer.store
    }

    /// Whether [`take_dirty`](Self::take_dirty) brings old values; set it before the first change.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// store.capture_old(true);
    /// let mut changes = Vec::new();
    /// for number in [10, 7] {
    ///     store.put("BTC".to_owned(), Timestamp(0), number, Timestamp(1))?;
    ///     store.take_dirty(&mut changes)?;
    /// }
    /// assert_eq!(changes[1].old, Some(Entry::new(10, Timestamp(1))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn capture_old(&mut self, capture: bool) {
        self.cache.capture_old(capture);
    }

    /// How many changes came too late and were dropped.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// // Windows are kept for 60 ms.
    /// for start in [100, 0] {
    ///     store.put("BTC".to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// assert_eq!(store.expired_count(), 1);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub const fn expired_count(&self) -> u64 {
        self.expired
    }

    /// The newest window start this store was given.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// for start in [20, 10] {
    ///     store.put("BTC".to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// assert_eq!(store.observed_time(), Timestamp(20));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub const fn observed_time(&self) -> Timestamp {
        self.observed
    }

    /// Advances the store's time; whether a change at `start` comes too late.
    #[inline]
    fn refuses(&mut self, start: Timestamp) -> bool {
        self.observed = self.observed.max(start);
        let refused = self.retention.is_expired(start, self.observed);
        self.expired += u64::from(refused);
        refused
    }

    #[inline]
    fn resident(&mut self, key: &K, start: Timestamp) -> Result<usize, StoreError> {
        let hash = hash_window(key, start, 0);
        match self.cache.find(hash, |k| k.start == start && k.sequence == 0 && k.key == *key) {
            Some(bucket) => Ok(bucket),
            None => self.load(hash, key, start),
        }
    }

    #[cold]
    fn load(&mut self, hash: u64, key: &K, start: Timestamp) -> Result<usize, StoreError> {
        self.make_room()?;
        self.bytes.clear();
        self.codec.append_key(key, &mut self.bytes)?;
        self.bytes.extend_from_slice(&suffix(start, 0));
        let (codec, segment, row) = (&self.codec, self.retention.segment(start), &self.bytes);
        let entry = self.layer.get(segment, row, |value| value.map(|bytes| codec.read(bytes)).transpose())?;
        let key = WindowKey { key: key.clone(), start, sequence: 0 };
        Ok(self.cache.insert_read(hash, key, entry))
    }

    /// The entry of a key and window start.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, start) = ("BTC".to_owned(), Timestamp(10));
    /// store.put(key.clone(), start, 1, Timestamp(17))?;
    /// assert_eq!(store.get(&key, start)?, Some(&Entry::new(1, Timestamp(17))));
    /// assert_eq!(store.get(&key, Timestamp(0))?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn get(&mut self, key: &K, start: Timestamp) -> Result<Option<&Entry<V>>, StoreError> {
        if self.retention.is_expired(start, self.observed) {
            return Ok(None);
        }
        let bucket = self.resident(key, start)?;
        Ok(self.cache.entry(bucket))
    }

    /// As [`get`](Self::get), but also of a window that is expired and was not dropped yet.
    pub(crate) fn get_closing(&mut self, key: &K, start: Timestamp) -> Result<Option<&Entry<V>>, StoreError> {
        let bucket = self.resident(key, start)?;
        Ok(self.cache.entry(bucket))
    }

    /// Puts a value; does nothing when the window is expired.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, start) = ("BTC".to_owned(), Timestamp(10));
    /// for count in [1, 2] {
    ///     store.put(key.clone(), start, count, Timestamp(10 + count))?;
    /// }
    /// assert_eq!(store.get(&key, start)?, Some(&Entry::new(2, Timestamp(12))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn put(
        &mut self,
        key: K,
        start: Timestamp,
        value: V,
        timestamp: Timestamp,
    ) -> Result<(), StoreError> {
        if self.refuses(start) {
            return Ok(());
        }
        let hash = hash_window(&key, start, 0);
        let bucket = match self.cache.find(hash, |k| k.start == start && k.sequence == 0 && k.key == key) {
            Some(bucket) => bucket,
            None if self.cache.captures_old() => self.load(hash, &key, start)?,
            None => {
                self.make_room()?;
                self.cache.insert(hash, WindowKey { key, start, sequence: 0 }, None, Below::Unknown)
            }
        };
        self.cache.change(bucket, timestamp, |entry| *entry = Some(Entry { value, timestamp }));
        Ok(())
    }

    /// Adds a value beside those already there for this key and start, as Kafka's stores of stream-stream joins do.
    /// Read them with [`fetch`](Self::fetch); does nothing when the window is expired. They pass the cache by: nothing
    /// looks one of them up.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, start) = ("BTC".to_owned(), Timestamp(10));
    /// for number in [7, 8] {
    ///     store.append(&key, start, &Entry::new(number, Timestamp(10)))?;
    /// }
    /// let mut found = Vec::new();
    /// store.fetch(&key, start, start, &mut found)?;
    /// let numbers: Vec<i64> = found.iter().map(|(_, entry)| entry.value).collect();
    /// assert_eq!(numbers, [7, 8]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key or value cannot be written.
    pub fn append(&mut self, key: &K, start: Timestamp, entry: &Entry<V>) -> Result<(), StoreError> {
        self.skip();
        if self.refuses(start) {
            return Ok(());
        }
        let (row, value) = self.codec.row(key, &suffix(start, self.sequence), Some(entry))?;
        self.layer.stage(self.retention.segment(start), row, value, entry.timestamp)
    }

    /// Counts a record that has no value to be added: Kafka's stores number it too.
    pub(crate) fn skip(&mut self) {
        self.sequence = self.sequence.checked_add(1).unwrap_or(0);
    }

    /// Deletes a window of a key and returns what was there.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, start) = ("BTC".to_owned(), Timestamp(10));
    /// store.put(key.clone(), start, 1, Timestamp(17))?;
    /// assert_eq!(store.delete(&key, start, Timestamp(18))?, Some(Entry::new(1, Timestamp(17))));
    /// assert_eq!(store.get(&key, start)?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn delete(
        &mut self,
        key: &K,
        start: Timestamp,
        timestamp: Timestamp,
    ) -> Result<Option<Entry<V>>, StoreError> {
        self.update(key, start, timestamp, Option::take)
    }

    /// Lets `f` change the entry of a key and window start in place: the hot path, one look-up and no allocation for a
    /// cached window. `None` after `f` is a deletion, as of `timestamp`. For an expired window `f` works on nothing, and
    /// what it leaves is dropped and counted.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, start) = ("BTC".to_owned(), Timestamp(0));
    /// store.update(&key, start, Timestamp(7), |entry| *entry = Some(Entry::new(1, Timestamp(7))))?;
    /// assert_eq!(store.delete(&key, start, Timestamp(8))?, Some(Entry::new(1, Timestamp(7))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    #[inline]
    pub fn update<R>(
        &mut self,
        key: &K,
        start: Timestamp,
        timestamp: Timestamp,
        f: impl FnOnce(&mut Option<Entry<V>>) -> R,
    ) -> Result<R, StoreError> {
        if self.refuses(start) {
            return Ok(f(&mut None));
        }
        let hash = hash_window(key, start, 0);
        let same = |k: &WindowKey<K>| k.start == start && k.sequence == 0 && k.key == *key;
        match self.cache.change_hot(hash, timestamp, same, f) {
            Ok(answer) => Ok(answer),
            Err(f) => {
                let bucket = self.resident(key, start)?;
                Ok(self.cache.change(bucket, timestamp, f))
            }
        }
    }

    /// About how many windows there are.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// for start in [0, 10] {
    ///     store.put("BTC".to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// assert_eq!(store.approximate_len()?, 2);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails.
    pub fn approximate_len(&self) -> Result<usize, StoreError> {
        Ok(self.layer.approximate_len()? + self.cache.dirty_len())
    }
}

impl<K, V> std::fmt::Debug for WindowStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WindowStore({})", self.layer.store)
    }
}
