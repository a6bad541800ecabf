//! One simulation from its seed to its verdict: the loop that lets one actor run after the other, kills and starts
//! instances, and moves the time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{
    Admin, EmbeddedLog, EmbeddedSettings, Log, NewTopic, OutgoingRecord, Producer, ProducerSettings,
};
use candlewick::{ApplicationState, Guarantee, Headers, KafkaStreams, StreamsHandle, seed_ids};

use crate::chance::Chance;
use crate::faults::Faults;
use crate::fiber::{Fiber, Order, Progress};
use crate::judge::Judge;
use crate::ports::{StageClock, StageThreads, log_of};
use crate::setup::{Event, Found, Setup};
use crate::stage::{self, Instance, Stage, Wake, on};
use crate::watch::Watch;
use crate::work::{APPLICATION, OUT};

/// What a simulation came to.
#[derive(Debug)]
pub struct Verdict {
    /// What did not hold, if something did not.
    pub failure: Option<String>,
    /// A checksum of everything that happened: the same for the same seed.
    pub trace: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// Records in the input.
    pub records: u64,
    /// Calls to the log.
    pub calls: u64,
    /// How long it took by its own clock.
    pub lasted: Duration,
    /// Which application, in a few words.
    pub what: String,
}

/// After the last fault everything must be whole within this time of the simulation's.
const HEAL_MAX: Duration = Duration::from_secs(40);
/// And all instances must have stopped after this.
const STOP_MAX: Duration = Duration::from_secs(20);
/// How often the log is looked after, and the end looked for.
const LOOK_AFTER: Duration = Duration::from_millis(100);
/// A simulation that goes on for so many calls goes round in circles.
const CALLS_MAX: u64 = 3_000_000;

/// A call that an instance is to be killed at is waited for so long.
const TRAPPED_MAX: Duration = Duration::from_millis(700);

struct Play {
    setup: Setup,
    log: Arc<EmbeddedLog>,
    admin: Box<dyn Admin>,
    producer: Box<dyn Producer>,
    fibers: Vec<Option<Fiber>>,
    fed: usize,
    feeds_left: usize,
    judge: Judge,
    folders: Option<tempfile::TempDir>,
    members: Vec<String>,
    /// When it was told to stop, once it was.
    stopping: Option<Duration>,
    /// What kept it from being whole at the last look.
    missing: String,
}

/// Plays one seed.
#[must_use]
pub fn play(seed: u64, is_verbose: bool) -> Verdict {
    let mut chance = Chance::new(seed);
    seed_ids(Some(seed));
    let setup = Setup::draw(&mut chance, seed);
    let faults = Faults::draw(&mut chance, setup.until);
    stage::replace(Some(Stage::new(chance, faults, is_verbose)));
    let mut play = Play::new(setup);
    let what = play.what();
    on(|stage| stage.tell(|| what.clone()));
    play.run();
    let records = play.fed as u64;
    play.end();
    let stage = stage::replace(None).expect("it was set up above");
    seed_ids(None);
    Verdict {
        failure: stage.failure,
        trace: stage.trace,
        records,
        calls: stage.steps,
        lasted: stage.now,
        faults: stage.faults.into_counts(),
        what,
    }
}

impl Play {
    fn new(mut setup: Setup) -> Self {
        let settings = EmbeddedSettings { clock: Arc::new(StageClock), ..EmbeddedSettings::default() };
        let log = EmbeddedLog::unattended(settings);
        let mut admin = log.admin().expect("a client at once");
        let topic = |name: &str| NewTopic {
            name: name.to_owned(),
            partitions: setup.partitions,
            replication: 1,
            config: BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]),
        };
        let topics: Vec<NewTopic> =
            setup.kind.sources().iter().copied().chain([OUT]).map(topic).collect();
        admin.create(&topics, Duration::ZERO).expect("the names are free");
        let producer = log.producer(&ProducerSettings::default()).expect("a client at once");
        let exactly_once = setup.config.guarantee == Guarantee::ExactlyOnce;
        let judge = Judge {
            kind: setup.kind,
            exactly_once,
            tells_all: setup.config.cache_bytes_max == 0,
            log: Arc::clone(&log),
            partitions: setup.partitions,
        };
        on(|stage| stage.watch = Some(Watch::new(setup.kind, exactly_once, &log)));
        let folders = setup.has_folders.then(folder);
        setup.events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let feeds_left = setup.events.iter().filter(|(_, event)| matches!(event, Event::Feed)).count();
        Self {
            setup,
            log,
            admin,
            producer,
            fibers: Vec::new(),
            fed: 0,
            feeds_left,
            judge,
            folders,
            members: Vec::new(),
            stopping: None,
            missing: String::new(),
        }
    }

    fn what(&self) -> String {
        let config = &self.setup.config;
        format!(
            "{:?}, {:?}, {} partitions, {} instances of {} threads, {} records, cache {}, commits every {} ms{}",
            self.setup.kind,
            config.guarantee,
            self.setup.partitions,
            self.setup.slots,
            config.threads,
            self.setup.inputs.len(),
            config.cache_bytes_max,
            config.commit_interval().as_millis(),
            if self.folders.is_some() { ", state on disk" } else { "" },
        )
    }

    fn run(&mut self) {
        loop {
            self.happen();
            if on(|stage| stage.failure.is_some()) || self.is_over() {
                return;
            }
            match on(Stage::pick) {
                Some(id) => self.resume(id),
                None => {
                    let event = self.setup.events.last().map_or(Duration::MAX, |(at, _)| *at);
                    on(|stage| {
                        let due = stage.next_due().unwrap_or(Duration::MAX);
                        stage.now = stage.now.max(due.min(event));
                    });
                }
            }
            if on(|stage| stage.steps) > CALLS_MAX {
                on(|stage| stage.fail("it goes round in circles".to_owned()));
            }
        }
    }

    /// Lets an actor run until it pauses, and does what follows from it.
    fn resume(&mut self, id: usize) {
        self.begin_spawned();
        let Some(fiber) = self.fibers[id].as_mut() else { return };
        on(|stage| stage.current = Some(id));
        let progress = fiber.resume(Order::Go);
        on(|stage| {
            stage.current = None;
            stage.has_run(id);
        });
        if let Progress::Ended(panic) = progress {
            self.bury(id, panic);
        }
        let instance = on(|stage| stage.actors[id].instance);
        if on(|stage| stage.instances[instance].is_dead) {
            self.kill(instance);
        }
        let ended = on(|stage| stage.instances[instance].ended.clone());
        let is_done = on(|stage| stage.live.iter().all(|id| stage.actors[*id].instance != instance));
        if let (Some(ended), true) = (ended, is_done) {
            self.after_end(instance, ended);
        }
    }

    fn begin_spawned(&mut self) {
        for (id, body) in on(|stage| std::mem::take(&mut stage.spawned)) {
            self.fibers.resize_with(self.fibers.len().max(id + 1), || None);
            self.fibers[id] = Some(Fiber::new(body));
        }
    }

    /// An actor has ended.
    fn bury(&mut self, id: usize, panic: Option<String>) {
        if let Some(fiber) = self.fibers[id].take() {
            fiber.recycle();
        }
        on(|stage| {
            stage.actors[id].is_over = true;
            stage.actors[id].wake = Wake::Nothing;
            stage.live.retain(|other| *other != id);
            stage.has_run(id);
            if let Some(panic) = panic {
                let name = stage.actors[id].name.clone();
                stage.fail(format!("{name} panicked: {panic}"));
            }
        });
    }

    /// Unwinds all actors of an instance, its main one last: it waits for the others where it ends.
    fn kill(&mut self, instance: usize) {
        self.begin_spawned();
        on(|stage| {
            stage.instances[instance].is_dead = true;
            stage.instances[instance].handle = None;
        });
        let of = |stage: &mut Stage| -> Vec<usize> {
            let mine = stage.live.iter().copied().filter(|id| stage.actors[*id].instance == instance);
            let mut mine: Vec<usize> = mine.collect();
            mine.sort_by_key(|id| stage.actors[*id].name == "main");
            mine
        };
        for id in on(of) {
            let Some(mut fiber) = self.fibers[id].take() else { continue };
            on(|stage| stage.current = Some(id));
            let mut progress = fiber.resume(Order::Die);
            while progress == Progress::Paused {
                progress = fiber.resume(Order::Die);
            }
            on(|stage| stage.current = None);
            fiber.recycle();
            self.bury(id, None);
        }
        on(|stage| stage.instances[instance].ended = Some(Err("killed".to_owned())));
    }

    /// A process has ended: somebody starts it again, unless all are to stop.
    fn after_end(&mut self, instance: usize, ended: Result<(), String>) {
        let slot = on(|stage| {
            let of = &mut stage.instances[instance];
            of.handle = None;
            of.slot
        });
        let slot = match slot {
            Some(slot) => slot,
            None => return,
        };
        on(|stage| {
            stage.instances[instance].slot = None;
            stage.tell(|| format!("instance {instance} (slot {slot}) ended: {ended:?}"));
        });
        if let Err(reason) = &ended
            && reason != "killed"
        {
            on(|stage| stage.fail(format!("an instance ended by itself: {reason}")));
        }
        if self.stopping.is_none() {
            let at = on(|stage| stage.now + Duration::from_millis(stage.chance.between(20, 2_500)));
            self.schedule(at, Event::Start(slot));
        }
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        let place = self.setup.events.partition_point(|(other, _)| *other > at);
        self.setup.events.insert(place, (at, event));
    }

    /// Everything that is due.
    fn happen(&mut self) {
        while let Some((at, event)) = self.setup.events.last().copied() {
            if at > on(|stage| stage.now) {
                return;
            }
            self.setup.events.pop();
            self.strike(event);
        }
    }

    /// The instance in a slot, or another one.
    fn victim(&self, slot: usize) -> Option<usize> {
        (0..self.setup.slots).find_map(|n| Self::in_slot((slot + n) % self.setup.slots))
    }

    /// The instance that runs in a slot.
    fn in_slot(slot: usize) -> Option<usize> {
        on(|stage| stage.instances.iter().position(|instance| instance.slot == Some(slot)))
    }

    fn strike(&mut self, event: Event) {
        let is_calm = on(|stage| stage.now >= stage.faults.until);
        match event {
            Event::Start(slot) => self.start(slot),
            Event::Feed => self.feed(),
            Event::Look => self.look(),
            _ if is_calm => {}
            Event::Crash(slot, trap) => {
                let Some(instance) = self.victim(slot) else {
                    // All are down: somebody will be up soon.
                    let soon = on(|stage| {
                        let soon = stage.now + Duration::from_millis(100);
                        stage.faults.until = stage.faults.until.max(soon + Duration::from_millis(1));
                        soon
                    });
                    return self.schedule(soon, event);
                };
                let Some(trap) = trap else { return self.crash(instance) };
                let late = on(|stage| {
                    stage.instances[instance].trap = Some(trap);
                    let late = stage.now + TRAPPED_MAX;
                    stage.faults.until = stage.faults.until.max(late + Duration::from_millis(1));
                    late
                });
                self.schedule(late, Event::CrashLate(instance, slot));
            }
            Event::CrashLate(instance, slot) => {
                let (is_set, runs) = on(|stage| {
                    let instance = &stage.instances[instance];
                    (instance.trap.is_some(), instance.slot.is_some())
                });
                if is_set && runs {
                    self.crash(instance);
                } else if is_set {
                    self.strike(Event::Crash(slot, None));
                }
            }
            Event::Stop(slot) => {
                let Some(instance) = Self::in_slot(slot) else { return };
                on(|stage| {
                    stage.instances[instance].is_told_to_stop = true;
                    stage.faults.count("stop and start again");
                });
            }
            Event::Freeze(slot, length) => {
                let Some(instance) = Self::in_slot(slot) else { return };
                let session = Duration::from_millis(self.setup.config.session_timeout_ms);
                on(|stage| {
                    stage.instances[instance].frozen_until = stage.now + length;
                    let is_long = length > session;
                    stage.faults.count(if is_long { "frozen beyond its session" } else { "frozen" });
                    stage.tell(|| format!("instance {instance} frozen for {length:?}"));
                });
            }
            Event::Jump(length) => {
                // What was to come still comes; only the instances and the log find that time has passed.
                self.setup.events.iter_mut().for_each(|(at, _)| *at += length);
                on(|stage| {
                    stage.now += length;
                    stage.faults.until += length;
                    stage.faults.count("clock jump");
                    stage.tell(|| format!("the clock jumped by {length:?}"));
                });
            }
            Event::Fence => self.fence(),
            Event::Away(length) => on(|stage| {
                stage.faults.away_until = stage.now + length;
                stage.tell(|| format!("the log is away for {length:?}"));
            }),
            Event::CopyFolder(slot) => self.copy_folder(slot),
        }
    }

    fn crash(&mut self, instance: usize) {
        if on(|stage| stage.instances[instance].slot.is_none()) {
            return;
        }
        on(|stage| {
            stage.instances[instance].trap = None;
            stage.faults.count("crash");
            stage.tell(|| format!("instance {instance} killed"));
        });
        self.kill(instance);
        self.after_end(instance, Err("killed".to_owned()));
    }

    /// Somebody else takes a transactional id for its own.
    fn fence(&mut self) {
        let id = on(|stage| {
            let live = stage.ids.iter().filter(|(_, of)| stage.instances[**of].slot.is_some());
            let ids: Vec<String> = live.map(|(id, _)| id.clone()).collect();
            if ids.is_empty() { None } else { Some(ids[stage.chance.place(ids.len())].clone()) }
        });
        let Some(id) = id else { return };
        let settings = ProducerSettings { transactional_id: Some(id.clone()), ..ProducerSettings::default() };
        let mut producer = self.log.producer(&settings).expect("a client at once");
        producer.init_transactions(Duration::ZERO).expect("a log in memory does not fail");
        on(|stage| {
            stage.log_changed();
            stage.faults.count("fenced by a stranger");
            stage.tell(|| format!("{id} fenced"));
        });
    }

    fn start(&mut self, slot: usize) {
        if self.stopping.is_some() || Self::in_slot(slot).is_some() {
            return;
        }
        let state_dir = self.prepare_folder(slot);
        let instance = on(|stage| {
            stage.instances.push(Instance::new(slot));
            stage.instances.len() - 1
        });
        let config = candlewick::StreamsConfig { state_dir, ..self.setup.config.clone() };
        let (log, kind) = (log_of(&self.log, instance), self.setup.kind);
        let main = move || {
            let streams = KafkaStreams::new(kind.topology(), config, log)
                .clock(Arc::new(StageClock))
                .threads(Arc::new(StageThreads { instance }));
            let ended = live(instance, streams);
            on(|stage| stage.instances[instance].ended = Some(ended));
        };
        on(|stage| {
            stage.spawn(instance, "main".to_owned(), Box::new(main));
            stage.tell(|| format!("instance {instance} (slot {slot}) starts"));
        });
        self.begin_spawned();
    }

    fn feed(&mut self) {
        let left = self.setup.inputs.len() - self.fed;
        let count = left.div_ceil(self.feeds_left.max(1));
        self.feeds_left = self.feeds_left.saturating_sub(1);
        for input in &self.setup.inputs[self.fed..self.fed + count] {
            let topic = self.producer.topic(input.topic).expect("it was created");
            let record = OutgoingRecord {
                topic,
                partition: input.partition,
                key: Some(input.key.as_bytes()),
                value: Some(input.value.as_bytes()),
                headers: &Headers::default(),
                timestamp: input.time,
            };
            self.producer.send(record).expect("the queue has room");
        }
        self.fed += count;
        self.producer.flush(Duration::ZERO).expect("a log in memory does not fail");
        on(Stage::log_changed);
    }

    /// Looks after the log, and whether everything is whole.
    fn look(&mut self) {
        self.log.look_after().expect("a log in memory does not fail");
        let members = self.admin.group_members(APPLICATION, Duration::ZERO).expect("it is at hand");
        let next = on(|stage| {
            stage.log_changed();
            if members != self.members {
                stage.faults.count("rebalance");
            }
            stage.now + LOOK_AFTER
        });
        self.members = members;
        self.schedule(next, Event::Look);
        let (now, until) = on(|stage| (stage.now, stage.faults.until));
        if now < until || self.stopping.is_some() || self.fed < self.setup.inputs.len() {
            return;
        }
        match self.whole() {
            Ok(()) => {
                self.stopping = Some(now);
                on(|stage| {
                    stage.tell(|| "everything is whole; all stop".to_owned());
                    stage.instances.iter_mut().for_each(|instance| instance.is_told_to_stop = true);
                });
            }
            Err(missing) => {
                if missing.starts_with("twice") || missing.starts_with("wrong") || now > until + HEAL_MAX {
                    on(|stage| stage.fail(format!("after the last fault: {missing}")));
                }
                self.missing = missing;
            }
        }
    }

    fn whole(&self) -> Result<(), String> {
        let handles: Vec<Option<StreamsHandle>> = (0..self.setup.slots)
            .map(|slot| Self::in_slot(slot).and_then(|at| on(|stage| stage.instances[at].handle.clone())))
            .collect();
        let handles: Vec<StreamsHandle> =
            handles.into_iter().collect::<Option<_>>().ok_or("an instance does not run")?;
        if let Some(handle) = handles.iter().find(|handle| handle.state() != ApplicationState::Running) {
            return Err(format!("an instance is {:?}", handle.state()));
        }
        self.judge.output()?;
        self.judge.stores(&handles)
    }

    fn is_over(&mut self) -> bool {
        let Some(since) = self.stopping else { return false };
        if on(|stage| stage.live.is_empty()) {
            if let Err(reason) = self.judge.output() {
                on(|stage| stage.fail(format!("after all have stopped: {reason}")));
            }
            return true;
        }
        if on(|stage| stage.now) > since + STOP_MAX {
            on(|stage| {
                let names: Vec<&str> = stage.live.iter().map(|id| stage.actors[*id].name.as_str()).collect();
                let reason = format!("the instances do not stop: {names:?} are left");
                stage.fail(reason);
            });
        }
        false
    }

    /// Takes everything down.
    fn end(mut self) {
        let instances = on(|stage| stage.instances.len());
        (0..instances).for_each(|instance| self.kill(instance));
        let graves = on(|stage| std::mem::take(&mut stage.graveyard));
        drop(graves);
        drop(on(|stage| stage.watch.take()));
        on(|stage| stage.faults.add("input sent twice", self.setup.sent_twice));
    }

    fn prepare_folder(&mut self, slot: usize) -> Option<PathBuf> {
        let root = self.folders.as_ref()?.path();
        let (folder, copy) = (root.join(slot.to_string()), root.join(format!("{slot}-copy")));
        if folder.exists() {
            let found = on(|stage| match stage.chance.below(4) {
                0 => Found::Nothing,
                1 if copy.exists() => Found::Copy,
                _ => Found::Folder,
            });
            let count = match found {
                Found::Folder => "restart with its state",
                Found::Nothing => {
                    std::fs::remove_dir_all(&folder).expect("it is ours");
                    "restart with nothing"
                }
                Found::Copy => {
                    std::fs::remove_dir_all(&folder).expect("it is ours");
                    copy_all(&copy, &folder);
                    "restart with an old copy of its state"
                }
            };
            on(|stage| stage.faults.count(count));
        }
        Some(folder)
    }

    fn copy_folder(&mut self, slot: usize) {
        let Some(root) = self.folders.as_ref().map(|folders| folders.path()) else { return };
        let (folder, copy) = (root.join(slot.to_string()), root.join(format!("{slot}-copy")));
        if folder.exists() && !copy.exists() {
            copy_all(&folder, &copy);
        }
    }
}

/// The life of a process: as the shipped binary's, it ends when its application fails or when it is told to.
fn live(instance: usize, streams: KafkaStreams) -> Result<(), String> {
    let running = streams.start().map_err(|error| format!("it did not start: {error}"))?;
    on(|stage| stage.instances[instance].handle = Some(running.handle()));
    loop {
        let is_failing = matches!(running.state(), ApplicationState::PendingError | ApplicationState::Error);
        let (is_told, now) = on(|stage| (stage.instances[instance].is_told_to_stop, stage.now));
        if is_failing || is_told {
            return running.stop(Duration::from_secs(10)).map_err(|error| error.to_string());
        }
        stage::rest(now + Duration::from_millis(20), Wake::Nothing);
    }
}

/// A folder in memory, where there is one.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("it is ours");
    for entry in std::fs::read_dir(from).expect("it is ours") {
        let entry = entry.expect("it is ours");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).expect("it is ours");
        }
    }
}
