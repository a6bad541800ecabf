//! The global tables and stores of a driver or a backtest, fed record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::{DriverOptions, PipedRecord};
use super::topics::EveryTopic;
use super::workplace::InlineWorkplace;
use crate::plan::Topology;
use crate::processor::DropReason;
use crate::record::{Partition, RecordRun, TopicPartition};
use crate::runtime::{GlobalPlan, GlobalStores, Taken, TaskFault};
use crate::state::{GlobalTables, StateStore};
use crate::time::Timestamp;

/// All global tables and stores, in memory, with the topics they are made of.
pub(super) struct Globals {
    stores: GlobalStores,
    /// By topic: the next offset.
    topics: BTreeMap<Arc<str>, i64>,
    names: Vec<Arc<str>>,
    /// What was put, for those who start anew.
    recorded: Option<Vec<(Arc<str>, PipedRecord)>>,
    /// How many records were left out when everything was read again, by reason: they were counted before.
    counted: Vec<u64>,
}

impl Globals {
    /// Those of a run that ends with its process.
    pub(super) fn open(topology: &Topology, options: &DriverOptions) -> Result<Self, TaskFault> {
        let plan = GlobalPlan {
            topology,
            application: &options.application_id,
            partitions_of: &|_| 1,
            process_handler: Arc::clone(&options.process_handler),
            decode_handler: Arc::clone(&options.decode_handler),
            directory: Arc::new(EveryTopic(options.partitions.max(1))),
            workplace: Arc::new(InlineWorkplace::default()),
        };
        let mut stores = GlobalStores::open(&plan)?;
        stores.set_wall(options.wall_clock);
        let globals = topology.globals();
        Ok(Self {
            stores,
            topics: globals.iter().map(|global| (Arc::clone(global.topic.declared()), 0)).collect(),
            names: globals.iter().map(|global| Arc::clone(&global.store.name)).collect(),
            recorded: None,
            counted: Vec::new(),
        })
    }

    /// Those that can be [started anew](Self::reopen).
    pub(super) fn recorded(mut self) -> Self {
        self.recorded = Some(Vec::new());
        self
    }

    /// Reads everything again, as an instance does when it starts.
    pub(super) fn reopen(&mut self, topology: &Topology, options: &DriverOptions) -> Result<(), TaskFault> {
        let recorded = self.recorded.take().unwrap_or_default();
        *self = Self::open(topology, options)?.recorded();
        recorded.iter().try_for_each(|(topic, record)| self.put(topic, record))?;
        self.counted = self.stores.dropped().map(|(_, count)| count).collect();
        Ok(())
    }

    /// What tasks read.
    pub(super) fn tables(&self) -> GlobalTables {
        self.stores.tables()
    }

    /// The store of this name.
    pub(super) fn store(&mut self, name: &str) -> Option<&mut Box<dyn StateStore>> {
        let place = self.names.iter().position(|store| &**store == name)?;
        Some(&mut self.stores.stores_mut()[place])
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(super) fn set_wall(&mut self, wall: Timestamp) {
        self.stores.set_wall(wall);
    }

    pub(super) fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let counted = self.counted.iter().chain(std::iter::repeat(&0));
        self.stores.dropped().zip(counted).map(|((reason, count), counted)| (reason, count - counted))
    }

    /// Brings a record into the table or store of `topic`.
    pub(super) fn put(&mut self, topic: &Arc<str>, record: &PipedRecord) -> Result<(), TaskFault> {
        let Some(offset) = self.topics.get_mut(topic) else { return Ok(()) };
        let mut run = RecordRun::new(TopicPartition { topic: Arc::clone(topic), partition: Partition(0) });
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        run.push(*offset, record.timestamp, key, value, record.headers.clone());
        *offset += 1;
        if let Some(recorded) = &mut self.recorded {
            recorded.push((Arc::clone(topic), record.clone()));
        }
        // A driver does not rest.
        while let Taken::Again { run: again, .. } = self.stores.take(run)? {
            run = again;
        }
        self.stores.settle()
    }
}
