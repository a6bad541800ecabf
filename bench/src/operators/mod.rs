//! What each operator costs for a record, stores in memory, 100,000 keys. Decoding and all are in the figure: a record's
//! whole way but for the log. Owns the way of measuring; what the JVM's driver needs for the same, [`jvm`] asks it.

mod jvm;
mod topologies;

use std::collections::HashMap;

use candlewick::{Backtest, BacktestOutput, DriverOptions, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::jvm::{OperatorTable, beside_driver};
use self::topologies::{ALL, Case, seen};

/// How many keys there are.
const KEYS: i64 = 100_000;
/// Records before the clock is started, so that every key is known.
const WARM: i64 = 2 * KEYS;
/// Records that are measured.
const MEASURED: i64 = 5 * KEYS;

/// Bytes of the write-back cache: what an application has by default.
const CACHE_BYTES: usize = 10 << 20;

/// What an operator costs, and what came out of it while that was measured.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct OperatorCost {
    /// The operator.
    pub operator: String,
    /// CPU microseconds of a record.
    pub us: f64,
    /// Records that came out; where only the latest of each key is compared, keys.
    pub outputs: u64,
    /// The sum of their keys and values, as wrapping numbers.
    pub checksum: i64,
}

/// Keys and values that came out, in order.
type Outputs = Vec<(i64, i64)>;

fn read(output: BacktestOutput<'_>) -> (i64, i64) {
    let number = |bytes: Option<&[u8]>| {
        let bytes = bytes.and_then(|bytes| bytes.first_chunk::<8>());
        i64::from_be_bytes(*bytes.expect("keys and values are numbers"))
    };
    (number(output.key), number(output.value))
}

fn checksum(key: i64, value: i64) -> i64 {
    key.wrapping_mul(1_000_003).wrapping_add(value)
}

/// The operators of these names, or all of them.
pub fn operators(wanted: &[String]) -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|case| case.name).filter(move |name| wanted.is_empty() || wanted.iter().any(|w| w == name))
}

/// Measures an operator: the best of three rounds, for others share the caches.
///
/// # Panics
/// When there is no operator of this name.
#[must_use]
pub fn operator_cost(operator: &str) -> OperatorCost {
    let case = ALL.iter().find(|case| case.name == operator).expect("an operator of the list");
    let mut rounds = (0..3).map(|_| cost(case));
    let first = rounds.next().expect("three rounds");
    rounds.fold(first, |best, round| if round.us < best.us { round } else { best })
}

fn cost(case: &Case) -> OperatorCost {
    let topology = (case.topology)();
    let options = DriverOptions { cache_bytes_max: CACHE_BYTES, ..DriverOptions::default() };
    let mut backtest = Backtest::new(&topology, &options).expect("it starts");
    let mut pipe = |from: i64, count: i64, outputs: &mut Outputs| {
        for number in from..from + count {
            let (topic, key, time) = case.place(number);
            let value = (case.value)(number, key);
            let (key, value) = (key.to_be_bytes(), value.to_be_bytes());
            if backtest.pipe(topic, Some(&key), Some(&value), Timestamp(time)).expect("a source") {
                backtest.drain(|output| outputs.push(read(output))).expect("processed");
            }
        }
        backtest.drain(|output| outputs.push(read(output))).expect("processed");
    };
    // Room for all: that of a vector which grows would be in the figure.
    let (mut warm, mut outputs) = (Outputs::new(), Outputs::with_capacity(MEASURED as usize * 4));
    pipe(0, WARM, &mut warm);
    seen();
    let start = cpu_seconds();
    pipe(WARM, MEASURED, &mut outputs);
    let us = (cpu_seconds() - start) * 1e6 / MEASURED as f64;
    let (seen, sum) = seen();
    if case.only_latest {
        let latest: HashMap<i64, i64> = warm.into_iter().chain(outputs).collect();
        outputs = latest.into_iter().collect();
    }
    let sums = outputs.iter().map(|(key, value)| checksum(*key, *value));
    OperatorCost {
        operator: case.name.to_owned(),
        us,
        outputs: outputs.len() as u64 + seen,
        checksum: sums.fold(sum, i64::wrapping_add),
    }
}

/// What this program was charged so far: what else the machine does is no part of an operator.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.expect("Linux tells in its first number how long a program ran") / 1e9
}
