//! A stream thread: owns its consumer, its producer and its tasks, and runs them in one loop: commands, poll, process,
//! send, punctuate, commit. Nothing here waits for membership: that has a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::application::Application;
use super::collector::Collector;
use super::error::StreamsError;
use super::idle::Idle;
use super::lag::AWAITED_POLL;
use super::membership::{Gate, Grant};
use super::pulse::Pulse;
use super::report::Meters;
use super::restore::{RestoreProgress, Restored, Work};
use super::retention::{Expiring, expiring};
use super::shared::Shared;
use super::snapshots::SnapshotSchedule;
use super::task::{Task, TaskFault};
use super::threads::{receive, wait_for_either};
use crate::client::{ClientError, Consumer, PolledBatch, Producer, ProducerError};
use crate::processor::PunctuationType;
use crate::record::{TaskId, TopicPartition};
use crate::state::Snapshot;

/// What a thread is told. What it gives up it says in the channel that it was made with.
pub(crate) enum Command {
    /// These tasks are yours.
    Assign(Vec<Grant>),
    /// Commit these tasks and give them up.
    Revoke(Vec<Grant>),
    /// These tasks may already be somebody else's: forget them without a commit.
    Lose(Vec<Grant>),
    /// Commit and end.
    Stop,
}

/// How a thread is tied to the others of its instance.
pub(crate) struct ThreadEnds {
    pub(crate) gate: Gate,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) given_up: Sender<Grant>,
    pub(crate) updater: Sender<Work>,
    pub(crate) snapshots: Option<Sender<(TaskId, Snapshot)>>,
}

/// A task whose stores are being restored.
pub(super) struct Awaited {
    pub(super) progress: Arc<RestoreProgress>,
    pub(super) grant: Grant,
}

/// A task that processes, with what the thread keeps about it.
pub(super) struct Running {
    pub(super) task: Task,
    pub(super) collector: Collector,
    /// Where each partition was committed last, or where it began.
    pub(super) committed: BTreeMap<TopicPartition, i64>,
    /// What was processed and logged when the stores went back behind it: until it is processed again, to these offsets,
    /// the changelogs hold rows that the stores do not.
    pub(super) redo: BTreeMap<TopicPartition, i64>,
    pub(super) idle: Idle,
    /// Under what it was granted.
    pub(super) grant: Grant,
}

/// A stream thread's own things; see the module.
pub(crate) struct StreamThread {
    pub(super) index: usize,
    pub(super) application: Arc<Application>,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) producer: Box<dyn Producer>,
    pub(super) gate: Gate,
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: Vec<Running>,
    pub(super) restoring: BTreeMap<TaskId, Awaited>,
    pub(super) in_transaction: bool,
    /// The last commit was refused: nothing is processed until the gate lets one through, or the tasks are taken.
    pub(super) waits_for_gate: bool,
    /// Until then a record that failed waits for its next try.
    pub(super) rests_until: Option<Duration>,
    pub(super) last_commit: Duration,
    /// Since when a commit waits for slow work.
    pub(super) drains_since: Option<Duration>,
    pub(super) last_report: Duration,
    /// What was told to be deleted last, and when.
    pub(super) purged: (BTreeMap<TopicPartition, i64>, Duration),
    /// The stores whose changelogs expire, by sub-topology; nothing once it was said that the log deletes what windows need.
    pub(super) expiring: Option<Expiring>,
    pub(super) given_up: Sender<Grant>,
    pub(super) updater: Sender<Work>,
    pub(super) restored: (Sender<Restored>, Receiver<Restored>),
    pub(super) meters: Meters,
    pub(super) snapshots: SnapshotSchedule,
    pulse: Arc<Pulse>,
    commands: Receiver<Command>,
    batch: PolledBatch,
    /// Bytes of evicted, uncommitted changes that a task may hold before it commits early.
    overlay_bytes_max: usize,
}

/// Records a task may process before the others have their turn.
const TURN_RECORDS: usize = 1_000;

/// What the loop does next.
enum Next {
    Go,
    Stop,
}

impl StreamThread {
    pub(crate) fn new(
        index: usize,
        application: Arc<Application>,
        ends: ThreadEnds,
    ) -> Result<Self, StreamsError> {
        let consumer = application.log.consumer_with(&application.consumer_settings())?;
        let producer = new_producer(&application, index)?;
        let ThreadEnds { gate, shared, commands, given_up, updater, snapshots } = ends;
        let every = Duration::from_millis(application.config.snapshot_interval_ms);
        let now = application.clock.monotonic();
        let overlay_bytes_max = application.budget().overlay;
        let expiring = expiring(&application);
        let pulse = Arc::<Pulse>::default();
        shared.set_pulse(index, Some(Arc::clone(&pulse)));
        Ok(Self {
            index,
            application,
            consumer,
            producer,
            gate,
            shared,
            tasks: Vec::new(),
            restoring: BTreeMap::new(),
            in_transaction: false,
            waits_for_gate: false,
            rests_until: None,
            last_commit: now,
            drains_since: None,
            last_report: Duration::ZERO,
            purged: (BTreeMap::new(), now),
            expiring: Some(expiring),
            given_up,
            updater,
            restored: crossbeam_channel::unbounded(),
            meters: Meters::new(index),
            snapshots: SnapshotSchedule::new(snapshots, every),
            pulse,
            commands,
            batch: PolledBatch::default(),
            overlay_bytes_max,
        })
    }

    /// Runs until told to stop, or until something fails that cannot be mended here.
    pub(crate) fn run(mut self) -> Result<(), StreamsError> {
        let result = self.work();
        // Nobody waits for what is still being restored: neither may the restoring thread, for a transaction that hangs.
        for awaited in self.restoring.values() {
            awaited.progress.is_unwanted.store(true, Ordering::Relaxed);
        }
        if result.is_err() && self.in_transaction {
            let timeout = self.application.request_timeout();
            if let Err(error) = self.producer.abort_transaction(timeout) {
                // What ends the thread says the same when it is the reason.
                if !matches!(error, ProducerError::Denied { .. }) {
                    tracing::warn!(%error, "the open transaction is left to its timeout");
                }
            }
        }
        result
    }

    fn work(&mut self) -> Result<(), StreamsError> {
        loop {
            let outcome = match self.turn() {
                // The log lost the transaction between two commits: its records are processed again.
                Err(StreamsError::Producer(ProducerError::Abortable { reason })) => {
                    tracing::warn!(thread = self.index, reason, "the transaction is aborted and repeated");
                    self.rewind().map(|()| Next::Go)
                }
                Err(StreamsError::Task(fault @ TaskFault::Again { .. })) => {
                    self.again(&fault).map(|()| Next::Go)
                }
                outcome => outcome,
            };
            match outcome {
                Ok(Next::Go) => {}
                Ok(Next::Stop) => return Ok(()),
                Err(StreamsError::Producer(error @ (ProducerError::Fenced | ProducerError::Unsettled))) => {
                    self.replace_producer(&error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn turn(&mut self) -> Result<Next, StreamsError> {
        if let Next::Stop = self.take_commands()? {
            let grants: Vec<Grant> = self.tasks.iter().map(|running| running.grant).collect();
            self.revoke(&grants)?;
            return Ok(Next::Stop);
        }
        self.take_restored()?;
        if self.waits_for_gate {
            self.waits_for_gate = !self.tasks.is_empty() && self.gate.metadata(self.losses()).is_err();
            return Ok(Next::Go);
        }
        if self.is_resting() {
            self.report_when_due();
            return Ok(Next::Go);
        }
        if self.shared.is_paused() {
            // Nothing new is begun; what was begun is finished.
            self.commit_when_due()?;
            self.report_when_due();
            return Ok(Next::Go);
        }
        self.poll()?;
        self.process()?;
        self.punctuate()?;
        self.advance_idle()?;
        self.commit_when_due()?;
        self.report_when_due();
        Ok(Next::Go)
    }

    fn take_commands(&mut self) -> Result<Next, StreamsError> {
        let idle = self.tasks.is_empty() && self.restoring.is_empty();
        let is_paused = self.shared.is_paused();
        if idle || is_paused || self.waits_for_gate || self.is_resting() {
            // Nothing to do: wait for work instead of spinning.
            let patience = if idle || is_paused { self.application.config.poll_ms } else { 2 };
            match receive(&*self.application.threads, &self.commands, Some(Duration::from_millis(patience))) {
                Ok(command) => return self.obey(command),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => return Ok(Next::Go),
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Ok(Next::Stop),
            }
        }
        if self.tasks.is_empty() {
            let patience = Duration::from_millis(self.application.config.poll_ms);
            wait_for_either(&*self.application.threads, &self.commands, &self.restored.1, patience);
        }
        loop {
            match self.commands.try_recv() {
                Ok(command) => {
                    if let Next::Stop = self.obey(command)? {
                        return Ok(Next::Stop);
                    }
                }
                Err(TryRecvError::Empty) => return Ok(Next::Go),
                Err(TryRecvError::Disconnected) => return Ok(Next::Stop),
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next, StreamsError> {
        match command {
            Command::Assign(grants) => grants.into_iter().try_for_each(|grant| self.begin(grant))?,
            Command::Revoke(grants) => self.revoke(&grants)?,
            Command::Lose(grants) => self.lose(&grants)?,
            Command::Stop => return Ok(Next::Stop),
        }
        Ok(Next::Go)
    }

    fn poll(&mut self) -> Result<(), StreamsError> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        self.look_for_lag();
        let timeout = if self.tasks.iter().any(|running| running.task.is_ready()) {
            Duration::ZERO
        } else if self.tasks.iter().any(|running| running.task.group.buffered() > 0) {
            self.poll_timeout().min(AWAITED_POLL)
        } else {
            self.poll_timeout()
        };
        let timeout = timeout.min(self.patience_with_slow_work());
        let mut batch = std::mem::take(&mut self.batch);
        match self.consumer.poll(self.application.config.poll_records_max, timeout, &mut batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                tracing::warn!(reason, "waiting for the log");
                self.application.threads.sleep(Duration::from_millis(500));
            }
            Err(error) => return Err(error.into()),
        }
        for run in batch.runs.drain(..) {
            let owner = self.tasks.iter_mut().find_map(|running| {
                let queue = running.task.group.index_of(&run.source)?;
                Some((&mut running.task, queue))
            });
            if let Some((task, queue)) = owner {
                task.enqueue(queue, run);
            }
        }
        self.batch = batch;
        self.pause_full()
    }

    /// How long a poll may wait: until the next commit at most, and no longer than configured.
    fn poll_timeout(&self) -> Duration {
        let config = &self.application.config;
        let since = self.application.clock.monotonic().saturating_sub(self.last_commit);
        let left = config.commit_interval().saturating_sub(since);
        if !self.restoring.is_empty() {
            // The next task may be whole at any moment.
            return Duration::from_millis(2);
        }
        Duration::from_millis(config.poll_ms).min(left.max(Duration::from_millis(1)))
    }

    /// Pauses partitions whose queues are full, and resumes those that have room again.
    fn pause_full(&mut self) -> Result<(), StreamsError> {
        let limit = self.application.config.buffered_records_max;
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for queue in self.tasks.iter_mut().flat_map(|running| &mut running.task.group.queues) {
            let full = queue.len() > limit;
            if full != queue.paused {
                queue.paused = full;
                if full { &mut pause } else { &mut resume }.push(queue.partition.clone());
            }
        }
        if !pause.is_empty() {
            self.consumer.pause(&pause)?;
        }
        if !resume.is_empty() {
            self.consumer.resume(&resume)?;
        }
        Ok(())
    }

    fn process(&mut self) -> Result<(), StreamsError> {
        let (wall, began) = (self.application.clock.wall(), self.application.clock.monotonic());
        self.look_for_lag();
        let mut is_idle = true;
        for index in 0..self.tasks.len() {
            let running = &mut self.tasks[index];
            running.task.env.wall = wall;
            if !Arc::ptr_eq(&running.task.pulse, &self.pulse) {
                running.task.pulse = Arc::clone(&self.pulse);
            }
            running.task.pump()?;
            let before = running.task.processed;
            loop {
                let done = running.task.process(TURN_RECORDS)?;
                if done < TURN_RECORDS {
                    break;
                }
            }
            is_idle &= running.task.processed == before;
            self.send_outputs(index)?;
        }
        if !is_idle {
            self.meters.process.record(self.application.clock.monotonic().saturating_sub(began));
        }
        self.producer.poll()?;
        self.pause_full()
    }

    /// Sends what a task has written, within a transaction under exactly-once.
    pub(super) fn send_outputs(&mut self, index: usize) -> Result<(), StreamsError> {
        let running = &mut self.tasks[index];
        if running.task.env.outputs.is_empty() {
            return Ok(());
        }
        if self.application.exactly_once() && !self.in_transaction {
            self.producer.begin_transaction()?;
            self.in_transaction = true;
        }
        let mut from = 0;
        loop {
            let running = &mut self.tasks[index];
            let refused = running.collector.drain(&mut running.task.env, &mut *self.producer, from)?;
            let Some((at, reason)) = refused else { return Ok(()) };
            self.refused(index, at, reason)?;
            from = at + 1;
        }
    }

    fn punctuate(&mut self) -> Result<(), StreamsError> {
        let wall = self.application.clock.wall();
        for index in 0..self.tasks.len() {
            self.tasks[index].task.env.wall = wall;
            self.tasks[index].task.punctuate(PunctuationType::WallClockTime, wall)?;
            self.send_outputs(index)?;
        }
        Ok(())
    }

    fn commit_when_due(&mut self) -> Result<(), StreamsError> {
        let now = self.application.clock.monotonic();
        let asked = self.tasks.iter().any(|running| running.task.asks_for_commit())
            || self.shared.directory.wants_commit(self.index);
        let overlay_max = self.overlay_bytes_max;
        let full = self.tasks.iter().any(|running| {
            let env = &running.task.env;
            !env.unfinished.is_draining() && env.state.overlay_bytes() > overlay_max
        });
        let due = now.saturating_sub(self.last_commit) >= self.application.config.commit_interval();
        if (due || asked || full) && self.may_commit()? {
            self.commit_all()?;
            self.tell_expiring();
            self.purge_when_due();
            self.snapshot_when_due();
        }
        Ok(())
    }
}

/// A thread's producer, registered where it writes in transactions.
pub(super) fn new_producer(
    application: &Application,
    thread: usize,
) -> Result<Box<dyn Producer>, StreamsError> {
    let mut producer = application.log.producer(&application.producer_settings(thread))?;
    if application.exactly_once() {
        init_transactions(&mut *producer, application.request_timeout())?;
    }
    Ok(producer)
}

/// Registers the transactional id; a log that is slow is asked again.
fn init_transactions(producer: &mut dyn Producer, timeout: Duration) -> Result<(), StreamsError> {
    loop {
        match producer.init_transactions(timeout) {
            Err(ProducerError::Timeout { operation }) => {
                tracing::warn!(operation, "waiting for the log to register the transactional id");
            }
            other => return Ok(other?),
        }
    }
}
