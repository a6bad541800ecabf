//! How long records wait while instances come and go: an application under a steady load, exactly once and with a standby,
//! to which an instance is added, from which one leaves in good order, and one is killed and comes back. Owns the play and
//! its figures. A record waits from its writing until the commit that it belongs to.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Admin, Log};
use candlewick::{Clock, SystemClock, Timestamp};
use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_connectors::read_time;
use candlewick_tests::servers::Kafka;
use serde::Serialize;
use tempfile::TempDir;

use crate::child::Child;
use crate::error::BenchError;
use crate::feed::{self, Feed, Written};
use crate::ours::{self, OurRun, SCHEMAS};
use crate::trades::{TRADE_SCHEMA, TradeGenerator, minute_before};
use crate::workload::{PARTITIONS, Workload};

const APPLICATION: &str = "elastic";
const TRADES: &str = "elastic-trades";
const LIMIT: Duration = Duration::from_secs(120);
/// How long a member may be silent: what a crash costs before anything else.
const SESSION: Duration = Duration::from_secs(6);
/// How often commits are looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What to play.
#[derive(Clone, Debug)]
pub struct ElasticityOptions {
    /// Trades a second.
    pub rate: u32,
    /// Symbols of the trades: each has a row in the state.
    pub symbols: usize,
    /// How long each part of the play lasts.
    pub phase: Duration,
    /// The binary.
    pub candlewick: PathBuf,
}

/// How long records waited in one part of the play.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Waits {
    /// Records that were written meanwhile.
    pub records: u64,
    /// What half of them waited at most, in milliseconds.
    pub p50_ms: u64,
    /// What 99 in a hundred waited at most.
    pub p99_ms: u64,
    /// What each of them waited at most.
    pub max_ms: u64,
}

/// One part of the play.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// What happened at its beginning.
    pub name: &'static str,
    /// Partitions whose tasks began on another instance or anew.
    pub moved: BTreeSet<i32>,
    /// Waits of records in the partitions that stayed.
    pub stayed_waits: Waits,
    /// Waits of records in the partitions that moved.
    pub moved_waits: Waits,
    /// The most that records of those that stay may wait, in milliseconds.
    pub stayed_max_ms: u64,
    /// The most that records of those that move may wait.
    pub moved_max_ms: u64,
}

/// The whole play.
#[derive(Clone, Debug, Serialize)]
pub struct ElasticityFigures {
    /// Trades a second.
    pub rate: u32,
    /// Symbols.
    pub symbols: usize,
    /// Milliseconds that a member may be silent.
    pub session_ms: u64,
    /// From the moment when the killed instance's transactions were fenced until its tasks ran again, in milliseconds.
    pub fenced_to_running_ms: Option<i64>,
    /// Its parts.
    pub phases: Vec<Phase>,
}

impl ElasticityFigures {
    /// Whether every bar holds, and every event moved tasks.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let in_time = |phase: &Phase| {
            phase.stayed_waits.max_ms <= phase.stayed_max_ms && phase.moved_waits.max_ms <= phase.moved_max_ms
        };
        let moved = |phase: &Phase| !phase.moved.is_empty() || phase.name == STEADY;
        self.phases.iter().all(|phase| in_time(phase) && moved(phase))
            && self.fenced_to_running_ms.is_some_and(|ms| ms <= FENCED_TO_RUNNING_MAX_MS)
    }
}

const STEADY: &str = "steady";
/// An abort and its replay included.
const STAYED_MAX_MS: u64 = 2_000;
const MOVED_MAX_MS: u64 = 5_000;
const FENCED_TO_RUNNING_MAX_MS: i64 = 2_000;

/// Plays it on a broker of its own.
///
/// # Errors
/// When the broker or an instance fails, or records are never committed.
pub fn elasticity(options: &ElasticityOptions) -> Result<ElasticityFigures, BenchError> {
    eprintln!("bench: starting Kafka");
    let kafka = Kafka::start_new()?;
    let log = Arc::new(KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "bench"))?);
    let folder = TempDir::with_prefix("candlewick-bench-").map_err(BenchError::io("a temporary folder"))?;
    let schemas = folder.path().join(SCHEMAS);
    let schema = MemoryRegistry::in_file(schemas.clone())?.register("elastic-trades-value", TRADE_SCHEMA)?;
    feed::create_topics(&*log, &[TRADES])?;
    let trades = TradeGenerator::of_symbols(42, minute_before(6 * 3_600_000), options.symbols);
    let mut feed = Feed::new(&*log, TRADES, schema, trades)?;
    let written = feed.written();
    let mut play = Play { options, kafka: &kafka, folder: folder.path(), instances: Vec::new() };
    play.start(0)?;
    play.start(1)?;
    // Every symbol has its row before anything is measured.
    feed.write(options.symbols as u64 + 60_000)?;
    let mut watch = Watch::new(log.admin()?, written);
    watch.until_committed(LIMIT)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let feeding = scope.spawn(|| feed.write_paced(u64::MAX, options.rate, &stop));
        let outcome = play.run(&mut watch);
        stop.store(true, Ordering::Relaxed);
        feeding.join().expect("the feed returns its errors")?;
        outcome
    })
}

/// The instances, and what happens to them.
struct Play<'a> {
    options: &'a ElasticityOptions,
    kafka: &'a Kafka,
    folder: &'a Path,
    instances: Vec<(usize, Child)>,
}

impl Play<'_> {
    fn start(&mut self, number: usize) -> Result<(), BenchError> {
        let workload = Workload { exactly_once: true, ..Workload::ALL[0] };
        let run = OurRun {
            binary: &self.options.candlewick,
            brokers: self.kafka.bootstrap(),
            input: TRADES,
            prefix: "elastic-",
            application_id: APPLICATION,
            threads: None,
            data_dir: self.folder.join(number.to_string()),
        };
        let config = format!("standby-replicas = 1\nsession-timeout-ms = {}\n", SESSION.as_millis());
        let command = ours::configured_command(&workload, &run, &self.folder.join(SCHEMAS), &config)?;
        let file = self.folder.join(format!("{number}-{}.log", self.logs(number).len()));
        self.instances.push((number, Child::start(command, &file)?));
        Ok(())
    }

    fn take(&mut self, number: usize) -> Child {
        let at = self.instances.iter().position(|(of, _)| *of == number).expect("it was started");
        self.instances.remove(at).1
    }

    fn run(&mut self, watch: &mut Watch) -> Result<ElasticityFigures, BenchError> {
        let session = u64::try_from(SESSION.as_millis()).unwrap_or(u64::MAX);
        let mut phases = Vec::new();
        let mut fenced_to_running_ms = None;
        type Event = fn(&mut Play<'_>) -> Result<(), BenchError>;
        let events: [(&'static str, u64, Event); 5] = [
            (STEADY, 0, |_| Ok(())),
            ("an instance is added", 0, |play| play.start(2)),
            ("an instance leaves in good order", 0, |play| play.take(2).terminate(LIMIT).map(drop)),
            ("an instance is killed", session, |play| play.take(1).kill(LIMIT).map(drop)),
            ("the killed one comes back", 0, |play| play.start(1)),
        ];
        for (name, more_ms, event) in events {
            eprintln!("bench: {name}");
            let since = SystemClock::default().wall();
            watch.begin();
            let phase = self.options.phase;
            // What an event takes is part of the phase. A program ends with the thread that started it: it is this one.
            std::thread::scope(|scope| {
                let looking = scope.spawn(|| watch.look_for(phase));
                event(self)?;
                looking.join().expect("the watch returns its errors")
            })?;
            let waits = watch.end(LIMIT)?;
            let moved = self.moved(since);
            if more_ms > 0 {
                fenced_to_running_ms = self.fenced_to_running(since);
            }
            let of =
                |moves: bool| Waits::of(waits.iter().filter(|wait| moved.contains(&wait.partition) == moves));
            phases.push(Phase {
                name,
                stayed_waits: of(false),
                moved_waits: of(true),
                // One thread's tasks share a commit: those of a dead instance's partitions alone wait for its session.
                stayed_max_ms: STAYED_MAX_MS,
                moved_max_ms: MOVED_MAX_MS + more_ms,
                moved,
            });
        }
        for (_, child) in std::mem::take(&mut self.instances) {
            child.terminate(LIMIT)?;
        }
        Ok(ElasticityFigures {
            rate: self.options.rate,
            symbols: self.options.symbols,
            session_ms: session,
            fenced_to_running_ms,
            phases,
        })
    }

    /// The logs of an instance's runs.
    fn logs(&self, number: usize) -> Vec<PathBuf> {
        let name = |run: usize| self.folder.join(format!("{number}-{run}.log"));
        (0..).map(name).take_while(|path| path.exists()).collect()
    }

    /// Lines that were logged since then, with when.
    fn lines_since(&self, since: Timestamp) -> Vec<(Timestamp, String)> {
        let logs = (0..3).flat_map(|number| self.logs(number));
        let mut lines = Vec::new();
        for text in logs.filter_map(|path| fs::read_to_string(path).ok()) {
            let stamped = text.lines().filter_map(|line| Some((stamp(line)?, line.to_owned())));
            lines.extend(stamped.filter(|(at, _)| *at >= since));
        }
        lines.sort();
        lines
    }

    /// The partitions whose tasks began somewhere since then.
    fn moved(&self, since: Timestamp) -> BTreeSet<i32> {
        let begun = self.lines_since(since).into_iter().filter(|(_, line)| line.contains("task running"));
        begun.filter_map(|(_, line)| partition(&line)).collect()
    }

    fn fenced_to_running(&self, since: Timestamp) -> Option<i64> {
        let lines = self.lines_since(since);
        let fenced = lines.iter().find(|(_, line)| line.contains("its tasks go to others"))?.0;
        let begun = lines.iter().filter(|(at, line)| *at >= fenced && line.contains("task running"));
        Some(begun.map(|(at, _)| at.as_millis()).max()? - fenced.as_millis())
    }
}

/// When a line was logged: it begins with that.
fn stamp(line: &str) -> Option<Timestamp> {
    read_time(line.split_once(' ')?.0)
}

/// The partition of the task that a line names as `task=0_3`.
fn partition(line: &str) -> Option<i32> {
    let id = line.split_once("task=")?.1.split_whitespace().next()?;
    id.split_once('_')?.1.parse().ok()
}

/// How long some records of one partition waited.
struct Wait {
    partition: i32,
    records: u64,
    waited: Duration,
}

impl Waits {
    fn of<'a>(waits: impl Iterator<Item = &'a Wait>) -> Self {
        let mut waits: Vec<&Wait> = waits.collect();
        waits.sort_by_key(|wait| wait.waited);
        let records = waits.iter().map(|wait| wait.records).sum::<u64>();
        let at = |share: f64| {
            let mut seen = 0;
            let found = waits.iter().find(|wait| {
                seen += wait.records;
                seen as f64 >= records as f64 * share
            });
            found.map_or(0, |wait| u64::try_from(wait.waited.as_millis()).unwrap_or(u64::MAX))
        };
        Self { records, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

/// Compares what was written with what is committed.
struct Watch {
    admin: Box<dyn Admin>,
    written: Arc<Written>,
    /// Records that wait, by partition: up to which offset, and since when.
    waiting: Vec<VecDeque<(i64, Instant)>>,
    committed: Vec<i64>,
    waits: Vec<Wait>,
    begun: Instant,
}

impl Watch {
    fn new(admin: Box<dyn Admin>, written: Arc<Written>) -> Self {
        let waiting = (0..PARTITIONS).map(|_| VecDeque::new()).collect();
        let committed = (0..PARTITIONS).map(|_| 0).collect();
        Self { admin, written, waiting, committed, waits: Vec::new(), begun: Instant::now() }
    }

    /// What is written from now on counts.
    fn begin(&mut self) {
        self.waits.clear();
        self.begun = Instant::now();
    }

    fn look_for(&mut self, time: Duration) -> Result<(), BenchError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.look()?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), BenchError> {
        let now = Instant::now();
        for (waiting, written) in self.waiting.iter_mut().zip(&self.written.0) {
            let written = written.load(Ordering::Relaxed);
            if waiting.back().is_none_or(|(offset, _)| *offset < written) {
                waiting.push_back((written, now));
            }
        }
        let offsets = self.admin.group_offsets(APPLICATION, LIMIT)?;
        let now = Instant::now();
        for (partition, committed) in offsets.into_iter().filter(|(partition, _)| *partition.topic == *TRADES)
        {
            let number = partition.partition.0;
            let at = usize::try_from(number).expect("partitions count from 0");
            let waiting = &mut self.waiting[at];
            while waiting.front().is_some_and(|(offset, _)| *offset <= committed.offset) {
                let Some((offset, since)) = waiting.pop_front() else { break };
                let records = u64::try_from(offset - self.committed[at]).unwrap_or(0);
                self.committed[at] = offset;
                if since >= self.begun {
                    self.waits.push(Wait { partition: number, records, waited: now - since });
                }
            }
        }
        Ok(())
    }

    /// The waits of all that was written since the beginning, once it is committed.
    fn end(&mut self, limit: Duration) -> Result<Vec<Wait>, BenchError> {
        let until = Instant::now();
        while self.waiting.iter().flatten().any(|(_, since)| *since <= until) {
            self.look()?;
            self.check(until, limit)?;
            std::thread::sleep(LOOK);
        }
        Ok(std::mem::take(&mut self.waits))
    }

    /// Waits until all that is written is committed.
    fn until_committed(&mut self, limit: Duration) -> Result<(), BenchError> {
        let since = Instant::now();
        self.look()?;
        while self.waiting.iter().any(|waiting| !waiting.is_empty()) {
            self.look()?;
            self.check(since, limit)?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn check(&self, since: Instant, limit: Duration) -> Result<(), BenchError> {
        if since.elapsed() < limit {
            return Ok(());
        }
        let what = "the commit of what was written".to_owned();
        Err(BenchError::Late { what, limit, log: format!("committed up to {:?}", self.committed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_when_and_which_partition() {
        let line = "2024-02-29T12:00:00.250000Z  INFO candlewick::runtime: task running task=0_3 thread=1";
        assert_eq!(stamp(line), Some(Timestamp(1_709_208_000_250)));
        assert_eq!(partition(line), Some(3));
        assert_eq!(stamp("candlewick: an error"), None);
    }

    #[test]
    fn waits_are_weighed_by_records() {
        let wait = |records, ms| Wait { partition: 0, records, waited: Duration::from_millis(ms) };
        let waits = Waits::of([wait(98, 10), wait(1, 500), wait(1, 900)].iter());
        assert_eq!((waits.records, waits.p50_ms, waits.p99_ms, waits.max_ms), (100, 10, 500, 900));
    }
}
