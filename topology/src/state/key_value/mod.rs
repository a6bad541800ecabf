//! The key-value store: a typed cache over bytes. Owns the order of the layers for one key; must not know processors.

mod durable;
mod read;

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

use super::StateStore;
use super::cache::{Below, Cache, CacheLimits};
use super::codec::Codec;
use super::entry::{Dirty, Entry};
use super::error::StoreError;
use super::overlay::{Layer, WHOLE};
use super::staging;
use crate::time::Timestamp;

/// A store of one value a key. Reads see every change at once; the engine and the changelog see them at commit.
///
/// ```
/// use candlewick::{Entry, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # let numbers = Consumed::<String, Option<i64>>::default();
/// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
/// let (ada, grace) = ("ada".to_owned(), "grace".to_owned());
/// store.put(ada.clone(), 10, Timestamp(1))?;
/// store.put(grace.clone(), 5, Timestamp(2))?;
/// assert_eq!(store.get(&ada)?, Some(&Entry::new(10, Timestamp(1))));
/// assert_eq!(store.delete(&grace, Timestamp(3))?, Some(Entry::new(5, Timestamp(2))));
/// assert_eq!(store.get(&grace)?, None);
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct KeyValueStore<K, V> {
    cache: Cache<K, V>,
    codec: Codec<K, V>,
    layer: Layer,
    /// The key of a row that is looked for below.
    bytes: Vec<u8>,
    /// What was found there last and has no place in the cache.
    read: Option<Entry<V>>,
}

#[inline]
fn hash_of<K: Hash>(key: &K) -> u64 {
    FixedState::default().hash_one(key)
}

impl<K, V> KeyValueStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(codec: Codec<K, V>, layer: Layer, limits: CacheLimits) -> Self {
        Self { cache: Cache::new(limits, hash_of::<K>), codec, layer, bytes: Vec::new(), read: None }
    }

    /// The store's name.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
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
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// store.capture_old(true);
    /// let mut changes = Vec::new();
    /// for number in [10, 7] {
    ///     store.put("ada".to_owned(), number, Timestamp(1))?;
    ///     store.take_dirty(&mut changes)?;
    /// }
    /// assert_eq!(changes[1].old, Some(Entry::new(10, Timestamp(1))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn capture_old(&mut self, capture: bool) {
        self.cache.capture_old(capture);
    }

    #[inline]
    fn resident(&mut self, key: &K) -> Result<usize, StoreError> {
        let hash = hash_of(key);
        match self.cache.find(hash, |k| k == key) {
            Some(bucket) => Ok(bucket),
            None => self.load(hash, key),
        }
    }

    #[cold]
    fn load(&mut self, hash: u64, key: &K) -> Result<usize, StoreError> {
        self.make_room()?;
        let entry = self.read_below(key)?;
        Ok(self.cache.insert_read(hash, key.clone(), entry))
    }

    fn read_below(&mut self, key: &K) -> Result<Option<Entry<V>>, StoreError> {
        self.bytes.clear();
        self.codec.append_key(key, &mut self.bytes)?;
        let codec = &self.codec;
        self.layer.get(WHOLE, &self.bytes, |value| value.map(|bytes| codec.read(bytes)).transpose())
    }

    /// Where no node takes the changes, and the cache is full of them, they are put where the commit finds them.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if self.cache.is_full_of_changes() { self.settle() } else { Ok(()) }
    }

    /// The entry of a key.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// let ada = "ada".to_owned();
    /// assert_eq!(store.get(&ada)?, None);
    /// store.put(ada.clone(), 10, Timestamp(1))?;
    /// assert_eq!(store.get(&ada)?, Some(&Entry::new(10, Timestamp(1))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn get(&mut self, key: &K) -> Result<Option<&Entry<V>>, StoreError> {
        let hash = hash_of(key);
        let bucket = match self.cache.find(hash, |k| k == key) {
            Some(bucket) => bucket,
            None if self.cache.keeps_clean() => self.load(hash, key)?,
            None => {
                self.read = self.read_below(key)?;
                return Ok(self.read.as_ref());
            }
        };
        Ok(self.cache.entry(bucket))
    }

    /// Puts a value; what was there is not read unless old values are captured.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// let ada = "ada".to_owned();
    /// for (number, time) in [(10, Timestamp(1)), (7, Timestamp(2))] {
    ///     store.put(ada.clone(), number, time)?;
    /// }
    /// assert_eq!(store.get(&ada)?, Some(&Entry::new(7, Timestamp(2))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn put(&mut self, key: K, value: V, timestamp: Timestamp) -> Result<(), StoreError> {
        let hash = hash_of(&key);
        let bucket = match self.cache.find(hash, |k| *k == key) {
            Some(bucket) => bucket,
            None if self.cache.captures_old() => self.load(hash, &key)?,
            None => {
                self.make_room()?;
                self.cache.insert(hash, key, None, Below::Unknown)
            }
        };
        self.cache.change(bucket, timestamp, |entry| *entry = Some(Entry { value, timestamp }));
        Ok(())
    }

    /// Puts an entry, or a deletion, without reading what was there: for stores that capture no old values.
    pub(crate) fn replace(
        &mut self,
        key: &K,
        entry: Option<Entry<V>>,
        timestamp: Timestamp,
    ) -> Result<(), StoreError> {
        let hash = hash_of(key);
        let bucket = match self.cache.find(hash, |k| k == key) {
            Some(bucket) => bucket,
            None if self.cache.captures_old() || !self.cache.write_through() => self.load(hash, key)?,
            None => {
                self.make_room()?;
                self.cache.insert(hash, key.clone(), None, Below::Unknown)
            }
        };
        self.cache.change(bucket, timestamp, |slot| *slot = entry);
        Ok(())
    }

    /// Deletes a key and returns what was there.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// let ada = "ada".to_owned();
    /// store.put(ada.clone(), 10, Timestamp(1))?;
    /// assert_eq!(store.delete(&ada, Timestamp(2))?, Some(Entry::new(10, Timestamp(1))));
    /// assert_eq!(store.delete(&ada, Timestamp(3))?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn delete(&mut self, key: &K, timestamp: Timestamp) -> Result<Option<Entry<V>>, StoreError> {
        self.update(key, timestamp, Option::take)
    }

    /// Lets `f` change the entry of a key in place: the hot path, one look-up and no allocation for a cached key.
    /// `None` after `f` is a deletion, as of `timestamp`.
    ///
    /// ```
    /// use candlewick::{Entry, Timestamp};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, now) = ("apple".to_owned(), Timestamp(7));
    /// // Counts up in place.
    /// let mut count_up = |entry: &mut Option<Entry<i64>>| {
    ///     let entry = entry.get_or_insert(Entry::new(0, now));
    ///     entry.value += 1;
    ///     entry.value
    /// };
    /// assert_eq!(store.update(&key, now, &mut count_up)?, 1);
    /// assert_eq!(store.update(&key, now, &mut count_up)?, 2);
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
        timestamp: Timestamp,
        f: impl FnOnce(&mut Option<Entry<V>>) -> R,
    ) -> Result<R, StoreError> {
        let hash = hash_of(key);
        match self.cache.change_hot(hash, timestamp, |k| k == key, f) {
            Ok(answer) => Ok(answer),
            Err(f) => {
                let bucket = self.resident(key)?;
                Ok(self.cache.change(bucket, timestamp, f))
            }
        }
    }

    /// Serializes what changed into the overlay; the slots stay dirty.
    fn stage(&mut self) -> Result<(), StoreError> {
        staging::stage(&mut self.cache, &mut self.codec, &mut self.layer, |key| (key, [], WHOLE))
    }

    /// Appends what changed since the last call to `out`, one change a key, in the order in which the keys first changed.
    /// The values stay cached; their bytes wait for the changelog and the commit.
    ///
    /// ```
    /// use candlewick::{Dirty, Entry, Timestamp};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "ada".to_owned();
    /// store.put(key.clone(), 10, Timestamp(1))?;
    /// store.put(key.clone(), 7, Timestamp(2))?;
    /// let mut changes = Vec::new();
    /// store.take_dirty(&mut changes)?;
    /// let now = Timestamp(2);
    /// assert_eq!(changes, [Dirty { key, old: None, new: Some(Entry::new(7, now)), timestamp: now }]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When a key or value cannot be written.
    pub fn take_dirty(&mut self, out: &mut Vec<Dirty<K, V>>) -> Result<(), StoreError> {
        self.stage()?;
        out.reserve(self.cache.dirty_len());
        self.cache.settle(|slot, old| {
            let timestamp = slot.timestamp();
            out.push(Dirty { key: slot.key.clone(), old, new: slot.entry.clone(), timestamp });
        });
        Ok(())
    }

    /// Whether the owner should call [`take_dirty`](Self::take_dirty) after this record: the cache is full of changes,
    /// or the store has none.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s").without_cache());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of a store without a cache:
    /// assert!(!store.wants_flush());
    /// store.put("ada".to_owned(), 10, Timestamp(1))?;
    /// assert!(store.wants_flush());
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[inline]
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.cache.wants_flush()
    }

    /// About how many keys there are: changed keys may be counted twice, deleted ones once.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// store.put("ada".to_owned(), 10, Timestamp(1))?;
    /// assert_eq!(store.approximate_len()?, 1);
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

impl<K, V> std::fmt::Debug for KeyValueStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyValueStore({})", self.layer.store)
    }
}
