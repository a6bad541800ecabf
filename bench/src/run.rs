//! One call of the bench: a broker of its own, the trades, and each workload on both sides, one after the other. Owns
//! the order of things and the cleaning up; must not know how numbers are shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::Timestamp;
use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{ClientError, Log, ProducerSettings};
use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_tests::servers::Kafka;
use tempfile::TempDir;

use crate::child::{Child, Cost, CpuMeter};
use crate::error::BenchError;
use crate::feed::{self, Feed};
use crate::figures::{Case, Side};
use crate::jvm::{Jvm, JvmRun};
use crate::ours::{self, OurRun, SCHEMAS};
use crate::outputs::{self, Committed, FirstRecord};
use crate::report::Report;
use crate::totals::Totals;
use crate::trades::{TRADE_SCHEMA, TradeGenerator, minute_before};
use crate::workload::{Application, PARTITIONS, Workload};

const SEED: u64 = 42;
const TRADES: &str = "bench-trades";
const LIMIT: Duration = Duration::from_secs(900);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Trades that are there before an application starts.
    pub records: u64,
    /// Trades of the workloads that are fed at a rate.
    pub paced_records: u64,
    /// The workloads.
    pub workloads: Vec<Workload>,
    /// Stream threads of either application; each one's default when not given.
    pub threads: Option<usize>,
    /// The binary.
    pub candlewick: PathBuf,
    /// Where Maven builds the JVM's application; without it only our side can run.
    pub jvm_build_dir: Option<PathBuf>,
}

/// A bench that is ready to run: broker, JVM application and trades are there.
pub struct Bench {
    options: Options,
    kafka: Kafka,
    log: Arc<KafkaLog>,
    jvm: Option<Jvm>,
    folder: TempDir,
    start: Timestamp,
    trade_schema: u32,
}

/// One side of a workload: its names.
struct Names {
    by_jvm: bool,
    application_id: String,
    input: String,
    output: String,
    prefix: String,
    folder: PathBuf,
    records: u64,
}

impl Bench {
    /// Builds the JVM's application, starts a broker and writes the trades.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn start(options: Options) -> Result<Self, BenchError> {
        let jvm = match &options.jvm_build_dir {
            Some(folder) => {
                eprintln!("bench: building the JVM's application");
                Some(Jvm::build(folder)?)
            }
            None => None,
        };
        eprintln!("bench: starting Kafka");
        let kafka = Kafka::start_new()?;
        let log = Arc::new(KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "bench"))?);
        warm_up(&*log)?;
        let folder =
            TempDir::with_prefix("candlewick-bench-").map_err(BenchError::io("a temporary folder"))?;
        let registry = MemoryRegistry::in_file(folder.path().join(SCHEMAS))?;
        let trade_schema = registry.register("bench-trades-value", TRADE_SCHEMA)?;
        registry.register("bench-indicator-value", include_str!("../schemas/indicator.avsc"))?;
        registry.register("bench-notional-value", include_str!("../schemas/notional.avsc"))?;
        let span = i64::try_from(options.records.max(options.paced_records)).unwrap_or(i64::MAX);
        let start = minute_before(span);
        let bench = Self { options, kafka, log, jvm, folder, start, trade_schema };
        if bench.options.workloads.iter().any(|workload| workload.rate.is_none()) {
            eprintln!("bench: writing {} trades", bench.options.records);
            feed::create_topics(&*bench.log, &[TRADES])?;
            bench.feed(TRADES)?.write(bench.options.records)?;
        }
        Ok(bench)
    }

    /// Runs all workloads, and deletes what they left behind.
    ///
    /// # Errors
    /// When a side cannot be measured.
    pub fn run(self) -> Result<Report, BenchError> {
        let load = load_average();
        let mut cases = Vec::new();
        for workload in self.options.workloads.clone() {
            cases.push(self.case(&workload)?);
        }
        feed::delete_topics(&*self.log, "bench-")?;
        Ok(Report::new(self.options.records, self.options.paced_records, (load, load_average()), cases))
    }

    /// Runs our side of every workload alone, for a profiler or a quick look: nothing is compared with the JVM, but the
    /// outputs are checked.
    ///
    /// # Errors
    /// When it cannot be measured.
    pub fn run_alone(self) -> Result<Vec<(Workload, Side, Totals)>, BenchError> {
        let mut sides = Vec::new();
        for workload in self.options.workloads.clone() {
            let records = self.records(&workload);
            let expected = Totals::expected(workload.application, &mut self.trades(), records, PARTITIONS);
            sides.push((workload, self.side(&workload, false)?, expected));
        }
        Ok(sides)
    }

    fn feed(&self, topic: &str) -> Result<Feed, BenchError> {
        Feed::new(&*self.log, topic, self.trade_schema, self.trades())
    }

    fn trades(&self) -> TradeGenerator {
        TradeGenerator::new(SEED, self.start)
    }

    fn case(&self, workload: &Workload) -> Result<Case, BenchError> {
        let before = load_average();
        let records = self.records(workload);
        let expected = Totals::expected(workload.application, &mut self.trades(), records, PARTITIONS);
        let theirs = self.side(workload, true)?;
        let ours = self.side(workload, false)?;
        let load = (before, load_average());
        Ok(Case { name: workload.name, records, load, ours, theirs, expected })
    }

    fn records(&self, workload: &Workload) -> u64 {
        if workload.rate.is_some() { self.options.paced_records } else { self.options.records }
    }

    fn names(&self, workload: &Workload, by_jvm: bool) -> Result<Names, BenchError> {
        let side = if by_jvm { "jvm" } else { "ours" };
        let application_id = format!("bench-{}-{side}", workload.name);
        let prefix = format!("{application_id}-out-");
        let input = match workload.rate {
            None => TRADES.to_owned(),
            Some(_) => format!("{application_id}-trades"),
        };
        let output = ours::output_topic(workload.application, &prefix);
        let folder = self.folder.path().join(&application_id);
        fs::create_dir(&folder).map_err(BenchError::io(&folder))?;
        let (from, to) = (self.folder.path().join(SCHEMAS), folder.join(SCHEMAS));
        fs::copy(from, &to).map_err(BenchError::io(&to))?;
        let records = self.records(workload);
        Ok(Names { by_jvm, application_id, input, output, prefix, folder, records })
    }

    fn side(&self, workload: &Workload, by_jvm: bool) -> Result<Side, BenchError> {
        let names = self.names(workload, by_jvm)?;
        eprintln!("bench: {}", names.application_id);
        feed::create_topics(&*self.log, &[&names.output])?;
        if workload.rate.is_some() {
            feed::create_topics(&*self.log, &[&names.input])?;
        }
        let side = self.measure(workload, &names)?;
        feed::delete_topics(&*self.log, &names.application_id)?;
        fs::remove_dir_all(&names.folder).map_err(BenchError::io(&names.folder))?;
        Ok(side)
    }

    fn measure(&self, workload: &Workload, names: &Names) -> Result<Side, BenchError> {
        let mut first = FirstRecord::of(&*self.log, &names.output)?;
        let broker = CpuMeter::of(self.kafka.pid().unwrap_or_default());
        let broker_before = broker.seconds();
        let program_log = names.folder.join("program.log");
        let mut child = Child::start(self.command(workload, names), &program_log)?;
        let (started, meter) = (child.started(), child.cpu_meter());
        let stop = AtomicBool::new(false);
        let (cost, warm) = std::thread::scope(|scope| {
            let feeding = workload.rate.map(|rate| {
                let stop = &stop;
                scope.spawn(move || self.feed_paced(names, rate, &meter, stop))
            });
            let cost = match names.by_jvm {
                true => wait_for_jvm(&mut child, &mut first),
                false => self.wait_for_ours(child, &mut first, names),
            };
            stop.store(true, Ordering::Relaxed);
            let warm = feeding.map(|thread| thread.join().expect("the feed returns its errors"));
            Ok::<_, BenchError>((cost?, warm.transpose()?))
        })?;
        let wall_s = started.elapsed().as_secs_f64();
        let broker_cpu_s = broker.seconds() - broker_before;
        let last = if names.by_jvm { Some(Jvm::figures(&program_log)?.warm_cpu_s_per_million) } else { warm };
        // An output that came with the last commit may not have been read before the end.
        let seen = first.poll(Duration::from_secs(5))?;
        let registry = Arc::new(MemoryRegistry::in_file(names.folder.join(SCHEMAS))?);
        let totals =
            outputs::totals(&*self.log, &names.output, registry, workload.application, names.by_jvm)?;
        let millions = names.records as f64 / 1e6;
        Ok(Side {
            cpu_s: cost.cpu_s,
            cpu_s_per_million: cost.cpu_s / millions,
            cpu_s_per_million_last_40_percent: last,
            rss_anon_mib: cost.rss_anon_mib,
            first_output_s: seen.map_or(f64::NAN, |seen| (seen - started).as_secs_f64()),
            wall_s,
            broker_cpu_s_per_million: broker_cpu_s / millions,
            totals,
        })
    }

    fn command(&self, workload: &Workload, names: &Names) -> std::process::Command {
        let brokers = self.kafka.bootstrap();
        if !names.by_jvm {
            let run = OurRun {
                binary: &self.options.candlewick,
                brokers,
                input: &names.input,
                prefix: &names.prefix,
                application_id: &names.application_id,
                threads: self.options.threads,
                data_dir: names.folder.clone(),
            };
            return ours::command(workload, &run);
        }
        let schema_id = match workload.application {
            Application::Candles => self.trade_schema + 1,
            Application::Notional => self.trade_schema + 2,
        };
        let run = JvmRun {
            brokers,
            input: &names.input,
            output: &names.output,
            application_id: &names.application_id,
            schema_id,
            records: names.records,
            threads: self.options.threads,
            state_dir: names.folder.join("state"),
        };
        self.jvm
            .as_ref()
            .expect("both sides run only where the JVM's application was built")
            .command(workload, &run)
    }

    /// Feeds at a rate once the application works, and reads what the last 40 % cost.
    fn feed_paced(
        &self,
        names: &Names,
        rate: u32,
        meter: &CpuMeter,
        stop: &AtomicBool,
    ) -> Result<f64, BenchError> {
        let mut feed = self.feed(&names.input)?;
        let at_once = u64::from(rate).min(names.records);
        feed.write(at_once)?;
        let mut committed = Committed::of(&*self.log, &names.application_id, &names.input)?;
        while committed.records()? == 0 {
            if stop.load(Ordering::Relaxed) {
                return Ok(f64::NAN);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let last = names.records * 2 / 5;
        feed.write_paced(names.records - at_once - last, rate, stop)?;
        let before = meter.seconds();
        feed.write_paced(last, rate, stop)?;
        Ok((meter.seconds() - before) / (last as f64 / 1e6))
    }

    /// Ours runs until it is told to end: when its group has committed all that there is to read.
    fn wait_for_ours(
        &self,
        mut child: Child,
        first: &mut FirstRecord,
        names: &Names,
    ) -> Result<Cost, BenchError> {
        let begin = Instant::now();
        let all = i64::try_from(names.records).unwrap_or(i64::MAX);
        let mut asked = begin;
        let mut committed = Committed::of(&*self.log, &names.application_id, &names.input)?;
        loop {
            first.poll(Duration::from_millis(10))?;
            if child.try_end()?.is_some() {
                return Err(child.late("running until it was told to end", begin.elapsed()));
            }
            if asked.elapsed() < Duration::from_millis(500) {
                continue;
            }
            asked = Instant::now();
            if committed.records()? >= all {
                return child.terminate(Duration::from_secs(60));
            }
            if begin.elapsed() > LIMIT {
                return Err(child.late("committing all of its input", LIMIT));
            }
        }
    }
}

/// Has the broker make its own topics, of groups and of transactions: on a cluster that serves anybody they are there.
fn warm_up(log: &dyn Log) -> Result<(), BenchError> {
    let id = "bench-warm-up";
    let settings = ProducerSettings { transactional_id: Some(id.to_owned()), ..ProducerSettings::default() };
    log.producer(&settings)?.init_transactions(Duration::from_secs(60))?;
    let (mut admin, until) = (log.admin()?, Instant::now() + Duration::from_secs(60));
    loop {
        match admin.group_offsets(id, Duration::from_secs(60)) {
            // A coordinator that was elected a moment ago loads first.
            Err(ClientError::Unavailable { .. }) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(100));
            }
            outcome => return Ok(outcome.map(drop)?),
        }
    }
}

/// The JVM's application ends by itself.
fn wait_for_jvm(child: &mut Child, first: &mut FirstRecord) -> Result<Cost, BenchError> {
    let begin = Instant::now();
    loop {
        first.poll(Duration::from_millis(10))?;
        if let Some(cost) = child.try_end()? {
            return Ok(cost);
        }
        if begin.elapsed() > LIMIT {
            return Err(child.late("reading all of its input", LIMIT));
        }
    }
}

/// The machine's load over the last minute.
fn load_average() -> f64 {
    let text = fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}
