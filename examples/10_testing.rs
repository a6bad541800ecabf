//! Testing a topology: the driver runs it in the test's own thread, record by record, on a wall clock that the test moves.
//! Nothing is mocked: the processors, stores and serdes are those that run on Kafka.
//!
//! `cargo test -p candlewick-examples testing`

use std::time::Duration;

use candlewick::{
    Consumed, I64Serde, Materialized, Nullable, Produced, StreamsBuilder, StringSerde, Suppressed, Topology,
    TopologyErrors,
};
use candlewick_examples::{Example, Playground};

/// Balances of accounts from transfers, told at most once a minute each.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("transfers", Consumed::<String, i64>::default())
        .group_by_key(candlewick::Grouped::default())
        // Without a cache every change is told to what is below.
        .reduce(|balance, transfer| balance + transfer, Materialized::named("balances").without_cache())
        .suppress(Suppressed::until_time_limit("quiet-balances", Duration::from_secs(60)))
        .to_stream()
        .to("balances", Produced::with(StringSerde, Nullable(I64Serde)));
    builder.build()
}

/// Transfers of two accounts, twenty seconds apart.
fn transfers() -> Vec<(String, i64, i64)> {
    (0..12).map(|n| (if n % 3 == 0 { "ada" } else { "grace" }.to_owned(), n, n * 20_000)).collect()
}

fn main() -> Example {
    let playground = Playground::new(&["transfers", "balances"])?;
    playground.write("transfers", (StringSerde, I64Serde), transfers())?;
    let running = playground.start(topology()?, "testing")?;
    for (account, balance, time) in playground.read("balances", (StringSerde, I64Serde), 2)? {
        let (account, balance): (String, i64) = (account, balance);
        println!("{time}: {account} has {balance}");
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candlewick::{
        DriverOptions, KeyValueStore, TestInputTopic, TestOutputTopic, Timestamp, TopologyTestDriver,
    };

    use super::*;

    type Ends = (TestInputTopic<String, i64>, TestOutputTopic<String, Option<i64>>);

    fn ends(driver: &TopologyTestDriver) -> Ends {
        let transfers = driver.input_topic("transfers", StringSerde, I64Serde);
        (transfers, driver.output_topic("balances", StringSerde, Nullable(I64Serde)))
    }

    fn balances(transfers: &[(String, i64, i64)]) -> BTreeMap<&str, i64> {
        let mut balances = BTreeMap::new();
        transfers
            .iter()
            .for_each(|(account, amount, _)| *balances.entry(account.as_str()).or_default() += amount);
        balances
    }

    #[test]
    fn stores_can_be_looked_into() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let (input, _) = ends(&driver);
        for (account, amount, time) in transfers() {
            input.pipe(account, amount, Timestamp(time)).expect("processed");
        }
        let mut kept = Vec::new();
        driver.with_store::<KeyValueStore<String, i64>, _>("balances", |store| {
            store.all(&mut kept).expect("in memory");
        });
        let kept: Vec<(String, i64)> =
            kept.into_iter().map(|(account, balance)| (account, balance.value)).collect();
        let transfers = transfers();
        let expected =
            balances(&transfers).into_iter().map(|(account, balance)| (account.to_owned(), balance));
        assert_eq!(kept, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_told_is_a_true_balance_of_its_time_and_not_told_too_often() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let (input, output) = ends(&driver);
        let all = transfers();
        let mut told: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (account, amount, time) in all.clone() {
            input.pipe(account, amount, Timestamp(time)).expect("processed");
            for (account, balance, _) in output.read_all() {
                // A balance is told a minute after its first change, with all changes since.
                let known: Vec<_> = all.iter().filter(|(_, _, at)| *at <= time).cloned().collect();
                assert_eq!(balance, balances(&known).get(account.as_str()).copied());
                told.entry(account).or_default().push(time);
            }
        }
        assert_eq!(told.len(), 2);
        assert!(told.values().flat_map(|times| times.windows(2)).all(|pair| pair[1] - pair[0] >= 60_000));
    }

    #[test]
    fn a_crash_changes_nothing() {
        let (topology, options) = (topology().expect("valid"), DriverOptions::default());
        let told = |crash_at: Option<usize>| {
            let driver = TopologyTestDriver::with_options(&topology, &options).expect("it starts");
            let (input, output) = ends(&driver);
            for (n, (account, amount, time)) in transfers().into_iter().enumerate() {
                if crash_at == Some(n) {
                    driver.restart(&topology, &options).expect("it starts again");
                }
                input.pipe(account, amount, Timestamp(time)).expect("processed");
            }
            output.read_all()
        };
        let whole = told(None);
        assert!(!whole.is_empty());
        for n in 0..transfers().len() {
            assert_eq!(told(Some(n)), whole, "a crash before transfer {n}");
        }
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
