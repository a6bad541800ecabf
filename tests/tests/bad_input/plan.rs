//! Another version of the application: `candlewick plan` says what becomes of its state, and a version that cannot go on
//! with it is refused before it joins.

use std::process::{Command, Output};

use candlewick_tests::shipped::binary;
use candlewick_tests::{require, servers};

use crate::run::{PATIENCE, Run};

/// `candlewick plan` of a run's pipeline, with other intervals or another input.
fn plan(run: &Run, log: &[&str], pipeline: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.current_dir(run.path()).args(["plan", "--pipeline", "candles"]).args(log).args(pipeline);
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a version, prints what others would make of it, and starts one of those that are not refused.
fn a_plan_is_told_and_kept_to(run: &Run, log: &[&str], input: &str) {
    let same = ["--intervals", "1m", "--input", input];
    let before = plan(run, log, &same);
    assert!(!before.status.success(), "there is no input yet");
    run.succeeds();
    run.candles_are_exact();
    let told = said(&plan(run, log, &same));
    assert!(told.contains("against the version that ran last"), "{told}");
    assert!(
        told.contains("reuse    store candles-1m\n") && told.contains("reuse    store indicators\n"),
        "{told}"
    );
    let other = plan(run, log, &["--intervals", "1m,5m", "--input", input]);
    assert!(other.status.success());
    let told = said(&other);
    assert!(told.contains("new      store candles-5m: it begins empty"), "{told}");
    assert!(told.contains("reuse    store candles-1m\n"), "{told}");
    let other = said(&plan(run, log, &["--intervals", "5m", "--input", input]));
    assert!(other.contains("left     store candles-1m: its changelog"), "{other}");
    run.succeeds();
    run.candles_are_exact();
}

#[test]
fn a_plan_is_told_on_an_embedded_log() {
    let run = Run::embedded(61, 15);
    a_plan_is_told_and_kept_to(&run, &["--application-id", "app", "--data-dir", "data"], "trades");
    // Somebody makes an input with more partitions.
    run.make_topic("wider", 8);
    let wider = Run::embedded(61, 15);
    std::fs::rename(run.path().join("data"), wider.path().join("data")).expect("moved");
    let wider = wider.with(&["--input", "wider"]);
    let log = ["--application-id", "app", "--data-dir", "data"];
    let refused = plan(&wider, &log, &["--intervals", "1m", "--input", "wider"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = said(&refused);
    assert!(
        text.contains("refuse   store") && text.contains("app-candles-1m-changelog has 4 partitions"),
        "{text}"
    );
    let told = wider.start().fails_with(2, PATIENCE);
    assert!(told.contains("app-candles-1m-changelog has 4 partitions and 8 are needed"), "{told}");
}

#[test]
fn growth_of_an_input_of_kafka_under_keyed_state_is_one_sentence_and_exit_code_2() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "growth", 15);
    let (application, input) = (run.topic("app"), run.topic("trades"));
    let log = ["--application-id", &application, "--brokers", kafka.bootstrap()];
    a_plan_is_told_and_kept_to(&run, &log, &input);
    kafka.widen(&input, 6);
    let refused = plan(&run, &log, &["--intervals", "1m", "--input", &input]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let told = run.start().fails_with(2, PATIENCE);
    for text in [&told, &said(&refused)] {
        let sentence = format!("topic {input}: it has 6 partitions and had 4");
        assert!(text.contains(&sentence), "{text}");
    }
    run.candles_are_exact();
}
