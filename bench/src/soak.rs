//! What memory a loaded application takes in the long run: more symbols than any cache holds, as many trades as it can
//! take, and a budget that it was given. Owns the load and the samples; must not know what the application keeps where.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Log, NewTopic};
use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_tests::servers::Kafka;
use serde::Serialize;
use tempfile::TempDir;

use crate::cgroup::Cgroup;
use crate::child::Child;
use crate::error::BenchError;
use crate::feed::{Feed, Written};
use crate::ours::{self, OurRun, SCHEMAS};
use crate::outputs::Committed;
use crate::trades::{TRADE_SCHEMA, TradeGenerator, minute_before};
use crate::workload::{PARTITIONS, Workload};

const APPLICATION: &str = "soak";
const TRADES: &str = "soak-trades";
const LIMIT: Duration = Duration::from_secs(600);
/// So many trades are written and not yet processed, at most: there is always work, and the broker's disk is bounded.
const AHEAD: i64 = 400_000;
/// How long ago the first trade was, in milliseconds: each comes one later, and a broker refuses times that lie ahead.
const PAST_MS: i64 = 72 * 3_600_000;
/// What is written between two looks.
const BATCH: u64 = 50_000;
/// Anonymous memory may be this much more than the budget.
const TOLERANCE: f64 = 1.2;

/// What to play.
#[derive(Clone, Debug)]
pub struct SoakOptions {
    /// How long the load lasts, once every symbol has its row.
    pub time: Duration,
    /// Symbols of the trades: each has a row in the state.
    pub symbols: usize,
    /// The budget, in MiB.
    pub budget_mib: u64,
    /// The most that the kernel lets the process have, file pages included, in MiB; no bound when not given.
    pub cgroup_mib: Option<u64>,
    /// Whether it commits exactly once.
    pub exactly_once: bool,
    /// The binary.
    pub candlewick: PathBuf,
}

/// What was seen.
#[derive(Clone, Debug, Serialize)]
pub struct SoakFigures {
    /// Seconds of full load.
    pub seconds: f64,
    /// Symbols.
    pub symbols: usize,
    /// Trades that were processed meanwhile.
    pub records: i64,
    /// Trades a second.
    pub records_per_second: f64,
    /// CPU seconds of the application for a million trades.
    pub cpu_s_per_million: f64,
    /// The budget, in MiB.
    pub budget_mib: u64,
    /// What the kernel let it have, in MiB.
    pub cgroup_mib: Option<u64>,
    /// Anonymous resident memory at the end of each tenth of the time, in MiB.
    pub rss_anon_mib: Vec<f64>,
    /// The most of it that was seen, from the start of the process on, in MiB.
    pub rss_anon_peak_mib: f64,
    /// Resident pages of files at the end, which the kernel takes back when it needs them, in MiB.
    pub rss_file_mib: f64,
}

impl SoakFigures {
    /// Whether the budget held, and something was processed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.records > 0 && self.rss_anon_peak_mib <= self.budget_mib as f64 * TOLERANCE
    }
}

/// Plays it on a broker of its own.
///
/// # Errors
/// When the broker or the application fails, or it does not keep up at all.
pub fn soak(options: &SoakOptions) -> Result<SoakFigures, BenchError> {
    eprintln!("soak: starting Kafka");
    let kafka = Kafka::start_new()?;
    let log = Arc::new(KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "soak"))?);
    let folder = TempDir::with_prefix("candlewick-soak-").map_err(BenchError::io("a temporary folder"))?;
    let schemas = folder.path().join(SCHEMAS);
    let schema = MemoryRegistry::in_file(schemas)?.register("soak-trades-value", TRADE_SCHEMA)?;
    create_topics(&*log)?;
    let trades = TradeGenerator::of_symbols(42, minute_before(PAST_MS), options.symbols);
    let feed = Feed::new(&*log, TRADES, schema, trades)?;
    let written = feed.written();
    let cgroup = options.cgroup_mib.map(Cgroup::new).transpose()?;
    let child = start(options, kafka.bootstrap(), folder.path())?;
    if let Some(cgroup) = &cgroup {
        cgroup.add(child.id())?;
    }
    let mut load = Load { committed: Committed::of(&*log, APPLICATION, TRADES)?, feed, written };
    eprintln!("soak: {} symbols get their rows", options.symbols);
    load.run_until(|processed| processed >= options.symbols as i64)?;
    eprintln!("soak: {:?} of full load", options.time);
    let (meter, begun) = (child.cpu_meter(), Instant::now());
    let (cpu_before, records_before) = (meter.seconds(), load.committed.records()?);
    let mut rss_anon_mib = Vec::new();
    load.run_until(|_| {
        let tenths = begun.elapsed().as_secs_f64() / options.time.as_secs_f64() * 10.0;
        if tenths >= (rss_anon_mib.len() + 1) as f64 {
            rss_anon_mib.push(child.memory().anonymous_mib);
            eprintln!("soak: {:.0} MiB anonymous", child.memory().anonymous_mib);
        }
        tenths >= 10.0
    })?;
    let (seconds, records) = (begun.elapsed().as_secs_f64(), load.committed.records()? - records_before);
    let (cpu_s, memory) = (meter.seconds() - cpu_before, child.memory());
    let cost = child.terminate(LIMIT)?;
    Ok(SoakFigures {
        seconds,
        symbols: options.symbols,
        records,
        records_per_second: records as f64 / seconds,
        cpu_s_per_million: cpu_s / records as f64 * 1e6,
        budget_mib: options.budget_mib,
        cgroup_mib: options.cgroup_mib,
        rss_anon_mib,
        rss_anon_peak_mib: cost.rss_anon_mib,
        rss_file_mib: memory.file_mib,
    })
}

/// Topics that the broker keeps small: what was processed need not stay.
fn create_topics(log: &dyn Log) -> Result<(), BenchError> {
    let config = [("retention.bytes", "268435456"), ("segment.bytes", "67108864"), ("retention.ms", "-1")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let topic = NewTopic { name: TRADES.to_owned(), partitions: PARTITIONS, replication: 1, config };
    Ok(log.admin()?.create(&[topic], LIMIT)?)
}

fn start(options: &SoakOptions, brokers: &str, folder: &Path) -> Result<Child, BenchError> {
    let workload = Workload { exactly_once: options.exactly_once, ..Workload::ALL[0] };
    let run = OurRun {
        binary: &options.candlewick,
        brokers,
        input: TRADES,
        prefix: "soak-",
        application_id: APPLICATION,
        threads: None,
        data_dir: folder.join("data"),
    };
    let config = format!("memory-bytes-max = {}\n", options.budget_mib << 20);
    let command = ours::configured_command(&workload, &run, &folder.join(SCHEMAS), &config)?;
    Child::start(command, &folder.join("candlewick.log"))
}

/// Trades that are written as fast as they are processed.
struct Load {
    committed: Committed<'static>,
    feed: Feed,
    written: Arc<Written>,
}

impl Load {
    /// Writes until `is_over`, which is told how many trades were processed.
    fn run_until(&mut self, mut is_over: impl FnMut(i64) -> bool) -> Result<(), BenchError> {
        let (mut moved, mut last) = (Instant::now(), -1);
        loop {
            let processed = self.committed.records()?;
            if is_over(processed) {
                return Ok(());
            }
            if processed > last {
                (moved, last) = (Instant::now(), processed);
            } else if moved.elapsed() > LIMIT {
                let log = format!("{processed} trades were processed");
                return Err(BenchError::Late { what: "any progress".to_owned(), limit: LIMIT, log });
            }
            if self.written.total() - processed < AHEAD {
                self.feed.write(BATCH)?;
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
