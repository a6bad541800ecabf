//! `cargo xtask chaos`: rounds of chaos on real servers, and what they came to. Owns the command line; the rounds are
//! the library's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use candlewick_tests::chaos::{World, play};

struct Options {
    rounds: u64,
    seed: u64,
    records: u64,
    json: Option<PathBuf>,
    elasticsearch: bool,
    spared: Vec<String>,
}

const USAGE: &str = "cargo xtask chaos [--rounds N] [--seed S] [--records PER_ROUND] [--no-elasticsearch] [--spare WORD] [--json FILE]";

fn options() -> Result<Options, String> {
    let mut options = Options {
        rounds: 20,
        seed: 1,
        records: 100_000,
        json: None,
        elasticsearch: true,
        spared: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value: {USAGE}"));
        let mut number = || value()?.parse().map_err(|_| format!("{name} needs a number: {USAGE}"));
        match name.as_str() {
            "--rounds" => options.rounds = number()?,
            "--seed" => options.seed = number()?,
            "--records" => options.records = number()?,
            "--json" => options.json = Some(value()?.into()),
            "--no-elasticsearch" => {
                options.elasticsearch = false;
                options.spared.push("Elasticsearch".to_owned());
            }
            "--spare" => options.spared.push(value()?),
            other => return Err(format!("there is no option {other}: {USAGE}")),
        }
    }
    if options.rounds == 0 || options.records < 1_000 {
        return Err("a chaos of no rounds, or of fewer than 1,000 records each, shows nothing".to_owned());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(reason) => {
            eprintln!("chaos: {reason}");
            return ExitCode::from(2);
        }
    };
    let folder = tempfile::Builder::new().prefix("candlewick-chaos-").tempdir().expect("a folder").keep();
    let world = match World::start(&folder, options.elasticsearch) {
        Ok(world) => world,
        Err(missing) => {
            eprintln!("chaos: {missing}");
            return ExitCode::from(3);
        }
    };
    let (mut records, mut lost, mut duplicated) = (0, 0, 0);
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in options.seed..options.seed + options.rounds {
        let outcome =
            play(&world, seed, options.records, &options.spared, &mut |line| eprintln!("chaos: {line}"));
        let verdict = &outcome.verdict;
        println!(
            "seed {seed}: {} records, {} lost, {} duplicated, whole {:.1} s after the last fault",
            outcome.records,
            verdict.lost,
            verdict.duplicated,
            outcome.healing.as_secs_f64()
        );
        verdict.differences.iter().for_each(|line| println!("  {line}"));
        outcome.ended.iter().for_each(|line| println!("  an instance ended by itself: {line}"));
        records += outcome.records;
        lost += verdict.lost;
        // A candle that differs and loses nothing is no less wrong.
        duplicated += verdict.duplicated.max(u64::from(!verdict.is_clean() && verdict.lost == 0));
        for (fault, count) in outcome.faults {
            *faults.entry(fault).or_default() += count;
        }
    }
    let rounds = options.rounds;
    println!("chaos: {rounds} rounds, {records} records, {lost} lost, {duplicated} duplicated; {faults:?}");
    if let Some(path) = options.json {
        let figures = serde_json::json!({
            "records": records, "lost": lost, "duplicated": duplicated, "rounds": rounds, "faults": faults,
        });
        std::fs::write(&path, format!("{figures:#}\n")).expect("the figures are written");
    }
    if lost + duplicated == 0 {
        let _ = std::fs::remove_dir_all(&folder);
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
