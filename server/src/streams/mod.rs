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

use crate::application::{Application, Question, ReadError, Reply};
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
}

impl StreamsApplication {
    /// Shows the stores of plain types.
    #[must_use]
    pub fn new(streams: StreamsHandle) -> Self {
        let shown = streams.stores().into_iter().filter_map(|store| {
            let plain = plain::shown(&streams, &store)?;
            Some((store.name, plain))
        });
        Self { shown: shown.collect(), streams }
    }

    /// Shows a store, whatever it keeps, by the types of its keys and values. A key's text is the text of its JSON form: of
    /// a string the string itself.
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
        Ok(self)
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
