//! What it costs to restore a store of counts from its changelog: the same changelog on the same broker, by us and by Kafka
//! Streams. Owns the changelog and both measurements; what is restored is compared with what was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Log, NewTopic, OutgoingRecord, ProducerError, ProducerSettings};
use candlewick::{
    Clock, Consumed, Grouped, Headers, KafkaStreams, KeyValueStore, Keys, Materialized, Partition,
    StreamsBuilder, StreamsConfig, SystemClock,
};
use candlewick_tests::servers::Kafka;
use serde::{Deserialize, Serialize};

use crate::child::{Child, CpuMeter};
use crate::error::BenchError;
use crate::jvm::Jvm;

const APPLICATION: &str = "restore";
const CHANGELOG: &str = "restore-counts-changelog";
const LIMIT: Duration = Duration::from_secs(900);
/// The most CPU seconds that a million records may take us.
const CPU_MAX: f64 = 1.6;
/// How many records we restore at least in the CPU time that one takes Kafka Streams.
const RATIO_MIN: f64 = 4.0;

/// What one side has restored, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// CPU seconds of the process.
    pub cpu_s: f64,
    /// Seconds it took.
    pub wall_s: f64,
    /// Keys in the store afterwards.
    pub rows: u64,
    /// Their values' sum.
    pub sum: i64,
}

/// Both sides, and how they compare.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreFigures {
    /// Records of the changelog.
    pub records: u64,
    /// Keys in it.
    pub keys: u64,
    /// Ours: from the start of the process to the running task.
    pub candlewick: Restored,
    /// Theirs: from the start of the restoration to its end.
    pub kafka_streams: Restored,
    /// Our CPU seconds for a million records.
    pub cpu_s_per_million: f64,
    /// Records that we restore in the CPU time that one takes Kafka Streams.
    pub rate_ratio: f64,
    /// Whether both stores hold what was written.
    pub outputs_equal: bool,
}

impl RestoreFigures {
    /// Whether the stores are right and the bars hold.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outputs_equal && self.cpu_s_per_million <= CPU_MAX && self.rate_ratio >= RATIO_MIN
    }
}

/// Writes a changelog of `records` records over `keys` keys and lets both sides restore it.
///
/// # Errors
/// When the broker or one of the sides fails.
pub fn restore(records: u64, keys: u64, jvm_build_dir: &Path) -> Result<RestoreFigures, BenchError> {
    eprintln!("bench: building the JVM's application");
    let jvm = Jvm::build(jvm_build_dir)?;
    eprintln!("bench: starting Kafka, and writing {records} records");
    let kafka = Kafka::start_new()?;
    let log = KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "bench"))?;
    let expected = write(&log, records, keys)?;
    let folder = tempfile::TempDir::with_prefix("candlewick-bench-");
    let folder = folder.map_err(BenchError::io("a temporary folder"))?;
    eprintln!("bench: candlewick");
    let this = std::env::current_exe().map_err(BenchError::io("this program"))?;
    let mut ours = Command::new(this);
    ours.args(["restore-ours", "--brokers", kafka.bootstrap(), "--state"]).arg(folder.path().join("ours"));
    let candlewick = measured(ours, &folder.path().join("ours.log"))?;
    eprintln!("bench: Kafka Streams");
    let theirs = jvm.restore_command(kafka.bootstrap(), APPLICATION, &folder.path().join("theirs"));
    let kafka_streams = measured(theirs, &folder.path().join("theirs.log"))?;
    let equal = |side: &Restored| (side.rows, side.sum) == expected;
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
    let millions = records as f64 / 1e6;
    Ok(RestoreFigures {
        records,
        keys,
        candlewick,
        kafka_streams,
        cpu_s_per_million: candlewick.cpu_s / millions,
        rate_ratio: kafka_streams.cpu_s / candlewick.cpu_s,
        outputs_equal: equal(&candlewick) && equal(&kafka_streams),
    })
}

/// Runs one side to its end and reads its figures.
fn measured(command: Command, log: &Path) -> Result<Restored, BenchError> {
    Child::start(command, log)?.wait_for_end(LIMIT)?;
    let text = std::fs::read_to_string(log).map_err(BenchError::io(log))?;
    let line = text.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).map_err(|_| BenchError::NoFigures { line: line.to_owned() })
}

/// Fills the changelog; gives how many keys it holds and the sum of their last values.
fn write(log: &KafkaLog, records: u64, keys: u64) -> Result<(u64, i64), BenchError> {
    let topic = |name: &str, policy: &str| NewTopic {
        name: name.into(),
        partitions: 1,
        replication: 1,
        config: BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]),
    };
    log.admin()?.create(&[topic("in", "delete"), topic(CHANGELOG, "compact")], LIMIT)?;
    let mut producer = log.producer(&ProducerSettings::default())?;
    let handle = producer.topic(CHANGELOG)?;
    let (time, headers) = (SystemClock::default().wall(), Headers::default());
    let mut last = vec![0_i64; usize::try_from(keys).unwrap_or(usize::MAX)];
    for number in 0..records {
        // In no order, as keys come: a stride that is prime to most numbers.
        let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys;
        let value = i64::try_from(number).unwrap_or(i64::MAX);
        last[usize::try_from(key).unwrap_or(0)] = value + 1;
        let (key, value) = (key.to_be_bytes(), (value + 1).to_be_bytes());
        let record = OutgoingRecord {
            topic: handle,
            partition: Partition(0),
            key: Some(&key),
            value: Some(&value),
            headers: &headers,
            timestamp: time,
        };
        while let Err(error) = producer.send(record) {
            let ProducerError::QueueFull = error else { return Err(error.into()) };
            producer.poll()?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(LIMIT)?;
    let held = last.iter().filter(|value| **value > 0);
    Ok((held.clone().count() as u64, held.sum()))
}

/// Our side, in a process of its own: restores, and prints its figures.
///
/// # Errors
/// When the application fails.
pub fn restore_ours(brokers: &str, state: PathBuf) -> Result<(), BenchError> {
    let began = Instant::now();
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect(KafkaSettings::new(brokers, APPLICATION))?);
    let builder = StreamsBuilder::new();
    builder
        .stream("in", Consumed::<i64, i64>::default())
        .group_by_key(Grouped::default())
        .count(Materialized::named("counts"));
    let failed = |error: &dyn std::fmt::Display| BenchError::Application(error.to_string());
    let topology = builder.build().map_err(|error| failed(&error))?;
    let config = StreamsConfig { state_dir: Some(state), ..StreamsConfig::new(APPLICATION) };
    let running = KafkaStreams::new(topology, config, log).start().map_err(|error| failed(&error))?;
    let store =
        running.handle().store::<KeyValueStore<i64, i64>>("counts").map_err(|error| failed(&error))?;
    while store.get(&0).is_err() {
        if let Some(error) = running.handle().error() {
            return Err(failed(&error));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (cpu_s, wall_s) = (CpuMeter::of(std::process::id()).seconds(), began.elapsed().as_secs_f64());
    let (mut rows, mut sum, mut next) = (0, 0, None);
    loop {
        let keys = Keys::all().limit(usize::MAX);
        let keys = match next {
            Some(cursor) => keys.after(cursor),
            None => keys,
        };
        let page = store.range(keys).map_err(|error| failed(&error))?;
        rows += page.rows.len() as u64;
        sum += page.rows.iter().map(|(_, entry)| entry.value).sum::<i64>();
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let figures = Restored { cpu_s, wall_s, rows, sum };
    println!("{}", serde_json::to_string(&figures).expect("numbers are JSON"));
    running.stop(LIMIT).map_err(|error| failed(&error))
}
