//! The stores of tasks that no thread runs. One thread per instance opens them, brings them up to the ends of their
//! changelogs, off the processing threads, and hands each task over as soon as it is whole; it takes back what threads give
//! up, and keeps copies of what other instances run. It alone opens and closes the stores of tasks.

mod copies;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use self::copies::TaskCopy;
use super::application::Application;
use super::error::StreamsError;
use super::planted::{Bug, planted};
use super::purge::{Processed, purge};
use super::shared::Shared;
use super::threads::receive;
use crate::client::{Admin, ClientError, Consumer, Isolation, PolledBatch, StartAt};
use crate::record::{RecordRun, TaskId, TopicPartition};
use crate::state::TaskState;

/// A task whose stores are to be made whole.
pub(crate) struct RestoreRequest {
    pub(crate) task: TaskId,
    pub(crate) progress: Arc<RestoreProgress>,
    /// Where the restored stores go: the thread that owns the task.
    pub(crate) reply: Sender<Restored>,
}

/// What the restoring thread is asked to do.
pub(crate) enum Work {
    Restore(RestoreRequest),
    /// To take back the stores of a task that a thread has given up, as they were at its last commit.
    Retire(TaskId, TaskState),
    /// To keep copies of these tasks' stores, and of no others.
    Keep(Kept),
    /// Between restorations: to delete from repartition topics what has been processed.
    Purge(Processed),
}

/// Of which tasks an instance has the stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Those that the leader wants it to keep copies of.
    pub(crate) copies: BTreeSet<TaskId>,
    /// Those that it runs, or is about to.
    pub(crate) held: BTreeSet<TaskId>,
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
    /// The offset to be read next.
    at: i64,
    end: i64,
    /// A source topic in a changelog's place: what is behind `end` is still to be processed.
    is_source: bool,
}

struct Restoring {
    request: RestoreRequest,
    state: TaskState,
    streams: Vec<Stream>,
}

/// The restoring thread.
pub(crate) struct StateUpdater {
    application: Arc<Application>,
    shared: Arc<Shared>,
    requests: Receiver<Work>,
    consumer: Box<dyn Consumer>,
    admin: Box<dyn Admin>,
    restoring: Vec<Restoring>,
    kept: Kept,
    copies: BTreeMap<TaskId, TaskCopy>,
    /// Tasks whose stores threads have.
    handed_out: BTreeSet<TaskId>,
    batch: PolledBatch,
    /// Purging was not allowed the last time.
    purge_is_denied: bool,
}

/// Records taken from the changelogs by one poll: restoration wants big sorted batches.
const RESTORE_RECORDS_MAX: usize = 20_000;

/// How long one poll waits, and how long it takes at most until a request is seen.
const POLL: Duration = Duration::from_millis(50);

impl StateUpdater {
    pub(crate) fn new(
        application: Arc<Application>,
        shared: Arc<Shared>,
        requests: Receiver<Work>,
    ) -> Result<Self, StreamsError> {
        let group = &application.config.application_id;
        let isolation = match planted(Bug::RestoredUncommitted) {
            false => Isolation::ReadCommitted,
            true => Isolation::ReadUncommitted,
        };
        let consumer = application.log.consumer(group, isolation)?;
        let admin = application.log.admin()?;
        Ok(Self {
            application,
            shared,
            requests,
            consumer,
            admin,
            restoring: Vec::new(),
            kept: Kept::default(),
            copies: BTreeMap::new(),
            handed_out: BTreeSet::new(),
            batch: PolledBatch::default(),
            purge_is_denied: false,
        })
    }

    /// Runs until the request channel is closed, and then closes all stores that it has.
    pub(crate) fn run(mut self) {
        loop {
            match self.next_request() {
                Ok(Some(work)) => self.take(work),
                Ok(None) if self.restoring.is_empty() && self.copies.is_empty() => {}
                Ok(None) => {
                    if let Err(error) = self.step() {
                        self.fail(error);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close_copies();
    }

    /// What is asked; nothing when there is something else to do.
    fn next_request(&mut self) -> Result<Option<Work>, RecvTimeoutError> {
        if self.restoring.is_empty() && self.copies.is_empty() {
            return receive(&*self.application.threads, &self.requests, None).map(Some);
        }
        match self.requests.try_recv() {
            Ok(work) => Ok(Some(work)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Restore(request) => self.begin(request),
            Work::Retire(task, state) => self.retire(task, state),
            Work::Keep(kept) => self.keep(kept),
            Work::Purge(processed) => {
                purge(&self.application, &mut *self.admin, &processed, &mut self.purge_is_denied);
            }
        }
    }

    fn begin(&mut self, request: RestoreRequest) {
        let task = request.task;
        self.handed_out.insert(task);
        let copy = self.copies.remove(&task);
        let has_copy = copy.is_some();
        let state = match copy {
            Some(copy) => copy.into_state(),
            None => self.application.open_state(task).map_err(StreamsError::from),
        };
        let plan = state.and_then(|state| match has_copy && planted(Bug::CopyTakenForWhole) {
            true => Ok((state, Vec::new(), 0)),
            false => self.checked_plan(task, state, &request.progress),
        });
        match plan {
            Ok((state, streams, total)) => {
                tracing::info!(%task, has_copy, records = total, "task restores");
                request.progress.total.store(total, Ordering::Relaxed);
                self.restoring.push(Restoring { request, state, streams });
                if let Err(error) = self.assign().and_then(|()| self.finish_done()) {
                    self.fail(error);
                }
            }
            Err(error) => self.reply(request, Err(error)),
        }
    }

    fn wait_for_log(&self, reason: &str) {
        tracing::warn!(reason, "restoration waits for the log");
        self.application.threads.sleep(Duration::from_millis(500));
    }

    /// Reads what is being restored, and copies only where nothing is: tasks wait for the first.
    fn assign(&mut self) -> Result<(), StreamsError> {
        let mut starts = Vec::new();
        let restoring = self.restoring.iter().flat_map(|restoring| &restoring.streams);
        let copies =
            self.copies.values().flat_map(|copy| copy.streams()).filter(|_| self.restoring.is_empty());
        for stream in restoring.chain(copies).filter(|stream| stream.at < stream.end) {
            starts.push((stream.partition.clone(), StartAt::Offset(stream.at)));
        }
        Ok(self.consumer.assign(&starts)?)
    }

    fn step(&mut self) -> Result<(), StreamsError> {
        self.tend_copies()?;
        let mut batch = std::mem::take(&mut self.batch);
        match self.consumer.poll(RESTORE_RECORDS_MAX, POLL, &mut batch) {
            Ok(()) => {}
            Err(ClientError::Unavailable { reason, .. }) => {
                self.wait_for_log(&reason);
            }
            Err(error) => return Err(error.into()),
        }
        let restoring = self.restoring.iter().map(|restoring| restoring.streams.len());
        let stores: usize = restoring.chain(self.copies.values().map(|copy| copy.streams().len())).sum();
        let bytes_max = self.application.budget().gathered / stores.max(1);
        for run in batch.runs.drain(..) {
            self.take_run(run, bytes_max)?;
        }
        self.batch = batch;
        let (consumer, restoring) = (&self.consumer, self.restoring.iter_mut());
        let copies = self.copies.values_mut().flat_map(TaskCopy::streams_mut);
        for stream in restoring.flat_map(|restoring| &mut restoring.streams).chain(copies) {
            let at = consumer.position(&stream.partition).unwrap_or(stream.at);
            stream.at = if stream.is_source { at.min(stream.end) } else { at };
        }
        self.finish_done()
    }

    fn take_run(&mut self, mut run: RecordRun, bytes_max: usize) -> Result<(), StreamsError> {
        let find = |streams: &[Stream]| {
            let stream = streams.iter().find(|stream| stream.partition == run.source)?;
            Some((stream.store, stream.end))
        };
        let restoring = self.restoring.iter_mut().find_map(|restoring| {
            let (store, end) = find(&restoring.streams)?;
            Some((store, end, &mut restoring.state, Some(&restoring.request.progress)))
        });
        let mut copies = self.copies.values_mut();
        let copy =
            copies.find_map(|copy| find(copy.streams()).map(|(store, end)| (store, end, copy.state(), None)));
        let Some((store, end, state, progress)) = restoring.or(copy) else { return Ok(()) };
        // Behind the end of a source topic's restoration is what is still to be processed.
        run.cut(end);
        if run.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(run.len()).unwrap_or(i64::MAX);
        let last = run.iter().last().map_or(0, |record| record.offset);
        state.restore(store, &run, last + 1, bytes_max)?;
        if let Some(progress) = progress {
            progress.restored.fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Hands back every task whose changelogs were read to their ends.
    fn finish_done(&mut self) -> Result<(), StreamsError> {
        let before = self.restoring.len();
        let mut index = 0;
        while index < self.restoring.len() {
            let Restoring { request, streams, .. } = &self.restoring[index];
            let is_unwanted = request.progress.is_unwanted.load(Ordering::Relaxed);
            if !is_unwanted && streams.iter().any(|stream| stream.at < stream.end) {
                index += 1;
                continue;
            }
            let Restoring { request, mut state, streams } = self.restoring.swap_remove(index);
            let positions: Vec<(usize, i64)> =
                streams.iter().map(|stream| (stream.store, stream.end)).collect();
            let whole = match is_unwanted {
                true => Ok(()),
                false => state.finish_restore().and_then(|()| state.commit(&positions)),
            };
            self.reply(request, whole.map(|()| state).map_err(StreamsError::from));
        }
        if self.restoring.len() < before { self.assign() } else { Ok(()) }
    }

    /// What was being restored fails; copies begin again where they are.
    fn fail(&mut self, error: StreamsError) {
        if self.restoring.is_empty() {
            self.copies_failed(&error);
            return;
        }
        let mut error = Some(error);
        for restoring in std::mem::take(&mut self.restoring) {
            let cause = error.take().unwrap_or_else(|| {
                ClientError::Fatal {
                    operation: "restore",
                    reason: "another task's restoration failed".into(),
                }
                .into()
            });
            self.reply(restoring.request, Err(cause));
        }
    }

    fn reply(&mut self, request: RestoreRequest, state: Result<TaskState, StreamsError>) {
        let RestoreRequest { task, reply, .. } = request;
        if state.is_err() {
            self.handed_out.remove(&task);
        }
        if reply.send(Restored { task, state }).is_err() {
            tracing::debug!(%task, "the task was given away while it was restored");
        }
    }
}
