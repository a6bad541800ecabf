//! One simulation from its seed to its verdict: the loop that lets one actor run after the other, kills and starts
//! instances, and moves the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{Admin, EmbeddedLog, EmbeddedSettings, Log, NewTopic, Producer, ProducerSettings};
use candlewick::{Guarantee, seed_ids};

use crate::chance::Chance;
use crate::faults::Faults;
use crate::fiber::Fiber;
use crate::judge::Judge;
use crate::ports::StageClock;
use crate::setup::{Event, Setup};
use crate::stage::{self, Stage, on};
use crate::watch::Watch;
use crate::work::OUT;

mod actors;
mod end;
mod events;
mod process;

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
    play.feed_facts();
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
        let topics: Vec<NewTopic> = setup.kind.sources().iter().copied().chain([OUT]).map(topic).collect();
        admin.create(&topics, Duration::ZERO).expect("the names are free");
        let producer = log.producer(&ProducerSettings::default()).expect("a client at once");
        let exactly_once = setup.config.guarantee == Guarantee::ExactlyOnce;
        let judge = Judge {
            kind: setup.kind,
            exactly_once,
            tells_all: setup.config.cache_bytes_max == 0,
            reuses_sources: setup.reuses_sources,
            log: Arc::clone(&log),
            partitions: setup.partitions,
        };
        on(|stage| stage.watch = Some(Watch::new(setup.kind, exactly_once, &log)));
        let folders = setup.has_folders.then(process::folder);
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
            "{:?}, {:?}, {} partitions, {} instances of {} threads, {} records, cache {}, commits every {} ms{}{}",
            self.setup.kind,
            config.guarantee,
            self.setup.partitions,
            self.setup.slots,
            config.threads,
            self.setup.inputs.len(),
            config.cache_bytes_max,
            config.commit_interval().as_millis(),
            if self.folders.is_some() { ", state on disk" } else { "" },
            if self.setup.reuses_sources { ", tables restored from their topics" } else { "" },
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

    /// Takes everything down.
    fn end(mut self) {
        let instances = on(|stage| stage.instances.len());
        (0..instances).for_each(|instance| self.kill(instance));
        let graves = on(|stage| std::mem::take(&mut stage.graveyard));
        drop(graves);
        drop(on(|stage| stage.watch.take()));
        on(|stage| stage.faults.add("input sent twice", self.setup.sent_twice));
    }
}
