//! On Apache Kafka: the topology stays as it is, the log is another one.
//!
//! `CANDLEWICK_BROKERS=localhost:9092 cargo run -p candlewick-examples --bin 12_kafka`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::{
    Clock, Consumed, Grouped, Guarantee, I64Serde, Materialized, Produced, StreamsBuilder, StreamsConfig,
    StringSerde, SystemClock, Topology, TopologyErrors,
};
use candlewick_examples::{Example, Playground};

const PARTITIONS: i32 = 3;

fn topology(input: &str, output: &str) -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream(input, Consumed::<String, i64>::default())
        .group_by_key(Grouped::default())
        .count(Materialized::named("counts").without_cache())
        .to_stream()
        .map_values(|count| count.unwrap_or(0))
        .to(output, Produced::default());
    builder.build()
}

/// Sixty records of seven keys, as of now: brokers soon delete what is older than a topic's retention.
fn records() -> Vec<(String, i64, i64)> {
    let now = SystemClock::default().wall().as_millis();
    (0..60).map(|n| (format!("key-{}", n % 7), n, now + n)).collect()
}

/// Writes, counts, and gives what was counted; `name` is the application's, and what its topics begin with.
fn run(brokers: &str, name: &str) -> Example<Vec<(String, i64)>> {
    let (input, output) = (format!("{name}-in"), format!("{name}-out"));
    let log = Arc::new(KafkaLog::connect(KafkaSettings::new(brokers, name))?);
    let playground = Playground::on(log, &[&input, &output], PARTITIONS)?;
    playground.write(&input, (StringSerde, I64Serde), records())?;
    let config = StreamsConfig { guarantee: Guarantee::ExactlyOnce, ..StreamsConfig::new(name) };
    let running = playground.start_with(topology(&input, &output)?, config)?;
    let counts = playground.read(&output, (StringSerde, I64Serde), records().len())?;
    running.stop(Duration::from_secs(20))?;
    Ok(counts.into_iter().map(|(key, count, _)| (key, count)).collect())
}

fn main() -> Example {
    let brokers = std::env::var("CANDLEWICK_BROKERS").unwrap_or_else(|_| "localhost:9092".to_owned());
    let counts: BTreeMap<String, i64> = run(&brokers, "candlewick-example")?.into_iter().collect();
    println!("{counts:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use candlewick_tests::{require, servers};

    use super::*;

    #[test]
    fn every_record_is_counted_once() {
        let kafka = require!(servers::kafka());
        let name = format!("example-{}", std::process::id());
        let counted = run(kafka.bootstrap(), &name).expect("it runs");
        let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        counted.into_iter().for_each(|(key, count)| found.entry(key).or_default().push(count));
        let mut expected: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (key, _, _) in records() {
            let counts = expected.entry(key).or_default();
            counts.push(counts.len() as i64 + 1);
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn without_a_broker_the_program_says_so() {
        let error = run("127.0.0.1:1", "example-nowhere").expect_err("nobody listens there");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }
}
