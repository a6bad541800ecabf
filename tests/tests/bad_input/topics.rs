//! Topics that are missing or have the wrong shape.

use std::process::Command;
use std::time::Duration;

use candlewick_tests::shipped::{Candlewick, binary};
use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run};

/// The run without a source of its own: its input is somebody else's.
fn without_source(run: Run) -> Run {
    let replay = run.path().join("trades.csv");
    run.without(&["--replay", replay.to_str().expect("UTF-8"), "--exit-when-done"]).with(&["--no-source"])
}

#[test]
fn a_missing_input_topic_is_one_sentence_and_exit_code_3() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = without_source(Run::on_kafka(kafka.bootstrap(), registry.url(), "notopic", 15));
    let mut command = Command::new(binary());
    command.args(run.arguments()).env("CANDLEWICK_STREAMS_TOPIC_WAIT_MS", "1500");
    let said = Candlewick::start_command(run.path(), &mut command).fails_with(3, PATIENCE);
    assert!(said.contains(&run.topic("trades")) && said.contains("do not exist"), "{said}");
    let topics = run.log().admin().expect("admin").topics(PATIENCE).expect("topics");
    assert!(!topics.contains(&run.topic("trades")), "an input is its writer's to make");
}

#[test]
fn a_missing_input_topic_is_waited_for() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let fill = Run::on_kafka(kafka.bootstrap(), registry.url(), "latetopic", 15);
    let reader = Run::on_kafka(kafka.bootstrap(), registry.url(), "latetopic", 15);
    let reader = without_source(reader.with_instead("--application-id", &fill.topic("reader")));
    let reader = reader.with_instead("--output-prefix", &fill.topic("read-"));
    let mut process = reader.start();
    process.wait_for("waiting for source topics that do not exist yet", PATIENCE);
    // Somebody else makes and fills it.
    fill.succeeds();
    process.wait_for("state=Running", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    let status = process.terminate(PATIENCE);
    assert!(status.success(), "{status}");
    let ends = candlewick_tests::shipped::read(&*fill.log(), &fill.topic("read-candles"));
    // Windows that the trades themselves have closed: all but the last minutes, whose end no trade has passed.
    assert!(ends.len() >= fill.expected().len() - 6 && ends.len() <= fill.expected().len());
}

#[test]
fn an_internal_topic_with_another_partition_count_is_one_sentence_and_exit_code_2() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "wrongcount", 15);
    let changelog = run.topic("app-candles-1m-changelog");
    run.make_topic(&changelog, 3);
    let said = run.start().fails_with(2, PATIENCE);
    assert!(said.contains(&changelog) && said.contains('3') && said.contains("4 are needed"), "{said}");
    // What the sentence asks for is enough.
    run.log().admin().expect("admin").delete(&[&changelog], PATIENCE).expect("deleted");
    run.succeeds();
    run.candles_are_exact();
}
