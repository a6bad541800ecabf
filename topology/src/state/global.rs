//! The stores of global tables: written by whoever reads their topics, read by every task of the instance. Owns the
//! readers' side; what they see is the last run of records that was written. Must not know what writes.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::codec::Codec;
use super::engine::{Bounds, Engine, Keyspace};
use super::entry::Entry;
use super::error::StoreError;
use super::reader::StateReader;
use super::rows::after_prefix;
use super::task_state::TaskState;

/// Where one global table lies.
struct Place {
    engine: Arc<Engine>,
    keyspace: Keyspace,
}

/// The global tables of an instance, in the order of their declarations. Cloned freely; a task takes no lock that its
/// writer holds for longer than one run of records.
#[derive(Clone, Default)]
pub(crate) struct GlobalTables {
    places: Arc<[Place]>,
    /// For queries; the places keep alive what it reads.
    reader: Option<StateReader>,
}

impl GlobalTables {
    /// The stores of `state`, which holds global tables only.
    pub(crate) fn of(state: &TaskState) -> Self {
        let place = |(engine, keyspace)| Place { engine, keyspace };
        let places = state.layers().map(|layer| place(layer.whole())).collect();
        Self { places, reader: Some(state.reader()) }
    }

    /// One of them, to be read; `key` is where keys are written.
    pub(crate) fn open<'a, K: 'static, V: 'static>(
        &'a self,
        handle: &'a GlobalHandle<K, V>,
        key: &'a mut Vec<u8>,
    ) -> GlobalStore<'a, K, V> {
        GlobalStore { place: &self.places[handle.index], codec: &handle.codec, key }
    }

    /// Reads the tables from outside of tasks; nothing where there are none.
    pub(crate) fn reader(&self) -> Option<&StateReader> {
        self.reader.as_ref()
    }
}

/// A global table or store by its place and its types, see [`Context::global`](crate::Context::global). Given by
/// [`ProcessorStores::global`](crate::ProcessorStores::global) when a processor is made.
pub struct GlobalHandle<K, V> {
    index: usize,
    codec: Arc<Codec<K, V>>,
}

impl<K, V> Clone for GlobalHandle<K, V> {
    fn clone(&self) -> Self {
        Self { index: self.index, codec: Arc::clone(&self.codec) }
    }
}

impl<K, V> fmt::Debug for GlobalHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalHandle({})", self.codec.store)
    }
}

impl<K: 'static, V: 'static> GlobalHandle<K, V> {
    pub(crate) fn new(index: usize, codec: Codec<K, V>) -> Self {
        Self { index, codec: Arc::new(codec) }
    }
}

/// A global table or store, as a processor of any task reads it: as new as the run of records that was read last. It
/// cannot be changed here; what changes it is its topic.
///
/// ```
/// use candlewick::{
///     Consumed, Context, GlobalHandle, Materialized, ProcessError, Processor, Produced, Record, StreamsBuilder,
/// };
/// # use candlewick::*;
///
/// /// How many names begin with the record's value.
/// struct Complete(GlobalHandle<String, i64>);
///
/// impl Processor<String, String, String, i64> for Complete {
///     fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         let mut names = Vec::new();
///         cx.global(&self.0).prefix(record.value.as_bytes(), &mut names)?;
///         let count = names.len() as i64;
///         cx.forward(record.with_value(count))
///     }
/// }
///
/// let builder = StreamsBuilder::new();
/// builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
/// builder
///     .stream("in", Consumed::<String, String>::default())
///     .process::<String, i64, _>(&[], |stores| Complete(stores.global("names")))
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let names = driver.input_topic("names", StringSerde, I64Serde);
/// # for name in ["ada", "adam", "bob"] { names.pipe(name.to_owned(), 1, Timestamp(0)).expect("processed"); }
/// # driver.input_topic("in", StringSerde, StringSerde).pipe("k".to_owned(), "ad".to_owned(), Timestamp(1)).expect("processed");
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// // Of ada, adam and bob, asked for what begins with ad:
/// assert_eq!(out.read_value(), Some(2));
/// ```
pub struct GlobalStore<'a, K, V> {
    place: &'a Place,
    codec: &'a Codec<K, V>,
    /// Where keys are written.
    key: &'a mut Vec<u8>,
}

impl<K: 'static, V: 'static> GlobalStore<'_, K, V> {
    /// The entry of a key.
    ///
    /// # Errors
    /// When the key cannot be written, or what the topic holds is not a value.
    pub fn get(&mut self, key: &K) -> Result<Option<Entry<V>>, StoreError> {
        self.key.clear();
        self.codec.append_key(key, self.key)?;
        let Place { engine, keyspace } = self.place;
        engine.view(|view| {
            let row = view.get(*keyspace, self.key)?;
            row.map(|bytes| self.codec.read(bytes)).transpose()
        })
    }

    /// Appends the entries of a range of keys to `out`, in the order of the keys' bytes.
    ///
    /// ```
    /// use std::ops::Bound;
    /// use candlewick::{Context, Entry, GlobalHandle, StoreError};
    /// /// What the prices of the day were.
    /// fn of_day(
    ///     prices: &GlobalHandle<String, f64>,
    ///     day: &str,
    ///     cx: &mut Context<'_, String, f64>,
    /// ) -> Result<Vec<(String, Entry<f64>)>, StoreError> {
    ///     let (mut found, first, last) = (Vec::new(), format!("{day}T00:00"), format!("{day}T23:59"));
    ///     cx.global(prices).range(Bound::Included(&first), Bound::Included(&last), &mut found)?;
    ///     Ok(found)
    /// }
    /// # let _ = of_day;
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn range(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.collect(from, to, false, out)
    }

    /// As [`range`](Self::range), against the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn range_reverse(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.collect(from, to, true, out)
    }

    /// Appends all entries to `out`, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn all(&mut self, out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        self.collect(Bound::Unbounded, Bound::Unbounded, false, out)
    }

    /// Appends the entries whose key's bytes begin with `prefix` to `out`, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn prefix(&mut self, prefix: &[u8], out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        let end = after_prefix(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan((Bound::Included(prefix), to), false, out)
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn len(&self) -> Result<usize, StoreError> {
        let Place { engine, keyspace } = self.place;
        engine.view(|view| view.len(*keyspace))
    }

    /// Whether there are no keys.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }

    fn collect(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        reverse: bool,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        let (mut first, mut last) = (Vec::new(), Vec::new());
        if let Bound::Included(key) | Bound::Excluded(key) = from {
            self.codec.append_key(key, &mut first)?;
        }
        if let Bound::Included(key) | Bound::Excluded(key) = to {
            self.codec.append_key(key, &mut last)?;
        }
        self.scan((from.map(|_| &first[..]), to.map(|_| &last[..])), reverse, out)
    }

    fn scan(
        &self,
        bounds: Bounds<'_>,
        reverse: bool,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        let Place { engine, keyspace } = self.place;
        engine.view(|view| {
            view.scan(*keyspace, bounds, reverse, &mut |key, row| {
                out.push((self.codec.read_key(key)?, self.codec.read(row)?));
                Ok(true)
            })
        })
    }
}
