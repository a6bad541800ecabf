//! The control thread of an instance: polls the group all the time, so that a slow record, a long commit or a slow disk
//! never costs membership; reads the control topic; tells the stream threads what to take and what to give up; and says so
//! to the others. The protocol stands in [`membership`](super::membership).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use super::application::Application;
use super::crew::Crew;
use super::departure::Departure;
use super::error::StreamsError;
use super::former;
use super::membership::{
    Announcement, Change, Desk, Gate, Grant, Incarnation, Journal, Key, Leader, Order, Word, encode,
    fingerprint, write,
};
use super::restore::{Kept, Work};
use super::shared::Shared;
use super::status::ApplicationState;
use super::thread::Command;
use super::threads::Spawned;
use super::topics::control_topic;
use super::watchdog::Watchdog;
use crate::client::{ClientError, GroupEvent, Producer, ProducerError, ProducerSettings, TopicHandle};
use crate::record::Partition;
use crate::state::random_id;

/// The control thread's own things.
pub(crate) struct Control {
    pub(super) application: Arc<Application>,
    shared: Arc<Shared>,
    pub(super) gate: Gate,
    threads: Vec<Sender<Command>>,
    pub(super) desk: Desk,
    pub(super) journal: Journal,
    producer: Box<dyn Producer>,
    handle: TopicHandle,
    /// What was said last, when, and whether it was read back.
    pub(super) said: Option<(Announcement, Duration, bool)>,
    given_up: Receiver<Grant>,
    pub(super) orders: Option<Sender<Order>>,
    pub(super) leader: Option<Box<dyn Spawned>>,
    departure: Receiver<Departure>,
    /// Where it is told of which tasks this instance has the stores, and what was told.
    updater: Sender<Work>,
    kept: Kept,
    is_moved: bool,
    /// When it was looked how far copies are.
    copies_at: Duration,
    /// Before this it is not said again that the log is away.
    tell_away_at: Duration,
    watchdog: Watchdog,
    crew: Receiver<Crew>,
}

/// What the other threads of an instance need to know of its control thread.
pub(crate) struct ControlEnds {
    pub(crate) gate: Gate,
    /// Where stream threads say what they have given up.
    pub(crate) given_up: Sender<Grant>,
}

/// The owner of this partition of the control topic keeps the task table.
const LEADING: Partition = Partition(0);

/// How long one read of the control topic waits, while tasks move: the membership is polled in between.
const POLL: Duration = Duration::from_millis(10);
/// The same, while everything runs: waking is what a quiet instance costs.
const CALM_POLL: Duration = Duration::from_millis(50);

/// After how long something said but not read back is said again.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Between two warnings that the log is away.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(5);

impl Control {
    pub(crate) fn join(
        application: Arc<Application>,
        shared: Arc<Shared>,
        departure: Receiver<Departure>,
        updater: Sender<Work>,
        crew: Receiver<Crew>,
    ) -> Result<(Self, ControlEnds), StreamsError> {
        let config = &application.config;
        let id = &config.application_id;
        let topic = control_topic(id);
        let session = Duration::from_millis(config.session_timeout_ms);
        former::remove(&application)?;
        let gate = Gate::new(application.log.group(id, &topic, session)?);
        let journal = Journal::open(&*application.log, id, &topic)?;
        let (producer, handle) = speaker(&application, &topic)?;
        let profile = profile(&application)?;
        let (orders, incoming) = crossbeam_channel::unbounded();
        let leader = Leader {
            application: Arc::clone(&application),
            shared: Arc::clone(&shared),
            topic,
            instance: application.instance.clone(),
            fingerprint: profile.fingerprint.clone(),
            orders: incoming,
        };
        let leader = application.threads.spawn("leader".into(), Box::new(move || leader.run()));
        let leader = leader.map_err(StreamsError::Thread)?;
        let (sender, given_up) = crossbeam_channel::unbounded();
        let ends = ControlEnds { gate: gate.clone(), given_up: sender };
        let control = Self {
            application,
            shared,
            gate,
            threads: Vec::new(),
            desk: Desk::new(profile),
            journal,
            producer,
            handle,
            said: None,
            given_up,
            orders: Some(orders),
            leader: Some(leader),
            departure,
            updater,
            kept: Kept::default(),
            is_moved: false,
            copies_at: Duration::ZERO,
            tell_away_at: Duration::ZERO,
            watchdog: Watchdog::default(),
            crew,
        };
        Ok((control, ends))
    }

    /// Runs until told to go, then leaves the group.
    pub(crate) fn run(mut self, threads: Vec<Sender<Command>>) {
        self.threads = threads;
        let departure = loop {
            match self.departure.try_recv() {
                Ok(departure) => break departure,
                Err(TryRecvError::Disconnected) => break Departure::Late,
                Err(TryRecvError::Empty) => {}
            }
            if let Err(error) = self.turn().and_then(|()| self.watch()) {
                self.shared.fail("control thread", &error);
                break Departure::Late;
            }
            if self.shared.state() == ApplicationState::PendingError {
                self.wind_up();
                break Departure::Late;
            }
        };
        self.depart(departure);
    }

    pub(super) fn now(&self) -> Duration {
        self.application.clock.monotonic()
    }

    /// One round: the group, the control topic, the threads' answers, and what is to be said.
    pub(super) fn turn(&mut self) -> Result<(), StreamsError> {
        match self.gate.poll() {
            Ok(polled) => {
                for event in polled.events {
                    self.on_group(event);
                }
                if let Some(member) = polled.member
                    && self.desk.joined(&member, polled.losses)
                {
                    former::remember(&self.application, &member);
                }
            }
            Err(ClientError::Unavailable { reason, .. }) => {
                self.tell_away("the group", &reason);
            }
            Err(error) => return Err(error.into()),
        }
        let is_calm = self.shared.state() == ApplicationState::Running;
        match self.journal.poll(if is_calm { CALM_POLL } else { POLL }) {
            Ok(changes) => self.on_changes(&changes),
            Err(ClientError::Unavailable { reason, .. }) => {
                self.tell_away("the control topic", &reason);
                self.application.threads.sleep(POLL);
            }
            Err(error) => return Err(error.into()),
        }
        let answers: Vec<Grant> = self.given_up.try_iter().collect();
        self.is_moved |= !answers.is_empty();
        let words = answers.into_iter().filter_map(|grant| self.desk.given_up(grant)).collect();
        self.tell(words);
        if let Some(word) = self.desk.even_out(self.now()) {
            self.tell(vec![word]);
        }
        self.keep_copies();
        self.change_crew();
        self.speak()
    }

    /// Says of which tasks the stores are needed here, and looks how far the copies are.
    fn keep_copies(&mut self) {
        if std::mem::take(&mut self.is_moved) {
            let copies = self.journal.view.copies_of(&self.application.instance);
            let kept = Kept { copies, held: self.desk.held() };
            if kept != self.kept {
                self.kept = kept.clone();
                // A restoring thread that has ended has told why.
                let _ = self.updater.send(Work::Keep(kept));
            }
        }
        let now = self.now();
        if now.saturating_sub(self.copies_at) >= POLL {
            self.copies_at = now;
            let near = self.application.config.acceptable_recovery_lag;
            self.desk.copies(&self.shared.copies(), near, now);
        }
    }

    /// Threads that are to come or to go. A new one gets no task before the others know under which transactional id it
    /// writes; one that goes hands its tasks to the others first.
    fn change_crew(&mut self) {
        for order in self.crew.try_iter() {
            match order {
                Crew::Add { thread, commands } => {
                    let id = self.application.producer_settings(thread).transactional_id;
                    self.desk.hire(thread, id);
                    match self.threads.get_mut(thread) {
                        Some(slot) => *slot = commands,
                        None => self.threads.push(commands),
                    }
                }
                Crew::Remove { thread } => self.desk.retire(thread),
            }
        }
        if let Some((said, _, true)) = &self.said {
            self.desk.heard(said);
        }
        let words = self.desk.empty_retired(self.now());
        self.tell(words);
        for thread in self.desk.take_idle_retired() {
            // It may have ended by itself.
            let _ = self.threads[thread].send(Command::Stop);
        }
    }

    /// Says that the log is away, and not at every one of some hundred tries a second.
    fn tell_away(&mut self, what: &str, reason: &str) {
        let now = self.now();
        if now >= self.tell_away_at {
            self.tell_away_at = now + TELL_AGAIN_AFTER;
            tracing::warn!(reason, "{what} is not reachable");
        }
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // A leader's thread that has ended has told why.
            let _ = orders.send(order);
        }
    }

    fn on_group(&mut self, event: GroupEvent) {
        self.order(match &event {
            GroupEvent::Assigned(partitions) if partitions.contains(&LEADING) => Order::Lead,
            GroupEvent::Revoked(partitions) if partitions.contains(&LEADING) => Order::Rest,
            GroupEvent::Lost(_) => Order::Rest,
            GroupEvent::Assigned(_) | GroupEvent::Revoked(_) => Order::Look,
        });
        if let GroupEvent::Lost(_) = event {
            tracing::warn!("membership was lost: all tasks are given up without a commit");
            let words = self.desk.lost(self.now());
            self.tell(words);
        }
    }

    fn on_changes(&mut self, changes: &[Change]) {
        let now = self.now();
        if !changes.is_empty() {
            self.is_moved = true;
            self.shared.directory.set_elsewhere(self.journal.view.elsewhere(&self.application.instance));
        }
        let mut words = Vec::new();
        for change in changes {
            match change {
                Change::Leader => self.compare_with_leader(),
                Change::Member(instance) if *instance == self.application.instance => {
                    if let Some((said, at, is_read)) = &mut self.said {
                        *is_read = self.journal.view.members.get(instance) == Some(said);
                        *at = now;
                    }
                }
                Change::Member(_) | Change::Copies => {}
                Change::Row(task) => words.extend(self.desk.row(*task, &self.journal.view, now)),
            }
        }
        self.tell(words);
    }

    fn compare_with_leader(&self) {
        let ours = self.said.as_ref().map(|(said, _, _)| &said.fingerprint);
        let Some(leader) = &self.journal.view.leader else { return };
        if ours.is_some_and(|ours| *ours != leader.fingerprint) {
            tracing::warn!(
                leader = leader.instance,
                "the instance that leads runs another topology, or counts other partitions: this one gets no new tasks \
                 until an instance like it leads"
            );
        }
    }

    /// Passes words on to the threads, those of one kind to one thread together: they share a commit.
    pub(super) fn tell(&mut self, words: Vec<(usize, Word, Grant)>) {
        if words.is_empty() {
            return;
        }
        self.shared.enter(ApplicationState::Rebalancing);
        for thread in 0..self.threads.len() {
            for kind in [Word::Lose, Word::Revoke, Word::Start] {
                let mine = words.iter().filter(|(to, word, _)| (*to, *word) == (thread, kind));
                let grants: Vec<Grant> = mine.map(|(_, _, grant)| *grant).collect();
                if grants.is_empty() {
                    continue;
                }
                let command = match kind {
                    Word::Start => Command::Assign(grants),
                    Word::Revoke => Command::Revoke(grants),
                    Word::Lose => Command::Lose(grants),
                };
                // A thread that has ended has told why; what it had waits until the whole instance goes.
                if self.threads[thread].send(command).is_err() {
                    self.desk.thread_ended(thread);
                }
            }
        }
    }

    /// Announces what has changed, and what did not arrive.
    fn speak(&mut self) -> Result<(), StreamsError> {
        let now = self.now();
        if let Some((_, at, false)) = self.said
            && now.saturating_sub(at) > SAY_AGAIN_AFTER
        {
            self.desk.say_again();
        }
        if let Some(news) = self.desk.news(&self.journal.view) {
            let key = Key::Member(self.application.instance.clone());
            let value = encode(&news);
            let wall = self.application.clock.wall();
            let sent = write(&mut *self.producer, self.handle, &key, Some(&value), wall);
            tracing::debug!("announced");
            self.said = Some((news, now, false));
            self.mend(sent)?;
        }
        let polled = self.producer.poll();
        self.mend(polled)
    }

    /// A producer that failed is replaced; what it had not written is said again in a while.
    fn mend(&mut self, outcome: Result<(), ProducerError>) -> Result<(), StreamsError> {
        let Err(error) = outcome else { return Ok(()) };
        if matches!(error, ProducerError::Denied { .. }) {
            return Err(error.into());
        }
        tracing::warn!(%error, "an announcement was not written; it will be tried again");
        if matches!(error, ProducerError::Fatal { .. } | ProducerError::Fenced) {
            let topic = control_topic(&self.application.config.application_id);
            (self.producer, self.handle) = speaker(&self.application, &topic)?;
        }
        Ok(())
    }

    /// A thread that cannot give a task up in time ends the instance; and the instance runs once all its tasks do.
    fn watch(&mut self) -> Result<(), StreamsError> {
        let stuck = Duration::from_millis(self.application.config.task_stuck_after_ms);
        self.watchdog.look(self.now(), &self.shared, stuck)?;
        if let Some(since) = self.now().checked_sub(stuck)
            && let Some((task, thread)) = self.desk.overdue(since)
        {
            return Err(StreamsError::Stuck { task: task.to_string(), thread, stuck });
        }
        let is_whole = self.desk.settled().is_some_and(|held| {
            let mut tasks = self.application.task_ids().into_iter();
            let view = &self.journal.view;
            self.shared.running_tasks() == held
                && (held > 0 || tasks.all(|task| view.is_elsewhere(task, &self.application.instance)))
        });
        match self.shared.state() {
            ApplicationState::Rebalancing if is_whole => self.shared.enter(ApplicationState::Running),
            _ => {}
        }
        Ok(())
    }
}

/// The producer of announcements.
fn speaker(application: &Application, topic: &str) -> Result<(Box<dyn Producer>, TopicHandle), StreamsError> {
    let mut producer = application.log.producer(&ProducerSettings::default())?;
    let handle = producer.topic(topic)?;
    Ok((producer, handle))
}

/// What this instance says of itself as long as it runs.
fn profile(application: &Application) -> Result<Announcement, StreamsError> {
    let threads = application.config.threads;
    let id = |thread| application.producer_settings(thread).transactional_id;
    Ok(Announcement {
        incarnation: Incarnation {
            instance: application.instance.clone(),
            process: random_id()?,
            member: String::new(),
            count: 0,
        },
        endpoint: application.config.endpoint.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        transactional_ids: (0..threads).filter_map(id).collect(),
        threads,
        fingerprint: fingerprint(&application.topology, &application.tasks),
        applied: 0,
        holds: Vec::new(),
        copies: BTreeMap::new(),
        is_leaving: false,
    })
}
