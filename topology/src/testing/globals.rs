//! The global tables of a driver or a backtest: their stores, fed record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::PipedRecord;
use crate::plan::Topology;
use crate::record::{RecordRun, TopicPartition};
use crate::state::{EngineChoice, GlobalTables, StoreError, TaskSettings, TaskState};

/// The stores of all global tables, in memory, with the topics they are made of.
pub(super) struct Globals {
    pub(super) state: TaskState,
    /// By topic: the store's place, and the next offset.
    topics: BTreeMap<Arc<str>, (usize, i64)>,
    names: Vec<Arc<str>>,
}

impl Globals {
    pub(super) fn open(topology: &Topology) -> Self {
        let globals = topology.globals();
        let decls: Vec<_> = globals.iter().map(|global| global.store.clone()).collect();
        let topics = || globals.iter().map(|global| Arc::clone(global.topic.declared()));
        let settings = TaskSettings {
            engine: EngineChoice::Memory,
            cache_bytes_max: 1 << 20,
            changelog_topics: topics().collect(),
        };
        Self {
            state: TaskState::open(&decls, &settings).expect("stores in memory open"),
            topics: topics().enumerate().map(|(index, topic)| (topic, (index, 0))).collect(),
            names: decls.iter().map(|decl| Arc::clone(&decl.name)).collect(),
        }
    }

    /// What tasks read.
    pub(super) fn tables(&self) -> GlobalTables {
        GlobalTables::of(&self.state)
    }

    /// The place of the store of this name.
    pub(super) fn position(&self, store: &str) -> Option<usize> {
        self.names.iter().position(|name| &**name == store)
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Brings a record into the table of `topic`.
    pub(super) fn put(&mut self, topic: &Arc<str>, record: &PipedRecord) -> Result<(), StoreError> {
        let Some((store, offset)) = self.topics.get_mut(topic) else { return Ok(()) };
        let mut run = RecordRun::new(TopicPartition::new(&**topic, 0));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        run.push(*offset, record.timestamp, key, value, record.headers.clone());
        *offset += 1;
        self.state.restore(*store, run, *offset, usize::MAX)?;
        self.state.finish_restore()
    }
}
