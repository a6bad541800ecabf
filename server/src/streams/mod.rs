//! A running topology as the status server sees it: its status, its drawing, and its stores as JSON. Owns which stores are
//! shown; what their rows look like stands in `show`.

mod plain;
mod show;

use std::collections::BTreeMap;

use candlewick::{
    KeyValueStore, QueryError, SessionStore, Status, StoreInfo, StoreType, StreamsHandle, TopologyView,
    VersionedStore, WindowStore,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::application::{Application, Question, ReadError, Reply, Sample};
use show::ShownStore;

/// The application that most programs serve: a running topology. Stores of plain keys and values (text, numbers, nothing)
/// are shown as they are; others when [`show`](Self::show) has named their types.
///
/// ```
/// use candlewick::{QueryError, StreamsHandle};
/// use candlewick_server::StreamsApplication;
/// #[derive(serde::Serialize)]
/// struct Candle { open: f64, close: f64 }
/// fn application(streams: StreamsHandle) -> Result<StreamsApplication, QueryError> {
///     StreamsApplication::new(streams).show::<String, Candle>("candles-1m")
/// }
/// ```
pub struct StreamsApplication {
    streams: StreamsHandle,
    shown: BTreeMap<String, Box<dyn ShownStore>>,
    samples: BTreeMap<String, Sample>,
}

impl StreamsApplication {
    /// Shows the stores of plain types.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// let application = StreamsApplication::new(running.handle());
    /// assert_eq!(application.stores()[0].name, "numbers");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(streams: StreamsHandle) -> Self {
        let (mut shown, mut samples) = (BTreeMap::new(), BTreeMap::new());
        for store in streams.stores() {
            if let Some((plain, sample)) = plain::shown(&streams, &store) {
                samples.insert(store.name.clone(), sample);
                shown.insert(store.name, plain);
            }
        }
        Self { streams, shown, samples }
    }

    /// Shows a store, whatever it keeps, by the types of its keys and values. A key's text is the text of its JSON form: of
    /// a string the string itself.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// assert!(application.show::<String, i64>("numbers").is_ok());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such store, or it has other keys or values.
    pub fn show<K, V>(mut self, store: &str) -> Result<Self, QueryError>
    where
        K: Serialize + DeserializeOwned + 'static,
        V: Serialize + 'static,
    {
        let known = self.streams.stores().into_iter().find(|known| known.name == store);
        let shown: Box<dyn ShownStore> = match known.map(|known| known.kind) {
            Some(StoreType::Window { size }) => {
                Box::new(show::Windows { store: self.streams.store::<WindowStore<K, V>>(store)?, size })
            }
            Some(StoreType::Session) => Box::new(self.streams.store::<SessionStore<K, V>>(store)?),
            Some(StoreType::Versioned) => Box::new(self.streams.store::<VersionedStore<K, V>>(store)?),
            _ => Box::new(self.streams.store::<KeyValueStore<K, V>>(store)?),
        };
        self.shown.insert(store.to_owned(), shown);
        self.samples.remove(store);
        Ok(self)
    }

    /// Shows a store as [`show`](Self::show) does, and says by a key and a value such as it may hold what form its rows
    /// have, for those who want to know before there are any: SQL makes its columns of it. What may be absent in a value is
    /// to be present in this one, and a decimal number that is written as text is to show all its places.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// let application = application.show_like("numbers", &"BTC-USD".to_owned(), &7_i64)?;
    /// assert_eq!(application.sample("numbers").map(|sample| sample.key), Some("BTC-USD".into()));
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such store, or it has other keys or values.
    pub fn show_like<K, V>(self, store: &str, key: &K, value: &V) -> Result<Self, QueryError>
    where
        K: Serialize + DeserializeOwned + 'static,
        V: Serialize + 'static,
    {
        let sample = plain::sample(key, value);
        let mut application = self.show::<K, V>(store)?;
        application.samples.extend(sample.map(|sample| (store.to_owned(), sample)));
        Ok(application)
    }
}

impl Application for StreamsApplication {
    fn status(&self) -> Status {
        self.streams.status()
    }

    fn topology(&self) -> TopologyView {
        self.streams.topology()
    }

    fn describe(&self) -> String {
        self.streams.describe()
    }

    fn stores(&self) -> Vec<StoreInfo> {
        self.streams.stores()
    }

    fn sample(&self, store: &str) -> Option<Sample> {
        self.samples.get(store).cloned()
    }

    fn read(&self, store: &str, question: &Question) -> Result<Reply, ReadError> {
        match self.shown.get(store) {
            Some(shown) => shown.read(question),
            None if self.streams.stores().iter().any(|known| known.name == store) => {
                Err(ReadError::NotReadable)
            }
            None => Err(ReadError::UnknownStore),
        }
    }
}
