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
///
/// ```
/// use candlewick::{Context, GlobalHandle, ProcessError, Processor, Record};
/// # use candlewick::*;
///
/// /// Each record with the factor of its key.
/// struct Weigh(GlobalHandle<String, i64>);
///
/// impl Processor<String, i64, String, i64> for Weigh {
///     fn process(
///         &mut self,
///         record: Record<String, i64>,
///         cx: &mut Context<'_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         let factor = cx.global(&self.0).get(&record.key)?.map_or(1, |entry| entry.value);
///         let weighed = record.value * factor;
///         cx.forward(record.with_value(weighed))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # builder.global_table("factors", Consumed::<String, Option<i64>>::default(), Materialized::named("factors"));
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// let weighed = numbers.process::<String, i64, _>(&[], |stores| Weigh(stores.global("factors")));
/// # weighed.to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # driver.input_topic("factors", StringSerde, I64Serde).pipe("k".to_owned(), 10, Timestamp(0)).expect("processed");
/// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// // Of 7 by 10:
/// assert_eq!(out.read_value(), Some(70));
/// ```
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
/// # let input = driver.input_topic("in", StringSerde, StringSerde);
/// # input.pipe("k".to_owned(), "ad".to_owned(), Timestamp(1)).expect("processed");
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
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     Ok(names.get(&"adam".to_owned())?.map_or(0, |entry| entry.value))
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(2));
    /// ```
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
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// /// The last name before bob.
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     let mut found = Vec::new();
    ///     names.range_reverse(Bound::Unbounded, Bound::Excluded(&"bob".to_owned()), &mut found)?;
    ///     Ok(found[0].1.value)
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(2));
    /// ```
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
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     let mut found = Vec::new();
    ///     names.all(&mut found)?;
    ///     Ok(found.iter().map(|(_, entry)| entry.value).sum())
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(6));
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn all(&mut self, out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        self.collect(Bound::Unbounded, Bound::Unbounded, false, out)
    }

    /// Appends the entries whose key's bytes begin with `prefix` to `out`, in the order of the keys' bytes.
    ///
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     let mut found = Vec::new();
    ///     names.prefix(b"ad", &mut found)?;
    ///     Ok(found.iter().map(|(_, entry)| entry.value).sum())
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(3));
    /// ```
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
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     Ok(names.len()? as i64)
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(3));
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn len(&self) -> Result<usize, StoreError> {
        let Place { engine, keyspace } = self.place;
        engine.view(|view| view.len(*keyspace))
    }

    /// Whether there are no keys.
    ///
    /// ```
    /// # use {candlewick::*, std::ops::Bound};
    /// # struct Look(GlobalHandle<String, i64>);
    /// fn look(names: &mut GlobalStore<'_, String, i64>) -> Result<i64, StoreError> {
    ///     Ok(if names.is_empty()? { 0 } else { 1 })
    /// }
    /// # impl Processor<String, i64, String, i64> for Look {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let found = look(&mut cx.global(&self.0))?;
    /// #         cx.forward(record.with_value(found))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("names", Consumed::<String, Option<i64>>::default(), Materialized::named("names"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process(&[], |stores| Look(stores.global("names"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let names = driver.input_topic("names", StringSerde, I64Serde);
    /// # for (name, n) in [("ada", 1), ("adam", 2), ("bob", 3)] {
    /// #     names.pipe(name.to_owned(), n, Timestamp(n)).expect("processed");
    /// # }
    /// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 0, Timestamp(4)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of ada with 1, adam with 2 and bob with 3:
    /// assert_eq!(out.read_value(), Some(1));
    /// ```
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
