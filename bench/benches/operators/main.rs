//! What each operator costs for a record, stores in memory, 100,000 keys: `cargo bench -p candlewick-bench --bench
//! operators [name]`. Decoding and all are in the figure: a record's whole way but for the log. Owns the way of measuring.

mod topologies;

use candlewick::{Backtest, DriverOptions, Timestamp};

use topologies::{ALL, Case};

/// How many keys there are.
const KEYS: i64 = 100_000;
/// Records before the clock is started, so that every key is known.
const WARM: i64 = 2 * KEYS;
/// Records that are measured.
const MEASURED: i64 = 5 * KEYS;

/// Bytes of the write-back cache: what an application has by default.
const CACHE_BYTES: usize = 10 << 20;

/// Microseconds for a record.
fn cost(case: &Case) -> f64 {
    let topology = (case.topology)();
    let options = DriverOptions { cache_bytes_max: CACHE_BYTES, ..DriverOptions::default() };
    let mut backtest = Backtest::new(&topology, &options).expect("it starts");
    let mut pipe = |from: i64, count: i64| {
        for number in from..from + count {
            // A stride that is prime to the number of keys: all of them come, in no order that helps.
            let key = (number.wrapping_mul(61_403)).rem_euclid(KEYS);
            let topic = case.topics[usize::try_from(number).expect("not negative") % case.topics.len()];
            let time = Timestamp(number / case.records_per_ms);
            let value = (case.value)(number, key);
            let key = key.to_be_bytes();
            if backtest.pipe(topic, Some(&key), Some(&value.to_be_bytes()), time).expect("a source") {
                backtest.drain(|_| ()).expect("processed");
            }
        }
        backtest.drain(|_| ()).expect("processed");
    };
    pipe(0, WARM);
    let start = cpu_seconds();
    pipe(WARM, MEASURED);
    (cpu_seconds() - start) * 1e6 / MEASURED as f64
}

/// What this program was charged so far: what else the machine does is no part of an operator.
fn cpu_seconds() -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.expect("Linux tells in its first number how long a program ran") / 1e9
}

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("µs a record   operator");
    for case in ALL.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.name)) {
        // The best of three: others share the caches.
        let best = (0..3).map(|_| cost(case)).fold(f64::INFINITY, f64::min);
        println!("{best:>11.2}   {}", case.name);
    }
}
