//! Exactly once: offsets, state and results are committed together, so that a program that is stopped anywhere goes on as if
//! it had not been. The log lies in a folder here; on Kafka it is the same word in the configuration.
//!
//! `cargo run -p candlewick-examples --bin 11_exactly_once`

use std::path::Path;
use std::time::Duration;

use candlewick::client::{EmbeddedLog, EmbeddedSettings};
use candlewick::{
    Consumed, Grouped, Guarantee, I64Serde, Materialized, Produced, StreamsBuilder, StreamsConfig,
    StringSerde, Topology, TopologyErrors,
};
use candlewick_examples::{Example, Playground};

const RUNS: i64 = 3;
const PAYMENTS: i64 = 100;

/// Each payment with the sum of all before it.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("payments", Consumed::<String, i64>::default())
        .group_by_key(Grouped::default())
        // Without a cache every payment is told.
        .reduce(|sum, payment| sum + payment, Materialized::named("sums").without_cache())
        .to_stream()
        .map_values(|sum| sum.unwrap_or(0))
        .to("sums", Produced::default());
    builder.build()
}

/// The payments of a run.
fn payments(run: i64) -> impl Iterator<Item = i64> {
    run * PAYMENTS..(run + 1) * PAYMENTS
}

/// Runs the program for a while: on what an earlier run has left, if there was one.
fn run(folder: &Path, run: i64) -> Example<Vec<i64>> {
    let log = EmbeddedLog::open(&folder.join("log"), EmbeddedSettings::default())?;
    let playground = Playground::on(log, &["payments", "sums"], 1)?;
    let records = payments(run).map(|payment| ("shop".to_owned(), payment, payment));
    playground.write("payments", (StringSerde, I64Serde), records)?;
    let config = StreamsConfig {
        guarantee: Guarantee::ExactlyOnce,
        state_dir: Some(folder.join("state")),
        ..StreamsConfig::new("exactly-once")
    };
    let running = playground.start_with(topology()?, config)?;
    let count = usize::try_from((run + 1) * PAYMENTS)?;
    let sums = playground.read::<String, i64>("sums", (StringSerde, I64Serde), count)?;
    running.stop(Duration::from_secs(10))?;
    Ok(sums.into_iter().map(|(_, sum, _)| sum).collect())
}

fn main() -> Example {
    let folder = tempfile::tempdir()?;
    for number in 0..RUNS {
        let sums = run(folder.path(), number)?;
        println!("run {number}: {} sums, the last one is {:?}", sums.len(), sums.last());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payment_counts_once_over_all_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut sum, mut expected) = (0, Vec::new());
        for number in 0..RUNS {
            for payment in payments(number) {
                sum += payment;
                expected.push(sum);
            }
            assert_eq!(run(folder.path(), number).expect("it runs"), expected);
        }
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
