//! Global tables and stores: one thread per instance reads their topics, all partitions of them, first to their ends and
//! then on and on, into stores that every task reads. They are in memory and read whole at every start: a global table is
//! its topic.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError};

use super::error::StreamsError;
use super::global_stores::{GlobalPlan, GlobalStores, Taken};
use super::threads::Threads;
use crate::client::{ClientError, Consumer, Isolation, Log, PolledBatch, StartAt};
use crate::record::RecordRun;
use crate::state::GlobalTables;
use crate::time::Clock;

/// Records taken by one poll.
const RECORDS_MAX: usize = 20_000;

/// How long a poll waits for the first record; also how late a stop may be seen.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// Reads the topics of all global tables and stores.
pub(crate) struct GlobalUpdater {
    consumer: Box<dyn Consumer>,
    stores: GlobalStores,
    clock: Arc<dyn Clock>,
    batch: PolledBatch,
    /// What was polled and is still to be taken: a record among it is tried again.
    waiting: VecDeque<RecordRun>,
    /// How long that record rests before.
    rest: Duration,
}

impl GlobalUpdater {
    /// Reads every global table and store to the end it has now; nothing where the topology has none.
    pub(crate) fn bootstrap(
        plan: &GlobalPlan<'_>,
        log: &Arc<dyn Log>,
        isolation: Isolation,
        timeout: Duration,
        (threads, clock): (&dyn Threads, &Arc<dyn Clock>),
    ) -> Result<Option<Self>, StreamsError> {
        if plan.topology.globals().is_empty() {
            return Ok(None);
        }
        let mut updater = Self {
            consumer: log.consumer(plan.application, isolation)?,
            stores: GlobalStores::open(plan)?,
            clock: Arc::clone(clock),
            batch: PolledBatch::default(),
            waiting: VecDeque::new(),
            rest: Duration::ZERO,
        };
        let mut admin = log.admin()?;
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for partition in updater.stores.partitions() {
            let marks = admin.watermarks(partition, timeout)?;
            let end = if isolation == Isolation::ReadCommitted { marks.stable } else { marks.high };
            starts.push((partition.clone(), StartAt::Beginning));
            ends.push((partition.clone(), end));
            if marks.low >= end {
                ends.pop();
            }
        }
        updater.consumer.assign(&starts)?;
        while !ends.is_empty() || !updater.waiting.is_empty() {
            updater.step(threads)?;
            let consumer = &updater.consumer;
            ends.retain(|(partition, end)| consumer.position(partition).is_none_or(|at| at < *end));
        }
        Ok(Some(updater))
    }

    /// What tasks read.
    pub(crate) fn tables(&self) -> GlobalTables {
        self.stores.tables()
    }

    /// Reads on until `stop` is closed.
    pub(crate) fn run(mut self, stop: &Receiver<()>, threads: &dyn Threads) -> Result<(), StreamsError> {
        while stop.try_recv() != Err(TryRecvError::Disconnected) {
            self.step(threads)?;
        }
        Ok(())
    }

    fn step(&mut self, threads: &dyn Threads) -> Result<(), StreamsError> {
        if !self.rest.is_zero() {
            let nap = self.rest.min(POLL_WAIT);
            threads.sleep(nap);
            self.rest -= nap;
            return Ok(());
        }
        if self.waiting.is_empty() {
            self.poll(threads)?;
        }
        self.stores.set_wall(self.clock.wall());
        while let Some(run) = self.waiting.pop_front() {
            if let Taken::Again { run, after } = self.stores.take(run)? {
                tracing::warn!(source = %run.source, ?after, "a record of a global store is tried again");
                self.waiting.push_front(run);
                self.rest = after;
                break;
            }
        }
        Ok(self.stores.settle()?)
    }

    fn poll(&mut self, threads: &dyn Threads) -> Result<(), StreamsError> {
        match self.consumer.poll(RECORDS_MAX, POLL_WAIT, &mut self.batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                tracing::warn!(reason, "global tables wait for the log");
                threads.sleep(Duration::from_millis(500));
            }
            Err(error) => return Err(error.into()),
        }
        self.waiting.extend(self.batch.runs.drain(..));
        Ok(())
    }
}
