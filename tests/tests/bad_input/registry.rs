//! A schema registry that is down at the start, and one that goes away while records come whose schema it alone knows.

use std::time::Duration;

use candlewick::partition_for_key;
use candlewick_connectors::avro::{
    AvroRecord, ConfluentRegistry, RegistrySettings, SchemaRegistry, put_double, put_long, put_text,
};
use candlewick_operators::Trade;
use candlewick_tests::servers::Door;
use candlewick_tests::shipped::ExpectedCandle;
use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run, START};

const WAITS: &str = "the schema registry does not answer; trying again";

#[test]
fn a_registry_that_is_down_at_start_is_one_sentence_and_exit_code_3() {
    let kafka = require!(servers::kafka());
    let nobody = format!("http://127.0.0.1:{}", servers::free_port());
    let run = Run::on_kafka(kafka.bootstrap(), &nobody, "noregistry", 15);
    let process = run.start();
    let said = process.fails_with(3, PATIENCE);
    assert!(said.contains(&nobody) && said.contains("did not answer in") && said.contains("check"), "{said}");
    let log = std::fs::read_to_string(run.path().join("candlewick.log")).expect("a log");
    assert_eq!(log.matches(WAITS).count(), 1, "it has tried again and said so once:\n{log}");
    let topics = run.log().admin().expect("admin").topics(PATIENCE).expect("topics");
    assert!(!topics.iter().any(|topic| topic.starts_with(&run.prefix)), "nothing was begun");
}

#[test]
fn a_registry_that_comes_up_late_is_waited_for() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let door = Door::shut_before(registry.url());
    let run = Run::on_kafka(kafka.bootstrap(), door.url(), "lateregistry", 15);
    let mut process = run.start();
    process.wait_for(WAITS, PATIENCE);
    std::thread::sleep(Duration::from_secs(1));
    door.open();
    run.ends_well(process);
    run.candles_are_exact();
}

/// A run whose registry is shut while it runs, with a trade in its input whose schema it has not seen yet. That trade lies
/// in a partition of its own, so that its time does not make others late.
fn shut_in_mid_run(
    name: &str,
    kafka: &str,
    registry: &str,
) -> (Run, Door, candlewick_tests::shipped::Candlewick) {
    let door = Door::before(registry);
    let run = Run::on_kafka(kafka, door.url(), name, 15).with(&["--speed", "x150"]);
    // Before the run: a registry under load takes longer than a recording lasts.
    let direct = ConfluentRegistry::new(RegistrySettings::new(registry)).expect("a registry");
    let schema =
        Trade::schema().replace("\"name\":\"Trade\"", "\"doc\":\"another writer\",\"name\":\"Trade\"");
    let id = direct.register(&run.topic("elsewhere-value"), &schema).expect("registered");
    let mut process = run.start();
    process.wait_for("state=Running", PATIENCE);
    door.shut();
    let mut value = [&[0], &id.to_be_bytes()[..]].concat();
    put_text("OTHER", &mut value);
    put_double(12.5, &mut value);
    put_double(3.0, &mut value);
    put_long(0, &mut value);
    put_long(START, &mut value);
    put_long(1, &mut value);
    put_text("", &mut value);
    let taken = ["BTC-USD", "ETH-USD", "XRP-USD"].map(|symbol| partition_for_key(symbol.as_bytes(), 4).0);
    let free = (0..4).find(|partition| !taken.contains(partition)).expect("three symbols, four partitions");
    run.write_keyed(&run.topic("trades"), free, "OTHER", &[value]);
    process.wait_for(WAITS, PATIENCE);
    (run, door, process)
}

/// The recording's candles and the one of the other writer's trade.
fn all_candles_are_exact(run: &Run) {
    let mut expected = run.expected();
    let other = ExpectedCandle {
        open: "12.5".into(),
        high: "12.5".into(),
        low: "12.5".into(),
        close: "12.5".into(),
        volume: "3".into(),
        quote_volume: "37.5".into(),
        trades: 1,
        taker_buy_volume: "3".into(),
    };
    expected.insert(("OTHER".to_owned(), START), other);
    run.candles_are(&expected);
    assert_eq!(run.dead_letters(), [], "no record is blamed for the registry");
}

#[test]
fn a_registry_that_goes_away_while_running_is_waited_for() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let (run, door, process) = shut_in_mid_run("awayregistry", kafka.bootstrap(), registry.url());
    std::thread::sleep(Duration::from_secs(3));
    door.open();
    run.ends_well(process);
    all_candles_are_exact(&run);
}

#[test]
fn a_registry_that_stays_away_ends_the_run_with_exit_code_3_and_the_next_one_loses_nothing() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let (run, door, process) = shut_in_mid_run("goneregistry", kafka.bootstrap(), registry.url());
    let said = process.fails_with(3, PATIENCE);
    assert!(said.contains(door.url()) && said.contains("cannot be read now"), "{said}");
    door.open();
    run.succeeds();
    all_candles_are_exact(&run);
}
