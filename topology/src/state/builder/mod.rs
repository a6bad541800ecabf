//! How stores are declared: typed where users and the DSL do it, erased in the plan. Owns options and their defaults;
//! opens nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::StateStore;
use super::cache::CacheLimits;
use super::codec::{Codec, codec_of};
use super::custom::{CustomStore, UserStore};
use super::engine::Engine;
use super::error::StoreError;
use super::format::RowFormats;
use super::join_buffer::{JoinBuffer, JoinSerdes};
use super::key_value::KeyValueStore;
use super::overlay::{Layer, Layout};
use super::queryable::{KeptTypes, QueryableStore};
use super::record_buffer::RecordBuffer;
use super::rows::Grouping;
use super::schema::buffer::VERSION_HEADER;
use super::schema::window::Retention;
use super::schema::{session, window};
use super::session::SessionStore;
use super::suppress::{ChangeSerde, SuppressBuffer};
use super::versioned::{self, VersionedStore};
use super::window::WindowStore;
use crate::record::{Headers, RecordRun};
use crate::serde::Serde;
use crate::time::millis;

/// What a store is given when a task opens it.
pub(crate) struct StoreSettings {
    pub(crate) engine: Arc<Engine>,
    pub(crate) topic: Arc<str>,
    pub(crate) limits: CacheLimits,
}

/// Opens one store of a task.
pub(crate) type MakeStore =
    Arc<dyn Fn(&StoreSettings) -> Result<Box<dyn StateStore>, StoreError> + Send + Sync>;

/// The kinds of store; it decides the changelog topic's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// The newest value of each key: a compacted changelog.
    KeyValue,
    /// Values by key and window start: a changelog that is compacted and expires.
    Window {
        /// How long windows are kept, in milliseconds.
        retention_ms: i64,
        /// The windows' size, in milliseconds.
        size_ms: i64,
    },
    /// Values by key and session: a changelog that is compacted and expires.
    Session {
        /// How long sessions are kept, in milliseconds.
        retention_ms: i64,
    },
    /// Records a suppression holds back: a compacted changelog whose values carry the header `v`.
    Suppress,
    /// Records of a join that wait for a match, or for the table to be known at their time: a compacted changelog.
    JoinBuffer,
    /// Versions of each key's value: a changelog that is compacted only behind the history.
    Versioned {
        /// How long versions are kept, in milliseconds.
        history_ms: i64,
    },
}

impl StoreKind {
    /// The headers of every changelog record that carries a value; a tombstone carries none.
    pub(crate) fn value_headers(self) -> Headers {
        let mut headers = Headers::default();
        if self == Self::Suppress {
            headers.push(VERSION_HEADER.0, Some(Bytes::from_static(VERSION_HEADER.1)));
        }
        headers
    }
}

/// Turns records of a source topic into those of a changelog; what the table would not take is left out.
pub(crate) type ReadSource = Arc<dyn Fn(&RecordRun) -> RecordRun + Send + Sync>;

/// A source topic that is the changelog of a table's store too.
#[derive(Clone)]
pub(crate) struct SourceTopic {
    pub(crate) topic: Arc<str>,
    pub(crate) read: ReadSource,
}

/// A declared store, its types forgotten.
#[derive(Clone)]
pub(crate) struct StoreDecl {
    pub(crate) name: Arc<str>,
    pub(crate) kind: StoreKind,
    pub(crate) logged: bool,
    /// What the store is restored from in place of a changelog of its own.
    pub(crate) source: Option<SourceTopic>,
    pub(crate) persistent: bool,
    pub(crate) cached: bool,
    pub(crate) cache_bytes_max: Option<usize>,
    pub(crate) changelog_config: BTreeMap<String, String>,
    pub(crate) make: MakeStore,
    pub(crate) types: KeptTypes,
    pub(crate) formats: RowFormats,
}

impl fmt::Debug for StoreDecl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreDecl")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("logged", &self.logged)
            .field("persistent", &self.persistent)
            .field("cached", &self.cached)
            .finish_non_exhaustive()
    }
}

/// A store to be: persistent, cached and with a changelog unless told otherwise.
///
/// ```
/// use candlewick::{I64Serde, Stores, StringSerde};
/// let counts = Stores::key_value("counts", StringSerde, I64Serde)
///     .without_cache()
///     .changelog_config("segment.ms", "60000");
/// assert_eq!(counts.name(), "counts");
/// ```
#[must_use]
pub struct StoreBuilder<S> {
    decl: StoreDecl,
    store: PhantomData<fn() -> S>,
}

impl<S> Clone for StoreBuilder<S> {
    fn clone(&self) -> Self {
        Self { decl: self.decl.clone(), store: PhantomData }
    }
}

impl<S> fmt::Debug for StoreBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decl.fmt(f)
    }
}

impl<S> From<StoreBuilder<S>> for StoreDecl {
    fn from(builder: StoreBuilder<S>) -> Self {
        builder.decl
    }
}

impl<S> StoreBuilder<S> {
    fn new(name: &str, kind: StoreKind, make: MakeStore) -> Self {
        let decl = StoreDecl {
            name: name.into(),
            kind,
            logged: true,
            source: None,
            persistent: true,
            cached: true,
            cache_bytes_max: None,
            changelog_config: BTreeMap::new(),
            make,
            types: KeptTypes::default(),
            formats: RowFormats::default(),
        };
        Self { decl, store: PhantomData }
    }

    fn written_as(mut self, formats: RowFormats) -> Self {
        self.decl.formats = formats;
        self
    }

    /// Lets queries find the store's types again, and manifests its formats.
    fn queryable(
        mut self,
        codec: Arc<impl Fn(&Arc<str>) -> Codec<S::Key, S::Value> + Send + Sync + 'static>,
    ) -> Self
    where
        S: QueryableStore,
    {
        let any = codec(&Arc::from(""));
        self.decl.formats = RowFormats::of_key(&any.key).with_value(&any.value);
        self.decl.types = KeptTypes::of::<S>(move |topic| codec(topic));
        self
    }

    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.decl.name
    }

    /// Keeps the state in memory: after a restart it is restored from the changelog.
    pub fn in_memory(mut self) -> Self {
        self.decl.persistent = false;
        self
    }

    /// Keeps the state in the task's folder: the default, where the application has a state folder.
    pub fn persistent(mut self) -> Self {
        self.decl.persistent = true;
        self
    }

    /// Writes no changelog: what the store holds is lost with its folder or its process.
    pub fn without_changelog(mut self) -> Self {
        self.decl.logged = false;
        self
    }

    /// Restores the store from a source topic in place of a changelog of its own.
    pub(crate) fn restored_from(mut self, source: SourceTopic) -> Self {
        self.decl.source = Some(source);
        self.without_changelog()
    }

    /// Passes every change on at once instead of the newest of each key at every flush.
    pub fn without_cache(mut self) -> Self {
        self.decl.cached = false;
        self
    }

    /// Sets an option of the changelog topic, by its Kafka name.
    pub fn changelog_config(mut self, name: &str, value: &str) -> Self {
        self.decl.changelog_config.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Bounds the cache of this store in each task, in bytes; without it the task's budget is split evenly.
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.decl.cache_bytes_max = Some(bytes);
        self
    }
}

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
