//! A broker that is not there, and one that goes away and comes back.

use std::time::Duration;

use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run};

#[test]
fn a_broker_that_is_not_there_is_one_sentence_and_exit_code_3() {
    let address = format!("127.0.0.1:{}", servers::free_port());
    let run = Run::on_kafka(&address, "http://127.0.0.1:1", "nobroker", 15);
    let said = run.start().fails_with(3, PATIENCE);
    assert!(said.contains(&address) && said.contains("check the broker address"), "{said}");
    assert!(!run.path().join("data/state").exists(), "nothing was begun");
}

/// At least once: what was under way when the broker went away may count again, and is never lost.
#[test]
fn a_broker_that_goes_away_and_comes_back_loses_nothing() {
    let kafka = require!(servers::Kafka::start_new());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "awaybroker", 15)
        .with_instead("--guarantee", "at-least-once")
        .with(&["--speed", "x150", "--commit-interval-ms", "200"]);
    let mut process = run.start();
    process.wait_for("state=Running", PATIENCE);
    std::thread::sleep(Duration::from_millis(1_500));
    kafka.kill();
    std::thread::sleep(Duration::from_secs(3));
    kafka.restart();
    run.ends_well(process);
    let (found, expected) = (run.candles_found(), run.expected());
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (place, candle) in &expected {
        let last = found[place].last().expect("it is there");
        assert!(last.trades >= candle.trades, "{place:?}: {candle:?}, {:?}", found[place]);
    }
    let once = expected.iter().filter(|(place, candle)| found[place] == [(*candle).clone()]).count();
    assert!(once > expected.len() / 2, "only what was under way counts again: {once} of {}", expected.len());
    assert_eq!(run.dead_letters(), []);
}
