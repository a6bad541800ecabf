//! A stream thread: owns its consumer, its producer and its tasks, and runs them in one loop: commands, poll, process,
//! send, punctuate, commit. Nothing here waits for membership: that has a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::application::Application;
use super::collector::Collector;
use super::control::Gate;
use super::error::StreamsError;
use super::idle::Idle;
use super::offset_metadata::OffsetMetadata;
use super::restore::{RestoreProgress, RestoreRequest, Restored};
use super::shared::Shared;
use super::task::Task;
use crate::client::{ClientError, Consumer, PolledBatch, Producer, ProducerError, StartAt};
use crate::plan::AutoOffsetReset;
use crate::processor::PunctuationType;
use crate::record::{TaskId, TopicPartition};

/// What a thread is told.
pub(crate) enum Command {
    /// These tasks are yours.
    Assign(Vec<TaskId>),
    /// Commit these tasks and give them up; answer when it is done.
    Revoke(Vec<TaskId>, Sender<()>),
    /// These tasks are already somebody else's: forget them without a commit.
    Lose(Vec<TaskId>),
    /// Commit and end.
    Stop,
}

/// A task that processes, with what the thread keeps about it.
pub(super) struct Running {
    pub(super) task: Task,
    pub(super) collector: Collector,
    /// Where each partition goes back to after an abort.
    pub(super) committed: BTreeMap<TopicPartition, i64>,
    pub(super) idle: Idle,
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
    pub(super) restoring: BTreeMap<TaskId, Arc<RestoreProgress>>,
    pub(super) in_transaction: bool,
    pub(super) last_commit: Duration,
    pub(super) last_report: Duration,
    commands: Receiver<Command>,
    updater: Sender<RestoreRequest>,
    restored: (Sender<Restored>, Receiver<Restored>),
    batch: PolledBatch,
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
        gate: Gate,
        shared: Arc<Shared>,
        commands: Receiver<Command>,
        updater: Sender<RestoreRequest>,
    ) -> Result<Self, StreamsError> {
        let consumer =
            application.log.consumer(&application.config.application_id, application.isolation())?;
        let mut producer = application.log.producer(&application.producer_settings(index))?;
        if application.exactly_once() {
            init_transactions(&mut *producer, application.request_timeout())?;
        }
        let now = application.clock.monotonic();
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
            last_commit: now,
            last_report: Duration::ZERO,
            commands,
            updater,
            restored: crossbeam_channel::unbounded(),
            batch: PolledBatch::default(),
        })
    }

    /// Runs until told to stop, or until something fails that cannot be mended here.
    pub(crate) fn run(mut self) -> Result<(), StreamsError> {
        let result = self.work();
        if result.is_err() && self.in_transaction {
            let timeout = self.application.request_timeout();
            if let Err(error) = self.producer.abort_transaction(timeout) {
                tracing::warn!(%error, "the open transaction is left to its timeout");
            }
        }
        result
    }

    fn work(&mut self) -> Result<(), StreamsError> {
        loop {
            if let Next::Stop = self.take_commands()? {
                self.commit_all()?;
                for running in std::mem::take(&mut self.tasks) {
                    running.task.close()?;
                }
                return Ok(());
            }
            self.take_restored()?;
            self.poll()?;
            self.process()?;
            self.punctuate()?;
            self.advance_idle()?;
            self.commit_when_due()?;
            self.report_when_due();
        }
    }

    fn take_commands(&mut self) -> Result<Next, StreamsError> {
        if self.tasks.is_empty() && self.restoring.is_empty() {
            // Nothing to do: wait for work instead of spinning.
            match self.commands.recv_timeout(Duration::from_millis(self.application.config.poll_ms)) {
                Ok(command) => return self.obey(command),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => return Ok(Next::Go),
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Ok(Next::Stop),
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Next::Stop = self.obey(command)? {
                return Ok(Next::Stop);
            }
        }
        Ok(Next::Go)
    }

    fn obey(&mut self, command: Command) -> Result<Next, StreamsError> {
        match command {
            Command::Assign(ids) => {
                for id in ids {
                    self.begin(id)?;
                }
            }
            Command::Revoke(ids, done) => {
                self.commit_all()?;
                self.drop_tasks(&ids, true)?;
                // The asker may have given up waiting; the tasks are given up all the same.
                let _ = done.send(());
            }
            Command::Lose(ids) => {
                self.rewind()?;
                self.drop_tasks(&ids, false)?;
            }
            Command::Stop => return Ok(Next::Stop),
        }
        Ok(Next::Go)
    }

    /// Opens a task's stores and sends them to be restored.
    fn begin(&mut self, id: TaskId) -> Result<(), StreamsError> {
        let state = self.application.open_state(id)?;
        let progress = Arc::new(RestoreProgress::default());
        self.restoring.insert(id, Arc::clone(&progress));
        let request = RestoreRequest { task: id, state, progress, reply: self.restored.0.clone() };
        let gone =
            ClientError::Fatal { operation: "restore", reason: "the restoring thread has ended".into() };
        self.updater.send(request).map_err(|_| gone.into())
    }

    fn take_restored(&mut self) -> Result<(), StreamsError> {
        let mut whole = Vec::new();
        while let Ok(restored) = self.restored.1.try_recv() {
            let state = restored.state?;
            // A task that was revoked meanwhile is simply closed.
            if self.restoring.remove(&restored.task).is_some() {
                whole.push(self.application.make_task(restored.task, state));
            }
        }
        if whole.is_empty() { Ok(()) } else { self.start(whole) }
    }

    /// Brings restored tasks to their committed offsets and lets them run.
    fn start(&mut self, tasks: Vec<Task>) -> Result<(), StreamsError> {
        let timeout = self.application.request_timeout();
        let wall = self.application.clock.wall();
        let mut starts = self.continuing();
        for mut task in tasks {
            let partitions: Vec<TopicPartition> =
                task.group.queues.iter().map(|queue| queue.partition.clone()).collect();
            let mut committed = BTreeMap::new();
            for (partition, found) in partitions.iter().zip(self.consumer.committed(&partitions, timeout)?) {
                let start = match found {
                    Some(found) => {
                        if let Some(metadata) = OffsetMetadata::decode(&found.metadata) {
                            task.recall(partition, &metadata);
                        }
                        committed.insert(partition.clone(), found.offset);
                        StartAt::Offset(found.offset)
                    }
                    None => self.reset(partition)?,
                };
                starts.push((partition.clone(), start));
            }
            let collector = Collector::new(&task.env, &mut *self.producer)?;
            task.init(wall)?;
            tracing::info!(task = %task.id, thread = self.index, "task running");
            self.tasks.push(Running { task, collector, committed, idle: Idle::default() });
        }
        self.consumer.assign(&starts)?;
        self.report();
        Ok(())
    }

    /// The partitions already read, from where they are.
    fn continuing(&self) -> Vec<(TopicPartition, StartAt)> {
        let mut starts = Vec::new();
        for queue in self.tasks.iter().flat_map(|running| &running.task.group.queues) {
            let start = self.consumer.position(&queue.partition).map_or(StartAt::Beginning, StartAt::Offset);
            starts.push((queue.partition.clone(), start));
        }
        starts
    }

    pub(super) fn reset(&self, partition: &TopicPartition) -> Result<StartAt, StreamsError> {
        match self.application.offset_reset(&partition.topic) {
            AutoOffsetReset::Earliest => Ok(StartAt::Beginning),
            AutoOffsetReset::Latest => Ok(StartAt::End),
            AutoOffsetReset::ByDuration(ago) => {
                let since = self.application.clock.wall().minus_millis(crate::time::millis(ago));
                let mut admin = self.application.log.admin()?;
                let found = admin.offset_for_time(partition, since, self.application.request_timeout())?;
                Ok(found.map_or(StartAt::End, StartAt::Offset))
            }
            AutoOffsetReset::None => Err(StreamsError::NoOffset { partition: partition.to_string() }),
        }
    }

    /// Gives tasks up: closed in good order after a commit, dropped as they are otherwise.
    fn drop_tasks(&mut self, ids: &[TaskId], committed: bool) -> Result<(), StreamsError> {
        self.restoring.retain(|id, _| !ids.contains(id));
        let (gone, kept) = std::mem::take(&mut self.tasks)
            .into_iter()
            .partition::<Vec<_>, _>(|running| ids.contains(&running.task.id));
        self.tasks = kept;
        if gone.is_empty() {
            return Ok(());
        }
        for running in gone {
            tracing::info!(task = %running.task.id, thread = self.index, "task given up");
            if committed {
                running.task.close()?;
            }
        }
        let starts = self.continuing();
        self.consumer.assign(&starts)?;
        self.report();
        Ok(())
    }

    fn poll(&mut self) -> Result<(), StreamsError> {
        if self.tasks.is_empty() {
            if !self.restoring.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Ok(());
        }
        let waiting = self.tasks.iter().any(|running| running.task.group.buffered() > 0);
        let timeout = if waiting { Duration::ZERO } else { self.poll_timeout() };
        let mut batch = std::mem::take(&mut self.batch);
        match self.consumer.poll(self.application.config.poll_records_max, timeout, &mut batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                tracing::warn!(reason, "waiting for the log");
                std::thread::sleep(Duration::from_millis(500));
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
        let wall = self.application.clock.wall();
        for index in 0..self.tasks.len() {
            let running = &mut self.tasks[index];
            running.task.env.wall = wall;
            let before = running.task.processed;
            loop {
                let done = running.task.process(TURN_RECORDS)?;
                if done < TURN_RECORDS {
                    break;
                }
            }
            if self.tasks[index].task.processed > before {
                self.tasks[index].task.finish_batch()?;
            }
            self.send_outputs(index)?;
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
        Ok(running.collector.drain(&mut running.task.env, &mut *self.producer)?)
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
        let asked = self.tasks.iter().any(|running| running.task.env.commit_requested);
        let full =
            self.tasks.iter().any(|running| running.task.env.state.overlay_bytes() > OVERLAY_BYTES_MAX);
        let due = now.saturating_sub(self.last_commit) >= self.application.config.commit_interval();
        if due || asked || full { self.commit_all() } else { Ok(()) }
    }
}

/// Bytes of evicted, uncommitted changes that a task may hold before it commits early.
const OVERLAY_BYTES_MAX: usize = 32 << 20;

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
