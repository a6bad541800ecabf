//! `cargo xtask sim`: plays seeds and tells what they came to. Owns the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use candlewick_sim::play;

const USAGE: &str = "cargo xtask sim [--from SEED] [--seeds N] [--verbose] [--json FILE]";

struct Options {
    from: u64,
    seeds: u64,
    verbose: bool,
    json: Option<PathBuf>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { from: 1, seeds: 200, verbose: false, json: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value: {USAGE}"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number: {USAGE}"));
        match name.as_str() {
            "--from" => options.from = number(value()?)?,
            "--seeds" => options.seeds = number(value()?)?,
            "--verbose" => options.verbose = true,
            "--json" => options.json = Some(value()?.into()),
            other => return Err(format!("there is no option {other}: {USAGE}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("sim: {reason}");
            return ExitCode::from(2);
        }
    };
    if options.verbose {
        // What the runtime says, among what happens to it.
        let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
        let lines = tracing_subscriber::fmt().with_env_filter(filter).without_time().with_ansi(false);
        lines.with_writer(std::io::stderr).init();
    }
    let began = Instant::now();
    let mut slowest = (Duration::ZERO, 0);
    let (mut records, mut calls) = (0, 0);
    let mut failed = Vec::new();
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in options.from..options.from + options.seeds {
        let start = Instant::now();
        let verdict = play(seed, options.verbose);
        slowest = slowest.max((start.elapsed(), seed));
        if options.verbose {
            println!(
                "seed {seed}: {}; trace {:016x}, {:?}, {} calls",
                verdict.what, verdict.trace, verdict.lasted, verdict.calls
            );
        }
        if let Some(failure) = &verdict.failure {
            println!(
                "seed {seed} ({}):\n  {failure}\n  again: cargo xtask sim --from {seed} --seeds 1 --verbose",
                verdict.what
            );
            failed.push(seed);
        }
        records += verdict.records;
        calls += verdict.calls;
        verdict.faults.iter().for_each(|(fault, count)| *faults.entry(fault).or_default() += count);
    }
    let took = began.elapsed();
    let struck: Vec<String> = faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
    println!("faults: {}", struck.join(", "));
    println!(
        "sim: {} seeds, {} failed, {records} records, {calls} calls, {:.1} s, {:.1} ms a seed, seed {} took {:.0} ms",
        options.seeds,
        failed.len(),
        took.as_secs_f64(),
        took.as_secs_f64() * 1e3 / options.seeds.max(1) as f64,
        slowest.1,
        slowest.0.as_secs_f64() * 1e3,
    );
    if let Some(path) = &options.json {
        let figures = serde_json::json!({
            "from": options.from, "seeds": options.seeds, "failed": failed, "records": records, "calls": calls,
            "seconds": took.as_secs_f64(), "faults": faults,
        });
        if let Err(error) = std::fs::write(path, format!("{figures:#}\n")) {
            eprintln!("sim: {} cannot be written: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
