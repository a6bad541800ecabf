//! The stores that can be declared, by the names users give them: each with the layers it is opened with. Must not know
//! which options it is declared with.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::{MakeStore, StoreBuilder, StoreKind};
use crate::serde::Serde;
use crate::state::codec::codec_of;
use crate::state::custom::{CustomStore, UserStore};
use crate::state::format::RowFormats;
use crate::state::join_buffer::{JoinBuffer, JoinSerdes};
use crate::state::key_value::KeyValueStore;
use crate::state::overlay::{Layer, Layout};
use crate::state::record_buffer::RecordBuffer;
use crate::state::rows::Grouping;
use crate::state::schema::window::Retention;
use crate::state::schema::{session, window};
use crate::state::session::SessionStore;
use crate::state::suppress::{ChangeSerde, SuppressBuffer};
use crate::state::versioned::{self, VersionedStore};
use crate::state::window::WindowStore;
use crate::time::millis;

/// Declares stores.
///
/// ```
/// use candlewick::{Consumed, Context, I64Serde, KeyValueStore, ProcessError, Processor, Record, StoreHandle};
/// use candlewick::{Stores, StreamsBuilder, StringSerde};
/// # use candlewick::*;
///
/// /// Keeps the newest number of each key.
/// struct Keep(StoreHandle<KeyValueStore<String, i64>>);
///
/// impl Processor<String, i64, String, i64> for Keep {
///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         Ok(cx.store(self.0).put(record.key, record.value, record.timestamp)?)
///     }
/// }
///
/// let builder = StreamsBuilder::new();
/// builder.add_store(Stores::key_value::<String, i64>("newest", StringSerde, I64Serde));
/// let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// numbers.process::<String, i64, _>(&["newest"], |stores| Keep(stores.get("newest")));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [7, 8] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
/// // Of 7 and 8:
/// assert_eq!(newest.get(&"k".to_owned())?.map(|entry| entry.value), Some(8));
/// # Ok(())
/// # }).expect("in memory");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stores;

impl Stores {
    /// A store of one value a key.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value::<String, i64>("newest", StringSerde, I64Serde);
    /// # struct Keep(StoreHandle<KeyValueStore<String, i64>>);
    /// # impl Processor<String, i64, String, i64> for Keep {
    /// #     fn process(
    /// #         &mut self,
    /// #         record: Record<String, i64>,
    /// #         cx: &mut Context<'_, String, i64>,
    /// #     ) -> Result<(), ProcessError> {
    /// #         Ok(cx.store(self.0).put(record.key, record.value, record.timestamp)?)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.add_store(store);
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&["newest"], |stores| Keep(stores.get("newest")));
    /// # let topology = builder.build().expect("valid");
    /// # let driver = TopologyTestDriver::new(topology);
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 7 and 8, by a processor that keeps the newest:
    /// assert_eq!(newest.get(&"k".to_owned())?.map(|entry| entry.value), Some(8));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn key_value<K, V>(
        name: &str,
        key_serde: impl Serde<K>,
        value_serde: impl Serde<V>,
    ) -> StoreBuilder<KeyValueStore<K, V>>
    where
        K: Clone + Eq + Hash + Send + 'static,
        V: Clone + Send + 'static,
    {
        Self::grouped(name, key_serde, value_serde, Grouping::Single)
    }

    /// As [`key_value`](Self::key_value); whose rows of the same key by `grouping` are often asked for together.
    pub(crate) fn grouped<K, V>(
        name: &str,
        key_serde: impl Serde<K>,
        value_serde: impl Serde<V>,
        grouping: Grouping,
    ) -> StoreBuilder<KeyValueStore<K, V>>
    where
        K: Clone + Eq + Hash + Send + 'static,
        V: Clone + Send + 'static,
    {
        let (store, codec) = (Arc::from(name), codec_of(name, key_serde, value_serde));
        let types = Arc::clone(&codec);
        let make: MakeStore = Arc::new(move |settings| {
            let layer = Layer::open(settings.engine.clone(), Arc::clone(&store), Layout::Whole, grouping)?;
            Ok(Box::new(KeyValueStore::new(codec(&settings.topic), layer, settings.limits)))
        });
        StoreBuilder::new(name, StoreKind::KeyValue, make).queryable(types)
    }

    /// A store of values by key and window start, which forgets windows that start `retention` or more before the
    /// newest. `retention` is at least `window_size`.
    ///
    /// ```
    /// use candlewick::{F64Serde, Stores, StringSerde};
    /// use std::time::Duration;
    /// let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
    /// let candles = Stores::window::<String, f64>("candles", StringSerde, F64Serde, minute, day).in_memory();
    /// assert_eq!(candles.name(), "candles");
    /// ```
    pub fn window<K, V>(
        name: &str,
        key_serde: impl Serde<K>,
        value_serde: impl Serde<V>,
        window_size: Duration,
        retention: Duration,
    ) -> StoreBuilder<WindowStore<K, V>>
    where
        K: Clone + Eq + Hash + Send + 'static,
        V: Clone + Send + 'static,
    {
        let (size_ms, retention_ms) = (millis(window_size), millis(retention.max(window_size)));
        let (store, codec) = (Arc::from(name), codec_of(name, key_serde, value_serde));
        let types = Arc::clone(&codec);
        let make: MakeStore = Arc::new(move |settings| {
            let layer = Layer::open(
                settings.engine.clone(),
                Arc::clone(&store),
                Layout::Segmented,
                Grouping::Suffix(window::SUFFIX_BYTES),
            )?;
            let retention = Retention::new(retention_ms);
            Ok(Box::new(WindowStore::new(codec(&settings.topic), layer, settings.limits, retention)?))
        });
        StoreBuilder::new(name, StoreKind::Window { retention_ms, size_ms }, make).queryable(types)
    }

    /// A buffer of records that a suppression holds back.
    ///
    /// ```
    /// use candlewick::{ChangeSerde, SerdeError, Stores, StringSerde};
    ///
    /// /// Whether a key is there.
    /// struct Presence;
    ///
    /// impl ChangeSerde<bool> for Presence {
    ///     fn serialize_old(&self, _: &str, _: &bool, _: &mut Vec<u8>) -> Result<bool, SerdeError> {
    ///         Ok(false)
    ///     }
    ///
    ///     fn serialize_new(&self, _: &str, is_there: &bool, _: &mut Vec<u8>) -> Result<bool, SerdeError> {
    ///         Ok(*is_there)
    ///     }
    ///
    ///     fn deserialize(&self, _: &str, _: Option<&[u8]>, new: Option<&[u8]>) -> Result<bool, SerdeError> {
    ///         Ok(new.is_some())
    ///     }
    /// }
    ///
    /// let held = Stores::suppress::<String, bool>("held", StringSerde, Presence);
    /// assert_eq!(held.name(), "held");
    /// ```
    pub fn suppress<K, C>(
        name: &str,
        key_serde: impl Serde<K>,
        change_serde: impl ChangeSerde<C>,
    ) -> StoreBuilder<SuppressBuffer<K, C>>
    where
        K: Clone + Send + 'static,
        C: Send + 'static,
    {
        let store: Arc<str> = Arc::from(name);
        let key: Arc<dyn Serde<K>> = Arc::new(key_serde);
        let change: Arc<dyn ChangeSerde<C>> = Arc::new(change_serde);
        let formats = RowFormats::of_key(&key);
        let make: MakeStore = Arc::new(move |settings| {
            let layer =
                Layer::open(settings.engine.clone(), Arc::clone(&store), Layout::Whole, Grouping::Single)?;
            let topic = settings.topic.clone();
            Ok(Box::new(SuppressBuffer::new(key.clone(), change.clone(), topic, layer)))
        });
        StoreBuilder::new(name, StoreKind::Suppress, make).written_as(formats)
    }

    /// A store of values by key and session, which forgets sessions that ended `retention` or more before the latest.
    ///
    /// ```
    /// use candlewick::{I64Serde, Stores, StringSerde};
    /// use std::time::Duration;
    /// let visits = Stores::session::<String, i64>("visits", StringSerde, I64Serde, Duration::from_secs(86_400));
    /// assert_eq!(visits.persistent().cache_bytes_max(1 << 20).name(), "visits");
    /// ```
    pub fn session<K, V>(
        name: &str,
        key_serde: impl Serde<K>,
        value_serde: impl Serde<V>,
        retention: Duration,
    ) -> StoreBuilder<SessionStore<K, V>>
    where
        K: Clone + Eq + Hash + Send + 'static,
        V: Clone + Send + 'static,
    {
        let retention_ms = millis(retention);
        let (store, codec) = (Arc::from(name), codec_of(name, key_serde, value_serde));
        let types = Arc::clone(&codec);
        let make: MakeStore = Arc::new(move |settings| {
            let layer = Layer::open(
                settings.engine.clone(),
                Arc::clone(&store),
                Layout::Segmented,
                Grouping::Suffix(session::SUFFIX_BYTES),
            )?;
            let retention = Retention::new(retention_ms);
            Ok(Box::new(SessionStore::new(codec(&settings.topic), layer, settings.limits, retention)?))
        });
        StoreBuilder::new(name, StoreKind::Session { retention_ms }, make).queryable(types)
    }

    /// A store of all versions of each key's value that are younger than `history`.
    ///
    /// ```
    /// use candlewick::{F64Serde, Stores, StringSerde};
    /// use std::time::Duration;
    /// let prices = Stores::versioned::<String, f64>("prices", StringSerde, F64Serde, Duration::from_secs(3_600));
    /// assert_eq!(prices.without_changelog().name(), "prices");
    /// ```
    pub fn versioned<K, V>(
        name: &str,
        key_serde: impl Serde<K>,
        value_serde: impl Serde<V>,
        history: Duration,
    ) -> StoreBuilder<VersionedStore<K, V>>
    where
        K: Send + 'static,
        V: Clone + Send + 'static,
    {
        let history_ms = millis(history);
        let (store, codec) = (Arc::from(name), codec_of(name, key_serde, value_serde));
        let types = Arc::clone(&codec);
        let make: MakeStore = Arc::new(move |settings| {
            let layer = Layer::open(
                settings.engine.clone(),
                Arc::clone(&store),
                Layout::Whole,
                Grouping::Suffix(versioned::SUFFIX_BYTES),
            )?
            .uncut();
            Ok(Box::new(VersionedStore::new(codec(&settings.topic), layer, history_ms)?))
        });
        StoreBuilder::new(name, StoreKind::Versioned { history_ms }, make).queryable(types).without_cache()
    }

    /// A store of your own making; `make` gives an empty one for each task. See [`CustomStore`].
    ///
    /// ```
    /// use candlewick::{CustomStore, RowSink, SerdeError, Stores, Timestamp};
    ///
    /// /// One number, in one row.
    /// #[derive(Default)]
    /// struct Total(u8);
    ///
    /// impl CustomStore for Total {
    ///     fn apply(&mut self, _: &[u8], value: Option<&[u8]>) -> Result<(), SerdeError> {
    ///         self.0 = value.map_or(0, |bytes| bytes[0]);
    ///         Ok(())
    ///     }
    ///
    ///     fn take_changes(&mut self, sink: &mut RowSink<'_>) {
    ///         sink(b"total", Some(&[self.0]), Timestamp::UNKNOWN);
    ///     }
    ///
    ///     fn clear(&mut self) {
    ///         self.0 = 0;
    ///     }
    /// }
    ///
    /// assert_eq!(Stores::custom("total", Total::default).name(), "total");
    /// ```
    pub fn custom<S: CustomStore>(
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> StoreBuilder<UserStore<S>> {
        let store: Arc<str> = Arc::from(name);
        let make: MakeStore = Arc::new(move |settings| {
            let layer =
                Layer::open(settings.engine.clone(), Arc::clone(&store), Layout::Whole, Grouping::Single)?;
            Ok(Box::new(UserStore::new(make(), layer.uncut())?))
        });
        StoreBuilder::new(name, StoreKind::KeyValue, make).without_cache()
    }

    /// A buffer of the records of a join that wait for the table to be known at their time.
    pub(crate) fn record_buffer<K, V>(
        name: &str,
        key: Arc<dyn Serde<K>>,
        value: Arc<dyn Serde<V>>,
    ) -> StoreBuilder<RecordBuffer<K, V>>
    where
        K: Send + 'static,
        V: Send + 'static,
    {
        let store: Arc<str> = Arc::from(name);
        let formats = RowFormats::of_key(&key).with_value(&value);
        let make: MakeStore = Arc::new(move |settings| {
            let layer =
                Layer::open(settings.engine.clone(), Arc::clone(&store), Layout::Whole, Grouping::Single)?;
            Ok(Box::new(RecordBuffer::new(key.clone(), value.clone(), settings.topic.clone(), layer)))
        });
        StoreBuilder::new(name, StoreKind::JoinBuffer, make).written_as(formats)
    }

    /// A buffer of the records of an outer join that wait for a match.
    pub(crate) fn join_buffer<K, L, R>(
        name: &str,
        key: Arc<dyn Serde<K>>,
        left: Arc<dyn Serde<L>>,
        right: Arc<dyn Serde<R>>,
    ) -> StoreBuilder<JoinBuffer<K, L, R>>
    where
        K: Clone + Send + 'static,
        L: Clone + Send + 'static,
        R: Clone + Send + 'static,
    {
        let store: Arc<str> = Arc::from(name);
        let formats = RowFormats::of_key(&key).with_value(&left).with_value(&right);
        let make: MakeStore = Arc::new(move |settings| {
            let layer =
                Layer::open(settings.engine.clone(), Arc::clone(&store), Layout::Whole, Grouping::Single)?;
            let serdes = JoinSerdes { key: key.clone(), left: left.clone(), right: right.clone() };
            Ok(Box::new(JoinBuffer::new(serdes, settings.topic.clone(), layer)))
        });
        StoreBuilder::new(name, StoreKind::JoinBuffer, make).written_as(formats)
    }
}
