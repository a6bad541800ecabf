//! The buffer of records that a suppression holds back, ordered by buffer time and then key bytes, with the changelog
//! bytes of Kafka's time-ordered key-value change buffer. Owns order and weight; must not know when to let go.

mod durable;
mod held;

use std::ops::Bound;
use std::sync::Arc;

pub use self::held::{BufferStats, Buffered, ChangeSerde, Evicted};
use super::error::StoreError;
use super::overlay::{Layer, WHOLE};
use super::rows::{Place, RankedRows, RowBytes};
use super::schema::buffer::{self, RowToWrite};
use crate::serde::{Serde, SerdeError};
use crate::time::Timestamp;

struct Row<K, C> {
    key: K,
    record: Buffered<C>,
    prior: Option<RowBytes>,
    weight: usize,
    /// Whether the overlay has not seen it as it is.
    is_dirty: bool,
}

/// Held-back records, at most one a key. A record for a key already there takes the place and keeps the buffer time.
///
/// ```
/// use candlewick::{Buffered, Change, Headers, RecordMetadata, SuppressBuffer, Timestamp, TopicPartition};
/// # use {candlewick::*, std::time::Duration};
/// # let builder = StreamsBuilder::new();
/// # let numbers = Consumed::<String, Option<i64>>::default();
/// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
/// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
/// for (key, old, new, time) in [("b", None, 1, 1), ("a", None, 2, 2), ("b", Some(1), 3, 3)] {
///     let change = Change::new(old, Some(new));
///     let metadata = RecordMetadata { source: TopicPartition::new("in", 0), offset: time };
///     let timestamp = Timestamp(time);
///     let record = Buffered { change, timestamp, headers: Headers::default(), metadata };
///     buffer.put(timestamp, key.to_owned(), record)?;
/// }
/// assert_eq!((buffer.len()?, buffer.min_time()?), (2, Some(Timestamp(1))));
/// assert_eq!(buffer.prior(&"a".to_owned())?, Some(None), "there was no value before");
/// let mut out = Vec::new();
/// buffer.evict_while(|stats| stats.len > 1, &mut out)?;
/// // The newer change of b has the place of the older one.
/// assert_eq!((out[0].key.as_str(), &out[0].record.change), ("b", &Change::new(Some(1), Some(3))));
/// buffer.remove(&"a".to_owned())?;
/// assert_eq!(buffer.byte_len()?, 0);
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct SuppressBuffer<K, C> {
    key_serde: Arc<dyn Serde<K>>,
    change_serde: Arc<dyn ChangeSerde<C>>,
    topic: Arc<str>,
    layer: Layer,
    /// By key bytes, in order of buffer time.
    rows: RankedRows<Timestamp, Row<K, C>>,
    /// The rows that became dirty, and the keys of those that were taken out, since both were last staged.
    dirty: Vec<Place>,
    gone: Vec<RowBytes>,
    /// Whether rows are weighed as they come.
    weighs: bool,
    byte_len: usize,
    loaded: bool,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    key: Vec<u8>,
    old: Vec<u8>,
    new: Vec<u8>,
    row: Vec<u8>,
}

impl<K, C> SuppressBuffer<K, C>
where
    K: Clone + Send + 'static,
    C: Send + 'static,
{
    pub(crate) fn new(
        key_serde: Arc<dyn Serde<K>>,
        change_serde: Arc<dyn ChangeSerde<C>>,
        topic: Arc<str>,
        layer: Layer,
    ) -> Self {
        Self {
            key_serde,
            change_serde,
            topic,
            layer,
            rows: RankedRows::new(0),
            dirty: Vec::new(),
            gone: Vec::new(),
            weighs: true,
            byte_len: 0,
            loaded: false,
            scratch: Scratch::default(),
        }
    }

    /// The store's name.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// assert_eq!(buffer.name(), "calm-store");
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.layer.store
    }

    fn fault(&self, source: SerdeError) -> StoreError {
        StoreError::Serde { store: self.layer.store.clone(), source }
    }

    /// Buffers a record, to be let go in order of `time`. A key already there keeps its buffer time and its prior value.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// let at = |offset| RecordMetadata { source: TopicPartition::new("in", 0), offset };
    /// let (timestamp, change) = (Timestamp(4), Change::new(None, Some(4)));
    /// let record = Buffered { change, timestamp, headers: Headers::default(), metadata: at(3) };
    /// // Beside b at 1 and a at 2:
    /// buffer.put(timestamp, "c".to_owned(), record)?;
    /// assert_eq!(buffer.len()?, 3);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key or the change cannot be written, or what was committed cannot be read.
    pub fn put(&mut self, time: Timestamp, key: K, record: Buffered<C>) -> Result<(), StoreError> {
        self.load()?;
        self.serialize_key(&key)?;
        let weighed = if self.weighs { Some(self.serialize_change(&record.change)?) } else { None };
        let Self { rows, dirty, scratch, change_serde, topic, layer, .. } = self;
        let (mut fresh, mut written) = (Some((key, record)), Ok(()));
        let old = &mut scratch.old;
        let (place, time, row) = rows.get_or_insert(&scratch.key, time, || {
            let (key, record) = fresh.take().expect("a row is made once");
            old.clear();
            let is_there = change_serde.serialize_old(topic, &record.change, old).unwrap_or_else(|error| {
                written = Err(error);
                false
            });
            let prior = is_there.then(|| RowBytes::from(&old[..]));
            Row { key, record, prior, weight: 0, is_dirty: false }
        });
        if let Err(source) = written {
            rows.remove(&scratch.key);
            return Err(StoreError::Serde { store: layer.store.clone(), source });
        }
        if let Some((_, record)) = fresh {
            row.record = record;
        }
        if !std::mem::replace(&mut row.is_dirty, true) {
            dirty.push(place);
        }
        if let Some((old, new)) = weighed {
            let weight = to_write(scratch, (time, &row.record, row.prior.as_deref()), (old, new));
            let weight = weight.weight(scratch.key.len());
            self.byte_len = self.byte_len + weight - std::mem::replace(&mut row.weight, weight);
        }
        Ok(())
    }

    /// Weighs rows only when their weight is asked for, instead of each as it comes. To be called before the first one.
    pub(crate) fn weigh_when_asked(&mut self) {
        self.weighs = false;
    }

    fn serialize_key(&mut self, key: &K) -> Result<(), StoreError> {
        let mut bytes = std::mem::take(&mut self.scratch.key);
        bytes.clear();
        let outcome = if self.key_serde.is_null(key) {
            Err(SerdeError::Null { what: "key" })
        } else {
            self.key_serde.serialize(&self.topic, key, &mut bytes)
        };
        self.scratch.key = bytes;
        outcome.map_err(|source| self.fault(source))
    }

    fn serialize_change(&mut self, change: &C) -> Result<(bool, bool), StoreError> {
        let both = serialize(&*self.change_serde, &self.topic, change, &mut self.scratch);
        both.map_err(|source| self.fault(source))
    }

    /// Lets records go, the lowest buffer time first and then in the order of the keys' bytes, while `pred` says so, and
    /// appends them to `out`.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// let mut out = Vec::new();
    /// buffer.evict_while(|stats| stats.min_time < Timestamp(2), &mut out)?;
    /// assert_eq!((out[0].key.as_str(), out[0].record.change.new), ("b", Some(3)));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When what was committed cannot be read.
    pub fn evict_while(
        &mut self,
        mut pred: impl FnMut(&BufferStats) -> bool,
        out: &mut Vec<Evicted<K, C>>,
    ) -> Result<(), StoreError> {
        self.load()?;
        while let Some(min_time) = self.rows.first_rank() {
            if !pred(&BufferStats { min_time, len: self.rows.len(), byte_len: self.byte_len }) {
                break;
            }
            let Some((key, _, row)) = self.rows.pop_first() else { break };
            self.byte_len -= row.weight;
            self.gone.push(key);
            out.push(Evicted { key: row.key, record: row.record, prior: row.prior });
        }
        Ok(())
    }

    /// Takes a key's record out, if there is one.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// buffer.remove(&"b".to_owned())?;
    /// assert_eq!((buffer.len()?, buffer.min_time()?), (1, Some(Timestamp(2))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key cannot be written, or what was committed cannot be read.
    pub fn remove(&mut self, key: &K) -> Result<(), StoreError> {
        self.load()?;
        if self.rows.len() == 0 {
            return Ok(());
        }
        self.serialize_key(key)?;
        if let Some((_, row)) = self.rows.remove(&self.scratch.key) {
            self.byte_len -= row.weight;
            self.gone.push(RowBytes::from(&self.scratch.key[..]));
        }
        Ok(())
    }

    /// The old value of the record that was first buffered for this key, as bytes: what downstream still believes.
    /// `None` when the key is not buffered.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// assert_eq!(buffer.prior(&"b".to_owned())?, Some(None), "there was no value before");
    /// assert_eq!(buffer.prior(&"c".to_owned())?, None, "it is not buffered");
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the key cannot be written, or what was committed cannot be read.
    pub fn prior(&mut self, key: &K) -> Result<Option<Option<&[u8]>>, StoreError> {
        self.load()?;
        self.serialize_key(key)?;
        Ok(self.rows.get(&self.scratch.key).map(|(_, row)| row.prior.as_deref()))
    }

    /// The lowest buffer time; `None` when the buffer is empty.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// assert_eq!(buffer.min_time()?, Some(Timestamp(1)));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When what was committed cannot be read.
    pub fn min_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.load()?;
        Ok(self.rows.first_rank())
    }

    /// How many records are buffered.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// assert_eq!(buffer.len()?, 2);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When what was committed cannot be read.
    #[expect(clippy::len_without_is_empty, reason = "the first call may read the engine and fail")]
    pub fn len(&mut self) -> Result<usize, StoreError> {
        self.load()?;
        Ok(self.rows.len())
    }

    /// Bytes of the buffered records, counted as Kafka counts them.
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # let numbers = builder.table("in", numbers, Materialized::named("numbers"));
    /// # numbers.suppress(Suppressed::until_time_limit("calm", Duration::from_secs(60)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (n, key) in (1..).zip(["b", "a", "b"]) {
    /// #     input.pipe(key.to_owned(), n, Timestamp(n)).expect("buffered");
    /// # }
    /// # driver.with_store("calm-store", |buffer: &mut SuppressBuffer<String, Change<i64>>| -> Result<(), StoreError> {
    /// // Of b at 1, a at 2 and b again at 3:
    /// let two = buffer.byte_len()?;
    /// buffer.remove(&"a".to_owned())?;
    /// assert!(0 < buffer.byte_len()? && buffer.byte_len()? < two);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When what was committed cannot be read.
    pub fn byte_len(&mut self) -> Result<usize, StoreError> {
        self.load()?;
        if self.weighs {
            return Ok(self.byte_len);
        }
        let Self { rows, scratch, change_serde, topic, layer, .. } = self;
        rows.iter().try_fold(0, |sum, (key, time, row)| {
            let written = serialize(&**change_serde, topic, &row.record.change, scratch);
            let written =
                written.map_err(|source| StoreError::Serde { store: layer.store.clone(), source })?;
            let row = to_write(scratch, (time, &row.record, row.prior.as_deref()), written);
            Ok(sum + row.weight(key.len()))
        })
    }

    /// Reads what the layers below hold, once after opening, restoring and rolling back.
    fn load(&mut self) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let Self { key_serde, change_serde, topic, layer, rows, weighs, byte_len, .. } = self;
        let store = layer.store.clone();
        let fault = |source| StoreError::Serde { store: store.clone(), source };
        layer.scan(WHOLE, (Bound::Unbounded, Bound::Unbounded), false, &mut |key, value| {
            let Some(row) = buffer::read(value) else {
                let reason = "not a row of a suppression buffer".to_owned();
                return Err(fault(SerdeError::Malformed { format: "buffer row", reason }));
            };
            let weight = if *weighs { row.to_write().weight(key.len()) } else { 0 };
            let change = change_serde.deserialize(topic, row.old, row.new).map_err(fault)?;
            let typed = key_serde.deserialize(topic, key).map_err(fault)?;
            let record =
                Buffered { change, timestamp: row.timestamp, headers: row.headers, metadata: row.metadata };
            let prior = row.prior.map(Into::into);
            *byte_len += weight;
            rows.get_or_insert(key, row.time, || Row { key: typed, record, prior, weight, is_dirty: false });
            Ok(())
        })?;
        self.loaded = true;
        Ok(())
    }
}

/// Writes the old and the new value of a change, and tells which of them there are.
fn serialize<C: 'static>(
    serde: &dyn ChangeSerde<C>,
    topic: &str,
    change: &C,
    scratch: &mut Scratch,
) -> Result<(bool, bool), SerdeError> {
    scratch.old.clear();
    scratch.new.clear();
    let old = serde.serialize_old(topic, change, &mut scratch.old)?;
    Ok((old, serde.serialize_new(topic, change, &mut scratch.new)?))
}

fn to_write<'a, C>(
    scratch: &'a Scratch,
    (time, record, prior): (Timestamp, &'a Buffered<C>, Option<&'a [u8]>),
    (old, new): (bool, bool),
) -> RowToWrite<'a> {
    RowToWrite {
        time,
        timestamp: record.timestamp,
        metadata: &record.metadata,
        headers: &record.headers,
        prior,
        old: old.then_some(&scratch.old[..]),
        new: new.then_some(&scratch.new[..]),
    }
}

impl<K, C> std::fmt::Debug for SuppressBuffer<K, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SuppressBuffer({})", self.layer.store)
    }
}
