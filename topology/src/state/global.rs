//! The stores of global tables: written by whoever reads their topics, read by every task of the instance. Owns the
//! readers' side; what they see is the last run of records that was written.

use std::sync::Arc;

use super::codec::Codec;
use super::engine::{Engine, Keyspace};
use super::entry::Entry;
use super::error::StoreError;
use super::reader::StateReader;
use super::task_state::TaskState;
use crate::serde::Serde;

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

    /// Reads the tables from outside of tasks; nothing where there are none.
    pub(crate) fn reader(&self) -> Option<&StateReader> {
        self.reader.as_ref()
    }
}

/// Reads one global table: its place among them, and its serdes.
pub(crate) struct GlobalReader<K, V> {
    index: usize,
    codec: Codec<K, V>,
    key: Vec<u8>,
}

impl<K: 'static, V: 'static> GlobalReader<K, V> {
    pub(crate) fn new(
        index: usize,
        (key, value): (Arc<dyn Serde<K>>, Arc<dyn Serde<V>>),
        (topic, store): (Arc<str>, Arc<str>),
    ) -> Self {
        Self { index, codec: Codec::new(key, value, topic, store), key: Vec::new() }
    }

    /// The entry of a key.
    ///
    /// # Errors
    /// When the key cannot be written, the engine fails, or what the topic holds is not a value.
    pub(crate) fn get(&mut self, tables: &GlobalTables, key: &K) -> Result<Option<Entry<V>>, StoreError> {
        self.key.clear();
        self.codec.append_key(key, &mut self.key)?;
        let place = &tables.places[self.index];
        place.engine.view(|view| {
            let row = view.get(place.keyspace, &self.key)?;
            row.map(|bytes| self.codec.read(bytes)).transpose()
        })
    }
}
