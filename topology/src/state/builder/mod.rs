//! How stores are declared where users and the DSL do it, typed. Owns options and their defaults; opens nothing.

mod declared;
mod stores;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub(crate) use self::declared::{MakeStore, ReadSource, SourceTopic, StoreDecl, StoreKind, StoreSettings};
pub use self::stores::Stores;
use super::codec::Codec;
use super::format::RowFormats;
use super::queryable::{KeptTypes, QueryableStore};

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
    ///
    /// ```
    /// use candlewick::{I64Serde, Stores, StringSerde};
    /// assert_eq!(Stores::key_value("newest", StringSerde, I64Serde).name(), "newest");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.decl.name
    }

    /// Keeps the state in memory: after a restart it is restored from the changelog.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).in_memory();
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
    /// # let options = DriverOptions::default();
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// driver.restart(&topology, &options).expect("started");
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 7, which its changelog brought back:
    /// assert_eq!(newest.get(&"k".to_owned())?.map(|entry| entry.value), Some(7));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn in_memory(mut self) -> Self {
        self.decl.persistent = false;
        self
    }

    /// Keeps the state in the task's folder: the default, where the application has a state folder.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).persistent().without_changelog();
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
    /// # let folder = tempfile::tempdir().expect("a temporary folder");
    /// let options = DriverOptions { state_dir: Some(folder.path().to_owned()), ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// driver.restart(&topology, &options).expect("started");
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 7, which its folder had:
    /// assert_eq!(newest.get(&"k".to_owned())?.map(|entry| entry.value), Some(7));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn persistent(mut self) -> Self {
        self.decl.persistent = true;
        self
    }

    /// Writes no changelog: what the store holds is lost with its folder or its process.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).in_memory().without_changelog();
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
    /// # let options = DriverOptions::default();
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// driver.restart(&topology, &options).expect("started");
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// // Of 7, which nothing kept:
    /// assert_eq!(newest.get(&"k".to_owned())?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
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
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).without_cache();
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
    /// # let options = DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// newest.put("k".to_owned(), 7, Timestamp(1))?;
    /// assert!(newest.wants_flush());
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn without_cache(mut self) -> Self {
        self.decl.cached = false;
        self
    }

    /// Sets an option of the changelog topic, by its Kafka name.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).changelog_config("segment.ms", "60000");
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
    /// let topics = topology.internal_topics("app", &PartitionCounts::from([("in".into(), 6)])).expect("it is known");
    /// assert_eq!(&*topics[0].config["segment.ms"], "60000");
    /// ```
    pub fn changelog_config(mut self, name: &str, value: &str) -> Self {
        self.decl.changelog_config.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Bounds the cache of this store in each task, in bytes; without it the task's budget is split evenly.
    ///
    /// ```
    /// # use candlewick::*;
    /// let store = Stores::key_value("newest", StringSerde, I64Serde).cache_bytes_max(16_384);
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
    /// # let options = DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # driver.with_store("newest", |newest: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for n in 0..1_000 {
    ///     newest.put(n.to_string(), n, Timestamp(1))?;
    /// }
    /// let mut changes = Vec::new();
    /// newest.take_dirty(&mut changes)?;
    /// // Of a thousand changes: the others were not held back for so long.
    /// assert!(changes.len() < 1_000);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.decl.cache_bytes_max = Some(bytes);
        self
    }
}
