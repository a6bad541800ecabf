//! Restoration: one thread per instance brings tasks' stores up to the ends of their changelogs, off the processing
//! threads. A task goes in by channel and comes back when it is whole; each comes back as soon as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::application::{Application, Changelog};
use super::error::StreamsError;
use super::hanging::Hanging;
use super::planted::{Bug, planted};
use super::purge::{Processed, purge};
use super::threads::receive;
use crate::client::{Admin, ClientError, Consumer, Isolation, PolledBatch, StartAt, Watermarks};
use crate::record::{TaskId, TopicPartition};
use crate::state::{EngineChoice, TaskSettings, TaskState};

/// A task's stores on their way to being whole.
pub(crate) struct RestoreRequest {
    pub(crate) task: TaskId,
    pub(crate) state: TaskState,
    pub(crate) progress: Arc<RestoreProgress>,
    /// Where the restored stores go: the thread that owns the task.
    pub(crate) reply: Sender<Restored>,
}

/// What the restoring thread is asked to do.
pub(crate) enum Work {
    Restore(RestoreRequest),
    /// Between restorations: to delete from repartition topics what has been processed.
    Purge(Processed),
}

/// The outcome of a restoration.
pub(crate) struct Restored {
    pub(crate) task: TaskId,
    pub(crate) state: Result<TaskState, StreamsError>,
}

/// How far a restoration is, for the status page.
#[derive(Debug, Default)]
pub(crate) struct RestoreProgress {
    pub(crate) restored: AtomicI64,
    pub(crate) total: AtomicI64,
    /// The task was given away meanwhile: it is handed back as it is.
    pub(crate) is_unwanted: AtomicBool,
}

/// One changelog partition being read.
struct Stream {
    partition: TopicPartition,
    store: usize,
    start: i64,
    end: i64,
}

struct Restoring {
    request: RestoreRequest,
    streams: Vec<Stream>,
}

/// The restoring thread.
pub(crate) struct StateUpdater {
    application: Arc<Application>,
    requests: Receiver<Work>,
    consumer: Box<dyn Consumer>,
    admin: Box<dyn Admin>,
    restoring: Vec<Restoring>,
    batch: PolledBatch,
    /// Purging was not allowed the last time.
    purge_is_denied: bool,
}

/// Records taken from the changelogs by one poll: restoration wants big sorted batches.
const RESTORE_RECORDS_MAX: usize = 20_000;

/// Bytes of records that are gathered before they are written, of all stores together.
const GATHERED_BYTES_MAX: usize = 64 << 20;

impl StateUpdater {
    pub(crate) fn new(application: Arc<Application>, requests: Receiver<Work>) -> Result<Self, StreamsError> {
        let group = &application.config.application_id;
        let isolation = match planted(Bug::RestoredUncommitted) {
            false => Isolation::ReadCommitted,
            true => Isolation::ReadUncommitted,
        };
        let consumer = application.log.consumer(group, isolation)?;
        let admin = application.log.admin()?;
        Ok(Self {
            application,
            requests,
            consumer,
            admin,
            restoring: Vec::new(),
            batch: PolledBatch::default(),
            purge_is_denied: false,
        })
    }

    /// Runs until the request channel is closed.
    pub(crate) fn run(mut self) {
        loop {
            let request = if self.restoring.is_empty() {
                match receive(&*self.application.threads, &self.requests, None) {
                    Ok(request) => Some(request),
                    Err(_) => return,
                }
            } else {
                match self.requests.try_recv() {
                    Ok(request) => Some(request),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            };
            match request {
                Some(Work::Restore(request)) => {
                    self.begin(request);
                    continue;
                }
                Some(Work::Purge(processed)) => {
                    purge(&self.application, &mut *self.admin, &processed, &mut self.purge_is_denied);
                }
                None => {}
            }
            if self.restoring.is_empty() {
                continue;
            }
            if let Err(error) = self.step() {
                self.fail_all(error);
            }
        }
    }

    fn begin(&mut self, mut request: RestoreRequest) {
        match self.checked_plan(&mut request) {
            Ok((streams, total)) => {
                tracing::debug!(task = %request.task, total, "task restores");
                request.progress.total.store(total, Ordering::Relaxed);
                self.restoring.push(Restoring { request, streams });
                if let Err(error) = self.assign().and_then(|()| self.finish_done()) {
                    self.fail_all(error);
                }
            }
            Err(error) => reply(request.reply, request.task, Err(error)),
        }
    }

    /// The plan for a task; stores whose position their changelog does not hold are thrown away first and begin anew.
    fn checked_plan(&mut self, request: &mut RestoreRequest) -> Result<(Vec<Stream>, i64), StreamsError> {
        if let Some(plan) = self.plan(request)? {
            return Ok(plan);
        }
        let nothing =
            TaskSettings { engine: EngineChoice::Memory, cache_bytes_max: 0, changelog_topics: Vec::new() };
        let empty = TaskState::open(&[], &nothing)?;
        std::mem::replace(&mut request.state, empty).wipe()?;
        request.state = self.application.open_state(request.task)?;
        let lost =
            ClientError::Fatal { operation: "restore", reason: "an empty store has no position".into() };
        self.plan(request)?.ok_or_else(|| lost.into())
    }

    /// Which changelog partitions a task still has to read, and how many records that is at most; nothing when a store's
    /// position is not within its changelog.
    fn plan(&mut self, request: &RestoreRequest) -> Result<Option<(Vec<Stream>, i64)>, StreamsError> {
        let positions = request.state.positions().to_vec();
        let mut streams = Vec::new();
        let mut total = 0;
        for Changelog { store, partition, is_source } in self.application.changelogs(request.task) {
            let expires = self.application.changelog_expires(request.task, store);
            let marks = if is_source {
                self.processed_marks(&partition, &request.progress)?
            } else {
                self.settled_marks(&partition, &request.progress)?
            };
            if planted(Bug::NoRestoration) {
                continue;
            }
            let mut start = positions[store].unwrap_or(marks.low);
            let held = format!("{} to {}", marks.low, marks.high);
            if start < marks.low && expires {
                // Only what is older than the windows' retention was deleted; what the store has is whole.
                tracing::info!(%partition, start, held, "the changelog has expired up to its new start: restored from there");
                start = marks.low;
            }
            if start > marks.high || start < marks.low {
                tracing::warn!(%partition, start, held, "the changelog does not hold the store's position: it is rebuilt");
                return Ok(None);
            }
            if start < marks.stable {
                total += marks.stable - start.max(marks.low);
                streams.push(Stream { partition, store, start, end: marks.stable });
            }
        }
        Ok(Some((streams, total)))
    }

    /// Where a changelog begins and ends, once no open transaction of a former owner hides its end: what lies behind would
    /// be missing in the store. Such a transaction ends when its owner is fenced, or by its own timeout.
    fn settled_marks(
        &mut self,
        partition: &TopicPartition,
        progress: &RestoreProgress,
    ) -> Result<Watermarks, StreamsError> {
        let timeout = self.application.request_timeout();
        let clock = Arc::clone(&self.application.clock);
        let mut warn_at = clock.monotonic() + timeout;
        let mut hanging = Hanging::new(&self.application);
        loop {
            let marks = match self.admin.watermarks(partition, timeout) {
                Err(ClientError::Unavailable { reason, .. })
                    if !progress.is_unwanted.load(Ordering::Relaxed) =>
                {
                    self.wait_for_log(&reason);
                    continue;
                }
                answer => answer?,
            };
            if planted(Bug::RestoredUncommitted) {
                return Ok(Watermarks { stable: marks.high, ..marks });
            }
            if marks.stable >= marks.high || progress.is_unwanted.load(Ordering::Relaxed) {
                return Ok(marks);
            }
            if clock.monotonic() > warn_at {
                warn_at = clock.monotonic() + timeout;
                tracing::warn!(%partition, stable = marks.stable, high = marks.high, "restoration waits for an open transaction of a former owner to end");
            }
            let admin = &mut *self.admin;
            hanging.end_when_due(partition, |limit| admin.end_hanging_transactions(partition, limit));
            self.application.threads.sleep(Duration::from_millis(10));
        }
    }

    /// Where a source topic begins, and where its processing has been committed to: behind that is work to do.
    fn processed_marks(
        &mut self,
        partition: &TopicPartition,
        progress: &RestoreProgress,
    ) -> Result<Watermarks, StreamsError> {
        let timeout = self.application.request_timeout();
        loop {
            let low = self.admin.watermarks(partition, timeout).map(|marks| marks.low);
            let asked = std::slice::from_ref(partition);
            let (low, committed) =
                match low.and_then(|low| Ok((low, self.consumer.committed(asked, timeout)?))) {
                    Err(ClientError::Unavailable { reason, .. }) => {
                        if progress.is_unwanted.load(Ordering::Relaxed) {
                            return Ok(Watermarks { low: 0, high: i64::MAX, stable: 0 });
                        }
                        self.wait_for_log(&reason);
                        continue;
                    }
                    answer => answer?,
                };
            let end =
                committed.into_iter().flatten().next().map_or(low, |committed| committed.offset.max(low));
            return Ok(Watermarks { low, high: end, stable: end });
        }
    }

    fn wait_for_log(&self, reason: &str) {
        tracing::warn!(reason, "restoration waits for the log");
        self.application.threads.sleep(Duration::from_millis(500));
    }

    fn assign(&mut self) -> Result<(), StreamsError> {
        let mut starts = Vec::new();
        for restoring in &self.restoring {
            for stream in &restoring.streams {
                let from = self.consumer.position(&stream.partition).unwrap_or(stream.start);
                starts.push((stream.partition.clone(), StartAt::Offset(from)));
            }
        }
        Ok(self.consumer.assign(&starts)?)
    }

    fn step(&mut self) -> Result<(), StreamsError> {
        let mut batch = std::mem::take(&mut self.batch);
        match self.consumer.poll(RESTORE_RECORDS_MAX, Duration::from_millis(50), &mut batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                self.wait_for_log(&reason);
            }
            Err(error) => return Err(error.into()),
        }
        let stores: usize = self.restoring.iter().map(|restoring| restoring.streams.len()).sum();
        let bytes_max = GATHERED_BYTES_MAX / stores.max(1);
        for mut run in batch.runs.drain(..) {
            let owner = self.restoring.iter_mut().find_map(|restoring| {
                let stream = restoring.streams.iter().find(|stream| stream.partition == run.source)?;
                Some((stream.store, stream.end, &mut restoring.request))
            });
            let Some((store, end, request)) = owner else { continue };
            // Behind the end of a source topic's restoration is what is still to be processed.
            run.cut(end);
            if run.is_empty() {
                continue;
            }
            let count = i64::try_from(run.len()).unwrap_or(i64::MAX);
            let last = run.iter().last().map_or(0, |record| record.offset);
            request.state.restore(store, run, last + 1, bytes_max)?;
            request.progress.restored.fetch_add(count, Ordering::Relaxed);
        }
        self.batch = batch;
        self.finish_done()
    }

    /// Hands back every task whose changelogs were read to their ends.
    fn finish_done(&mut self) -> Result<(), StreamsError> {
        let before = self.restoring.len();
        let mut index = 0;
        while index < self.restoring.len() {
            let consumer = &self.consumer;
            let streams = &self.restoring[index].streams;
            let whole = streams
                .iter()
                .all(|stream| consumer.position(&stream.partition).is_some_and(|at| at >= stream.end));
            if self.restoring[index].request.progress.is_unwanted.load(Ordering::Relaxed) {
                let Restoring { request, .. } = self.restoring.swap_remove(index);
                reply(request.reply, request.task, Ok(request.state));
                continue;
            }
            if !whole {
                index += 1;
                continue;
            }
            let Restoring { request, streams } = self.restoring.swap_remove(index);
            let mut state = request.state;
            let positions: Vec<(usize, i64)> =
                streams.iter().map(|stream| (stream.store, stream.end)).collect();
            state.finish_restore()?;
            state.commit(&positions)?;
            reply(request.reply, request.task, Ok(state));
        }
        if self.restoring.len() < before { self.assign() } else { Ok(()) }
    }

    fn fail_all(&mut self, error: StreamsError) {
        let mut error = Some(error);
        for restoring in self.restoring.drain(..) {
            let cause = error.take().unwrap_or_else(|| {
                ClientError::Fatal {
                    operation: "restore",
                    reason: "another task's restoration failed".into(),
                }
                .into()
            });
            reply(restoring.request.reply, restoring.request.task, Err(cause));
        }
    }
}

fn reply(channel: Sender<Restored>, task: TaskId, state: Result<TaskState, StreamsError>) {
    if channel.send(Restored { task, state }).is_err() {
        tracing::debug!(%task, "the task was given away while it was restored");
    }
}
