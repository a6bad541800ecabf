//! The threads of an instance: how they are made and tied to each other, and how they end. Must not know what any of them
//! does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::application::Application;
use super::control::{Control, ControlEnds};
use super::departure::Departure;
use super::error::StreamsError;
use super::global::GlobalUpdater;
use super::membership::{Gate, Grant};
use super::restore::{StateUpdater, Work};
use super::shared::Shared;
use super::snapshots::SnapshotTaker;
use super::status::ApplicationState;
use super::streams::{RunningStreams, StreamsHandle};
use super::thread::{Command, StreamThread, ThreadEnds};
use super::threads::{Spawned, Threads};
use crate::error::Panicked;
use crate::record::TaskId;
use crate::state::Snapshot;

/// Makes the threads of an instance, which join the group and begin.
pub(super) fn launch(
    application: Arc<Application>,
    shared: Arc<Shared>,
    global: Option<GlobalUpdater>,
) -> Result<RunningStreams, StreamsError> {
    let (stop_control, stopped) = crossbeam_channel::bounded(1);
    let (crew, changes) = crossbeam_channel::unbounded();
    let (requests, incoming) = crossbeam_channel::unbounded();
    let (app, told) = (Arc::clone(&application), Arc::clone(&shared));
    let (control, ends) = Control::join(app, told, stopped, requests.clone(), changes)?;
    let ControlEnds { gate, given_up } = ends;
    let (taker, snapshots) = SnapshotTaker::spawn(&application)?.unzip();
    let ends = CrewEnds { gate, given_up, updater: requests, snapshots: taker };
    let updater = StateUpdater::new(Arc::clone(&application), Arc::clone(&shared), incoming)?;
    let mut commands = Vec::new();
    let mut stream_threads = Vec::new();
    let threads = Arc::clone(&application.threads);
    let spawn =
        |name: String, run: Box<dyn FnOnce() + Send>| threads.spawn(name, run).map_err(StreamsError::Thread);
    for index in 0..application.config.threads {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let (app, shared) = (Arc::clone(&application), Arc::clone(&shared));
        let thread = StreamThread::new(index, app, ends.thread(&shared, receiver))?;
        commands.push(sender);
        let run = Box::new(move || run_thread(index, thread, &shared));
        stream_threads.push(Some(spawn(format!("stream-{index}"), run)?));
    }
    let updater = spawn("restore".into(), Box::new(move || updater.run()))?;
    let global = global.map(|global| run_global(global, Arc::clone(&shared), &threads)).transpose()?;
    shared.enter(ApplicationState::Rebalancing);
    let senders = commands.clone();
    let control = spawn("control".into(), Box::new(move || control.run(senders)))?;
    let started = application.clock.monotonic();
    let handle = StreamsHandle { application, shared, started };
    let threads = Spawns { stream: stream_threads, leaving: Vec::new(), control, updater, snapshots, global };
    Ok(RunningStreams {
        handle,
        commands,
        stop_control,
        crew,
        ends: Some(ends),
        threads: Some(threads),
        failed: AtomicBool::new(false),
    })
}

/// Starts the thread that reads global tables.
fn run_global(
    global: GlobalUpdater,
    shared: Arc<Shared>,
    threads: &Arc<dyn Threads>,
) -> Result<(Sender<()>, Box<dyn Spawned>), StreamsError> {
    let (stop, stopped) = crossbeam_channel::bounded(1);
    let waiting = Arc::clone(threads);
    let run = move || {
        if let Err(error) = global.run(&stopped, &*waiting) {
            shared.fail("reader of global tables", &error);
        }
    };
    let thread = threads.spawn("global".into(), Box::new(run)).map_err(StreamsError::Thread)?;
    Ok((stop, thread))
}

/// A failing or panicking thread fails the application; the others are stopped by whoever watches its state.
pub(super) fn run_thread(index: usize, thread: StreamThread, shared: &Shared) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| thread.run()));
    let error = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => {
            let message = Panicked::of(panic).map_or_else(|_| "no message".into(), |panic| panic.message);
            StreamsError::Panicked { thread: index, message }
        }
    };
    shared.fail("stream thread", &error);
}

/// The threads of an instance.
pub(super) struct Spawns {
    /// By their numbers; nothing where one was removed.
    pub(super) stream: Vec<Option<Box<dyn Spawned>>>,
    /// Removed ones that had not ended in time.
    pub(super) leaving: Vec<Box<dyn Spawned>>,
    control: Box<dyn Spawned>,
    updater: Box<dyn Spawned>,
    /// Ends when the stream threads have.
    snapshots: Option<Box<dyn Spawned>>,
    /// The thread that reads global tables, which ends when its channel is closed.
    global: Option<(Sender<()>, Box<dyn Spawned>)>,
}

/// What ties a stream thread to the others of its instance.
pub(super) struct CrewEnds {
    gate: Gate,
    given_up: Sender<Grant>,
    updater: Sender<Work>,
    snapshots: Option<Sender<(TaskId, Snapshot)>>,
}

impl CrewEnds {
    /// Those of one thread.
    pub(super) fn thread(&self, shared: &Arc<Shared>, commands: Receiver<Command>) -> ThreadEnds {
        ThreadEnds {
            gate: self.gate.clone(),
            shared: Arc::clone(shared),
            commands,
            given_up: self.given_up.clone(),
            updater: self.updater.clone(),
            snapshots: self.snapshots.clone(),
        }
    }
}

impl RunningStreams {
    /// Ends all threads, in an order in which each finds those that it needs.
    pub(super) fn shut_down(&mut self, deadline: Option<Duration>) {
        let Some(threads) = self.threads.take() else { return };
        // The thread that restores ends when nobody can ask it for anything.
        self.ends = None;
        let shared = &self.handle.shared;
        let failing = shared.state() == ApplicationState::PendingError;
        self.failed.store(failing, Ordering::Relaxed);
        shared.enter(ApplicationState::PendingShutdown);
        for command in self.commands.drain(..) {
            drop(command.send(Command::Stop));
        }
        let Application { clock, threads: waiting, .. } = &*self.handle.application;
        let until = deadline.map(|deadline| clock.monotonic() + deadline);
        let ends_in_time = |thread: Box<dyn Spawned>| -> bool {
            while !thread.is_finished() && until.is_none_or(|until| clock.monotonic() < until) {
                waiting.sleep(Duration::from_millis(2));
            }
            let has_ended = thread.is_finished();
            if has_ended {
                thread.join();
            }
            has_ended
        };
        let mut late = false;
        for thread in threads.stream.into_iter().flatten().chain(threads.leaving) {
            late |= !ends_in_time(thread);
        }
        if late {
            tracing::warn!(
                "the deadline passed before all tasks were committed; the next start replays the rest"
            );
        }
        let is_good = !late && shared.error().is_none();
        let departure = if is_good { Departure::InGoodOrder } else { Departure::Late };
        // The control thread may have ended by itself.
        let _ = self.stop_control.send(departure);
        threads.control.join();
        if !late {
            // A task that still runs must not take work that nobody does for work that failed.
            self.handle.application.workshop.close();
            if !ends_in_time(threads.updater) {
                tracing::warn!(
                    "the deadline passed before all stores were closed; they are looked over at the next start"
                );
            }
            if threads.snapshots.is_some_and(|snapshots| !ends_in_time(snapshots)) {
                tracing::warn!("the deadline passed before a snapshot was taken whole; it is left");
            }
        }
        if let Some((stop, thread)) = threads.global {
            drop(stop);
            thread.join();
        }
        let failing = failing || shared.state() == ApplicationState::PendingError;
        self.failed.store(failing, Ordering::Relaxed);
        shared.enter(if failing { ApplicationState::Error } else { ApplicationState::NotRunning });
    }
}
