//! Global tables: one thread per instance reads their topics, all partitions of them, first to their ends and then on and
//! on, into stores that every task reads. The stores are in memory and read whole at every start: a global table is its
//! topic.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError};

use super::config::StreamsConfig;
use super::error::StreamsError;
use super::threads::Threads;
use super::topics::PreparedTopics;
use crate::client::{ClientError, Consumer, Isolation, Log, PolledBatch, StartAt};
use crate::plan::Topology;
use crate::record::{Partition, TopicPartition};
use crate::state::{EngineChoice, GlobalTables, TaskSettings, TaskState};

/// Records taken by one poll.
const RECORDS_MAX: usize = 20_000;

/// How long a poll waits for the first record; also how late a stop may be seen.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// Reads the topics of all global tables.
pub(crate) struct GlobalUpdater {
    consumer: Box<dyn Consumer>,
    state: TaskState,
    /// Each partition with the store it belongs to.
    partitions: Vec<(TopicPartition, usize)>,
    batch: PolledBatch,
}

impl GlobalUpdater {
    /// Reads every global table to the end it has now; nothing where the topology has none.
    pub(crate) fn bootstrap(
        topology: &Topology,
        config: &StreamsConfig,
        isolation: Isolation,
        log: &Arc<dyn Log>,
        topics: &PreparedTopics,
        threads: &dyn Threads,
    ) -> Result<Option<Self>, StreamsError> {
        let globals = topology.globals();
        if globals.is_empty() {
            return Ok(None);
        }
        let decls: Vec<_> = globals.iter().map(|global| global.store.clone()).collect();
        let settings = TaskSettings {
            engine: EngineChoice::Memory,
            cache_bytes_max: 0,
            changelog_topics: globals.iter().map(|global| Arc::clone(global.topic.declared())).collect(),
        };
        let mut partitions = Vec::new();
        for (store, topic) in settings.changelog_topics.iter().enumerate() {
            let count = topics.partitions.get(topic).copied().unwrap_or(0);
            partitions.extend((0..count).map(|number| {
                (TopicPartition { topic: Arc::clone(topic), partition: Partition(number) }, store)
            }));
        }
        let mut updater = Self {
            consumer: log.consumer(&config.application_id, isolation)?,
            state: TaskState::open(&decls, &settings)?,
            partitions,
            batch: PolledBatch::default(),
        };
        let (mut admin, timeout) = (log.admin()?, Duration::from_millis(config.request_timeout_ms));
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for (partition, _) in &updater.partitions {
            let marks = admin.watermarks(partition, timeout)?;
            let end = if isolation == Isolation::ReadCommitted { marks.stable } else { marks.high };
            starts.push((partition.clone(), StartAt::Beginning));
            ends.push((partition.clone(), end));
            if marks.low >= end {
                ends.pop();
            }
        }
        updater.consumer.assign(&starts)?;
        while !ends.is_empty() {
            updater.step(threads)?;
            let consumer = &updater.consumer;
            ends.retain(|(partition, end)| consumer.position(partition).is_none_or(|at| at < *end));
        }
        Ok(Some(updater))
    }

    /// What tasks read.
    pub(crate) fn tables(&self) -> GlobalTables {
        GlobalTables::of(&self.state)
    }

    /// Reads on until `stop` is closed.
    pub(crate) fn run(mut self, stop: &Receiver<()>, threads: &dyn Threads) -> Result<(), StreamsError> {
        while stop.try_recv() != Err(TryRecvError::Disconnected) {
            self.step(threads)?;
        }
        Ok(())
    }

    fn step(&mut self, threads: &dyn Threads) -> Result<(), StreamsError> {
        match self.consumer.poll(RECORDS_MAX, POLL_WAIT, &mut self.batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                tracing::warn!(reason, "global tables wait for the log");
                threads.sleep(Duration::from_millis(500));
            }
            Err(error) => return Err(error.into()),
        }
        for run in self.batch.runs.drain(..) {
            let store = self.partitions.iter().find(|(partition, _)| *partition == run.source);
            let Some((_, store)) = store else { continue };
            let next = run.iter().last().map_or(0, |record| record.offset + 1);
            self.state.restore(*store, run, next, usize::MAX)?;
        }
        Ok(self.state.finish_restore()?)
    }
}
