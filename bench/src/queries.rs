//! What queries cost the processing: the same records through the same topology, alone, under a load of typed point reads,
//! and under the same load over HTTP. Owns the load and the measuring; what is found is compared with what was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    Consumed, Grouped, Headers, KafkaStreams, KeyValueStore, Keys, Materialized, Partition, RunningStreams,
    StreamsBuilder, StreamsConfig, StreamsHandle, TimeWindows, Timestamp, Topology,
};
use candlewick_server::{Access, Feed, StatusServer, StreamsApplication, install_recorder};
use serde::Serialize;

use crate::error::BenchError;

const KEYS: u64 = 100_000;
/// Pairs of runs; the middle one of each kind counts.
const ROUNDS: usize = 5;
const COMMIT_INTERVAL_MS: u64 = 100;
const LIMIT: Duration = Duration::from_secs(600);
/// The most that point reads may add to the processing, as a share of it.
const SLOWDOWN_MAX: f64 = 0.05;

/// Who asks while records are processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// Nobody.
    Nobody,
    /// A thread with a typed handle.
    Handle,
    /// A client of the status server.
    Http,
}

/// What one kind of run has cost: the middle one of its rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueryCost {
    /// CPU seconds of the stream thread for a million records.
    pub processing_cpu_s_per_million: f64,
    /// Seconds from the start of the application to its last record.
    pub wall_s: f64,
    /// Reads that were answered in a second.
    pub reads_per_second: f64,
    /// How long the middle one of the reads took, in microseconds.
    pub read_us: f64,
    /// How long all but a hundredth of the reads took at most, in microseconds.
    pub read_p99_us: f64,
}

/// The costs without and with queries.
#[derive(Clone, Debug, Serialize)]
pub struct QueryFigures {
    /// Records of each run.
    pub records: u64,
    /// Point reads that were asked for in a second.
    pub rate: u32,
    /// By who asked.
    pub costs: BTreeMap<Asker, QueryCost>,
    /// What typed point reads added to the stream thread's CPU time, as a share of it.
    pub slowdown: f64,
    /// Whether every store held what was written in the end.
    pub outputs_equal: bool,
}

impl QueryFigures {
    /// Whether the outputs were right and the reads cost no more than they may.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outputs_equal && self.slowdown < SLOWDOWN_MAX
    }
}

/// Runs the topology over `records` records, with nobody asking and with `rate` point reads a second.
///
/// # Errors
/// When the application fails or does not end.
pub fn queries(records: u64, rate: u32) -> Result<QueryFigures, BenchError> {
    eprintln!("bench: writing {records} records");
    let log = written(records)?;
    let metrics = install_recorder().map_err(failed)?;
    let mut runs: BTreeMap<Asker, Vec<QueryCost>> = BTreeMap::new();
    let mut outputs_equal = true;
    for round in 0..ROUNDS {
        for asker in [Asker::Nobody, Asker::Handle, Asker::Http] {
            eprintln!("bench: round {round}, asked by {asker:?}");
            let run = Run::start(&log, &format!("queries-{round}-{asker:?}"), records)?;
            let server = match asker {
                Asker::Http => {
                    let application = Arc::new(StreamsApplication::new(run.running.handle()));
                    let feed = Arc::new(Feed::default());
                    let anywhere = ([127, 0, 0, 1], 0).into();
                    Some(
                        StatusServer::start(anywhere, &Access::default(), application, feed, metrics.clone())
                            .map_err(failed)?,
                    )
                }
                Asker::Nobody | Asker::Handle => None,
            };
            let load = match (asker, &server) {
                (Asker::Handle, _) => Some(Load::by_handle(&run.running.handle(), rate)?),
                (_, Some(server)) => Some(Load::over_http(server.local_addr(), rate)),
                (_, None) => None,
            };
            let (cost, is_equal) = run.finish(load)?;
            outputs_equal &= is_equal;
            runs.entry(asker).or_default().push(cost);
        }
    }
    let costs: BTreeMap<Asker, QueryCost> =
        runs.into_iter().map(|(asker, costs)| (asker, middle(costs))).collect();
    let processing = |asker| costs[&asker].processing_cpu_s_per_million;
    let slowdown = processing(Asker::Handle) / processing(Asker::Nobody) - 1.0;
    Ok(QueryFigures { records, rate, costs, slowdown, outputs_equal })
}

/// Whichever cost the processing the middle amount.
fn middle(mut costs: Vec<QueryCost>) -> QueryCost {
    costs.sort_by(|a, b| a.processing_cpu_s_per_million.total_cmp(&b.processing_cpu_s_per_million));
    costs[costs.len() / 2]
}

/// A log with this many records of one partition, of keys in no order.
fn written(records: u64) -> Result<Arc<EmbeddedLog>, BenchError> {
    let log = EmbeddedLog::in_memory();
    let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: BTreeMap::new() };
    log.admin()?.create(&[topic], LIMIT)?;
    let mut producer = log.producer(&ProducerSettings::default())?;
    let topic = producer.topic("in")?;
    for n in 0..records {
        let (key, time) = (key_of(n).to_be_bytes(), Timestamp(i64::try_from(n / 100).unwrap_or(i64::MAX)));
        producer.send(OutgoingRecord {
            topic,
            partition: Partition(0),
            key: Some(&key),
            value: Some(&key),
            headers: &Headers::default(),
            timestamp: time,
        })?;
        if n % 10_000 == 0 {
            producer.poll()?;
        }
    }
    producer.flush(LIMIT)?;
    Ok(log)
}

fn key_of(n: u64) -> i64 {
    i64::try_from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % KEYS).expect("fewer keys than that")
}

/// Counts by key, and by key and minute; `seen` counts records.
fn topology(seen: Arc<AtomicU64>) -> Result<Topology, BenchError> {
    let builder = StreamsBuilder::new();
    let stream = builder.stream("in", Consumed::<i64, i64>::default()).peek(move |_, _| {
        seen.fetch_add(1, Ordering::Relaxed);
    });
    let grouped = stream.group_by_key(Grouped::default());
    let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    grouped.clone().windowed_by(minutes).count(Materialized::named("per-minute"));
    grouped.count(Materialized::named("counts"));
    builder.build().map_err(failed)
}

/// The application over the log's records.
struct Run {
    running: RunningStreams,
    records: u64,
    seen: Arc<AtomicU64>,
    began: Instant,
    _folder: tempfile::TempDir,
}

impl Run {
    fn start(log: &Arc<EmbeddedLog>, id: &str, records: u64) -> Result<Self, BenchError> {
        let folder = tempfile::TempDir::with_prefix("candlewick-bench-");
        let folder = folder.map_err(BenchError::io("a temporary folder"))?;
        let config = StreamsConfig {
            state_dir: Some(folder.path().to_owned()),
            commit_interval_ms: Some(COMMIT_INTERVAL_MS),
            ..StreamsConfig::new(id)
        };
        let (seen, log) = (Arc::new(AtomicU64::new(0)), Arc::clone(log) as Arc<dyn Log>);
        let topology = topology(Arc::clone(&seen))?;
        let began = Instant::now();
        let running = KafkaStreams::new(topology, config, log).start().map_err(failed)?;
        Ok(Self { running, records, seen, began, _folder: folder })
    }

    /// Waits for the last record; what it has cost until then, and whether the store holds what was written.
    fn finish(self, load: Option<Load>) -> Result<(QueryCost, bool), BenchError> {
        while self.seen.load(Ordering::Relaxed) < self.records {
            if let Some(error) = self.running.handle().error() {
                return Err(failed(error));
            }
            if self.began.elapsed() > LIMIT {
                return Err(failed("the records were not processed in time"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let wall_s = self.began.elapsed().as_secs_f64();
        let cpu_s = cpu_of_thread("stream-0")?;
        let reads = load.map(Load::stop).unwrap_or_default();
        let is_equal = self.is_equal()?;
        self.running.stop(LIMIT).map_err(failed)?;
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 of either")]
        let cost = QueryCost {
            processing_cpu_s_per_million: cpu_s * 1e6 / self.records as f64,
            wall_s,
            reads_per_second: reads.len() as f64 / wall_s,
            read_us: quantile(&reads, 0.5),
            read_p99_us: quantile(&reads, 0.99),
        };
        Ok((cost, is_equal))
    }

    fn is_equal(&self) -> Result<bool, BenchError> {
        let store = self.running.handle().store::<KeyValueStore<i64, i64>>("counts").map_err(failed)?;
        let store = store.staleness_max(Duration::ZERO);
        let page = store.range(Keys::all().limit(usize::MAX)).map_err(failed)?;
        let (mut counted, mut next) = (page.rows, page.next);
        while let Some(cursor) = next {
            let page = store.range(Keys::all().limit(usize::MAX).after(cursor)).map_err(failed)?;
            counted.extend(page.rows);
            next = page.next;
        }
        let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
        (0..self.records).for_each(|n| *expected.entry(key_of(n)).or_default() += 1);
        Ok(counted.into_iter().map(|(key, count)| (key, count.value)).eq(expected))
    }
}

/// A thread that reads at a rate, and how long each read took.
struct Load {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Duration>>,
}

impl Load {
    fn start(rate: u32, read: impl Fn(i64) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (began, mut took) = (Instant::now(), Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let asked = u32::try_from(took.len()).unwrap_or(u32::MAX);
                let due = Duration::from_secs(1) / rate * asked;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                let before = Instant::now();
                read(key_of(u64::from(asked) * 7));
                took.push(before.elapsed());
            }
            took
        });
        Self { stop, thread }
    }

    fn by_handle(streams: &StreamsHandle, rate: u32) -> Result<Self, BenchError> {
        let store = streams.store::<KeyValueStore<i64, i64>>("counts").map_err(failed)?;
        // Until the task runs it is refused, which costs as much.
        Ok(Self::start(rate, move |key| drop(store.get(&key))))
    }

    fn over_http(address: std::net::SocketAddr, rate: u32) -> Self {
        let client = reqwest::blocking::Client::new();
        let read = move |key| {
            let sent = client.get(format!("http://{address}/stores/counts/{key}")).send();
            drop(sent.and_then(reqwest::blocking::Response::bytes));
        };
        Self::start(rate, read)
    }

    fn stop(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

/// In microseconds.
fn quantile(took: &[Duration], share: f64) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64) * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).map_or(0.0, |took| took.as_secs_f64() * 1e6)
}

/// Seconds that the threads of this name in this process have run, as the kernel charges them.
fn cpu_of_thread(name: &str) -> Result<f64, BenchError> {
    let tasks = Path::new("/proc/self/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(tasks).map_err(BenchError::io(tasks))? {
        let task = task.map_err(BenchError::io(tasks))?.path();
        // A thread may end while it is looked at.
        let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim_end() == name {
            let ran = read("schedstat");
            nanoseconds += ran.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}

fn failed(error: impl ToString) -> BenchError {
    BenchError::Application(error.to_string())
}
