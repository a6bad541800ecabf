//! `beside-jvm candles`: runs the bench beside the JVM, prints its table and writes its figures; `beside-jvm backtest`
//! measures a backtest, `beside-jvm operators` each operator, `beside-jvm queries` what queries cost the processing,
//! `beside-jvm restore` what restoring a store costs, `beside-jvm elasticity` how long records wait while instances come and
//! go, `beside-jvm soak` what memory a load takes. Knows only the command line; fails when an output is not what it has to
//! be, or a bar does not hold.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use candlewick_bench::{
    Bench, BenchError, ElasticityOptions, Options, Side, SoakOptions, Totals, Workload, backtest,
    beside_driver, elasticity, queries, restore, restore_ours, soak,
};
use clap::{Parser, Subcommand};
use serde::Serialize;

/// Candlewick and Kafka Streams on the same broker.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    bench: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Trades to candles with indicators, and a stateless pipeline.
    Candles {
        /// Trades that both sides read as fast as they can.
        #[arg(long, default_value_t = 5_000_000)]
        records: u64,
        /// Trades of the case that is fed at a rate; as many as the others when not given.
        #[arg(long)]
        paced_records: Option<u64>,
        /// Stream threads of either side; when not given, each has its own default: one, and the JVM's application four.
        #[arg(long)]
        threads: Option<usize>,
        /// The cases to run; all of them when not given.
        #[arg(long, value_delimiter = ',', value_parser = workload)]
        only: Vec<Workload>,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// The candlewick binary; by default the one beside this program.
        #[arg(long)]
        candlewick: Option<PathBuf>,
        /// Runs our side only, without bars: for a profiler or a quick look.
        #[arg(long)]
        alone: bool,
    },
    /// A backtest over a large recording, alone.
    Backtest {
        /// Trades of the recording.
        #[arg(long, default_value_t = 20_000_000)]
        records: u64,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// The candlewick binary; by default the one beside this program.
        #[arg(long)]
        candlewick: Option<PathBuf>,
    },
    /// What each operator costs for a record, here and in the JVM's test driver.
    Operators {
        /// The operators; all of them when not given.
        names: Vec<String>,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// The restoration of a store from its changelog, on both sides.
    Restore {
        /// Records of the changelog.
        #[arg(long, default_value_t = 5_000_000)]
        records: u64,
        /// Keys in it.
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// How long records wait while instances come and go, alone.
    Elasticity {
        /// Trades a second.
        #[arg(long, default_value_t = 50_000)]
        rate: u32,
        /// Symbols, each with a row of state.
        #[arg(long, default_value_t = 2_000)]
        symbols: usize,
        /// Seconds of each part of the play.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// The candlewick binary; by default the one beside this program.
        #[arg(long)]
        candlewick: Option<PathBuf>,
    },
    /// Memory under full load, against the budget that the application was given, alone.
    Soak {
        /// Minutes of full load.
        #[arg(long, default_value_t = 30.0)]
        minutes: f64,
        /// Symbols, each with a row of state.
        #[arg(long, default_value_t = 5_000_000)]
        symbols: usize,
        /// The budget, in MiB.
        #[arg(long, default_value_t = 256)]
        budget_mib: u64,
        /// What the kernel lets the process have, file pages included, in MiB; needs a memory controller to write to.
        #[arg(long)]
        cgroup_mib: Option<u64>,
        /// Commits at least once instead of exactly once.
        #[arg(long)]
        at_least_once: bool,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
        /// The candlewick binary; by default the one beside this program.
        #[arg(long)]
        candlewick: Option<PathBuf>,
    },
    /// Our side of `restore`, in a process of its own.
    #[command(hide = true)]
    RestoreOurs {
        /// The broker.
        #[arg(long)]
        brokers: String,
        /// Where the store is kept.
        #[arg(long)]
        state: PathBuf,
    },
    /// The processing of records with and without point reads of its state, alone and in this process.
    Queries {
        /// Records of each run.
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// Point reads in a second.
        #[arg(long, default_value_t = 1_000)]
        rate: u32,
        /// Where to write the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

fn workload(name: &str) -> Result<Workload, String> {
    let names = Workload::ALL.map(|workload| workload.name);
    let found = Workload::ALL.into_iter().find(|workload| workload.name == name);
    found.ok_or_else(|| format!("there is no case {name}: choose of {}", names.join(", ")))
}

fn main() -> ExitCode {
    match run(Cli::parse().bench) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(which: Which) -> Result<bool, BenchError> {
    let io = |source| BenchError::Io { path: "the folder of this program".into(), source };
    let here = std::env::current_exe().map_err(io)?;
    let folder = here.parent().map_or_else(PathBuf::new, PathBuf::from);
    let binary = |given: Option<PathBuf>| given.unwrap_or_else(|| folder.join("candlewick"));
    let (options, json, alone) = match which {
        Which::Candles { records, paced_records, threads, only, json, candlewick, alone } => {
            let options = Options {
                records,
                paced_records: paced_records.unwrap_or(records),
                workloads: if only.is_empty() { Workload::ALL.to_vec() } else { only },
                threads,
                candlewick: binary(candlewick),
                jvm_build_dir: (!alone).then(|| folder.join("bench-jvm")),
            };
            (options, json, alone)
        }
        Which::Backtest { records, json, candlewick } => {
            let figures = backtest(&binary(candlewick), records)?;
            return show(&figures, json, figures.outputs_equal());
        }
        Which::Restore { records, keys, json } => {
            let figures = restore(records, keys, &folder.join("bench-jvm"))?;
            return show(&figures, json, figures.is_good());
        }
        Which::RestoreOurs { brokers, state } => return restore_ours(&brokers, state).map(|()| true),
        Which::Elasticity { rate, symbols, seconds, json, candlewick } => {
            let (phase, candlewick) = (Duration::from_secs(seconds), binary(candlewick));
            let figures = elasticity(&ElasticityOptions { rate, symbols, phase, candlewick })?;
            return show(&figures, json, figures.is_good());
        }
        Which::Soak { minutes, symbols, budget_mib, cgroup_mib, at_least_once, json, candlewick } => {
            let time = Duration::from_secs_f64(minutes * 60.0);
            let (exactly_once, candlewick) = (!at_least_once, binary(candlewick));
            let options = SoakOptions { time, symbols, budget_mib, cgroup_mib, exactly_once, candlewick };
            let figures = soak(&options)?;
            return show(&figures, json, figures.is_good());
        }
        Which::Operators { names, json } => {
            let table = beside_driver(&names, &folder.join("bench-jvm"))?;
            print!("{}", table.text());
            write(json, serde_json::to_string_pretty(&table).expect("numbers are JSON"))?;
            return Ok(table.outputs_equal());
        }
        Which::Queries { records, rate, json } => {
            let figures = queries(records, rate)?;
            return show(&figures, json, figures.is_good());
        }
    };
    let bench = Bench::start(options)?;
    if alone {
        return Ok(print_alone(&bench.run_alone()?));
    }
    let report = bench.run()?;
    print!("{}", report.table());
    write(json, report.json())?;
    Ok(report.outputs_equal())
}

/// Prints figures and writes them where they are wanted.
fn show(figures: &impl Serialize, json: Option<PathBuf>, is_good: bool) -> Result<bool, BenchError> {
    let text = serde_json::to_string_pretty(figures).expect("numbers are JSON");
    println!("{text}");
    write(json, text)?;
    Ok(is_good)
}

fn write(json: Option<PathBuf>, text: String) -> Result<(), BenchError> {
    let Some(path) = json else { return Ok(()) };
    std::fs::write(&path, text + "\n").map_err(|source| BenchError::Io { path, source })
}

/// Prints our figures; whether all outputs are what had to come out.
fn print_alone(sides: &[(Workload, Side, Totals)]) -> bool {
    for (workload, side, expected) in sides {
        println!(
            "{:<14} {:.3} CPU-s/M, {:.0} MiB RssAnon, first output {:.2} s, wall {:.1} s, broker {:.3} CPU-s/M, outputs {}",
            workload.name,
            side.cpu_s_per_million,
            side.rss_anon_mib,
            side.first_output_s,
            side.wall_s,
            side.broker_cpu_s_per_million,
            if side.totals == *expected { "right" } else { "WRONG" },
        );
    }
    sides.iter().all(|(_, side, expected)| side.totals == *expected)
}
