//! A process with calls under way is killed, again and again: under exactly-once nothing is lost and nothing comes twice.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, BatchOptions, Consumed, Grouped, Guarantee, Materialized, ProcessError,
    Produced, Record, StreamsBuilder, StreamsConfig, Topology,
};

use crate::bench::{Bench, config, sorted, until};

const FOLDER: &str = "CANDLEWICK_TEST_SLOW_FOLDER";
const PARTITIONS: i32 = 3;
const KEYS: i64 = 6;
const RECORDS: i64 = 1_500;

/// Each number with the sum of its key's so far: state between a slow call and a slow batch.
fn topology() -> Topology {
    let call = |record: Record<String, i64>| -> Result<i64, ProcessError> {
        std::thread::sleep(Duration::from_millis((record.value * 31 % 6).unsigned_abs()));
        Ok(record.value)
    };
    let together = |rows: &[Record<String, Option<i64>>]| -> Result<Vec<i64>, ProcessError> {
        std::thread::sleep(Duration::from_millis(2));
        Ok(rows.iter().map(|row| row.value.unwrap_or(0)).collect())
    };
    let builder = StreamsBuilder::new();
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(AsyncOptions { concurrency: 12, ..AsyncOptions::default() }, AsyncCall::blocking(call))
        .group_by_key(Grouped::default())
        .reduce(|sum, n| sum + n, Materialized::named("sums").without_cache())
        .to_stream()
        .batch(BatchOptions { max: 10, ..BatchOptions::default() }, together)
        .to("out", Produced::default());
    builder.build().expect("valid")
}

/// The child: does nothing unless it is told a folder; then it runs until it is killed.
#[test]
fn child_runs_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (bench, _running) = run(Path::new(&folder));
    loop {
        println!("results {}", bench.count("out"));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn run(folder: &Path) -> (Bench, candlewick::RunningStreams) {
    let bench = Bench::open(&folder.join("log"), PARTITIONS);
    let config = StreamsConfig { state_dir: Some(folder.join("state")), ..config(Guarantee::ExactlyOnce) };
    let running = bench.start(topology(), config);
    (bench, running)
}

#[test]
fn killed_process_with_calls_under_way_loses_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    {
        let bench = Bench::open(&folder.path().join("log"), PARTITIONS);
        bench.create(&["in", "out"]);
        bench.write("in", 0..RECORDS, KEYS);
    }
    let mut before = 0;
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["killed::child_runs_until_it_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut told =
            lines.map_while(Result::ok).filter_map(|line| line.rsplit_once("results ")?.1.parse().ok());
        let wanted = before + 100 + 37 * round;
        before = told.find(|count: &usize| *count >= wanted).expect("the child comes further");
        child.kill().expect("the child is killed");
        child.wait().expect("the child is gone");
    }
    assert!(before < RECORDS as usize, "processes were killed in the midst of their work");
    let (bench, running) = run(folder.path());
    until("all results are there", || bench.count("out") >= RECORDS as usize);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    let mut sums = std::collections::BTreeMap::new();
    let mut expected: Vec<i64> = (0..RECORDS)
        .map(|n| {
            let sum = sums.entry(n % KEYS).or_insert(0);
            *sum += n;
            *sum
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(sorted(bench.read("out")), expected, "each sum once");
}
