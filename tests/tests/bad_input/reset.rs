//! `candlewick reset`: an application begins anew, at its start or at a place in its input; a dry run changes nothing.

use std::process::Command;

use candlewick_tests::shipped::binary;
use candlewick_tests::{require, servers};

use crate::run::{Run, START};

/// What `candlewick reset` says; it must succeed.
fn reset(run: &Run, log: &[&str], arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.current_dir(run.path()).arg("reset").args(log).args(arguments);
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// How often each candle of the recording must be there: `times` of its minute's number.
fn candles_are_there(run: &Run, times: impl Fn(i64) -> Option<usize>) {
    let found = run.candles_found();
    for (place, candle) in &run.expected() {
        let minute = (place.1 - START) / 60_000;
        let candles = found.get(place).map_or(&[][..], Vec::as_slice);
        if let Some(times) = times(minute) {
            assert_eq!(candles.len(), times, "minute {minute} of {place:?}");
            assert!(candles.iter().all(|found| found == candle), "minute {minute} of {place:?}");
        }
    }
}

fn an_application_begins_anew(run: &Run, log: &[&str], application: &str) {
    run.succeeds();
    run.candles_are_exact();
    let dry = reset(run, log, &["--dry-run", "--to", "earliest"]);
    for sentence in [
        format!("would delete topic {application}-candles-1m-changelog\n"),
        format!("would delete topic {application}-control\n"),
        format!("would delete the offsets of group {application}\n"),
        format!("would read {}-0 from offset 0\n", run.topic("trades")),
    ] {
        assert!(dry.contains(&sentence), "{dry}");
    }
    run.succeeds();
    run.candles_are_exact();

    // All of it, from the start.
    let told = reset(run, log, &[]);
    assert_eq!(told.replace("deleted", "would delete"), reset_lines(&dry), "as the dry run has said");
    run.succeeds();
    candles_are_there(run, |_| Some(2));

    // From the seventh minute on: trades around it come somewhat out of order.
    let time = (START + 7 * 60_000).to_string();
    reset(run, log, &["--to", &time]);
    run.succeeds();
    candles_are_there(run, |minute| match minute {
        ..6 => Some(2),
        6 | 7 => None,
        _ => Some(3),
    });
    let before = run.candles_found();
    let told = reset(run, log, &["--to", "latest"]);
    assert!(told.contains(&format!("reads {}-3 from offset", run.topic("trades"))), "{told}");
    run.succeeds();
    assert_eq!(run.candles_found(), before, "nothing of the past is read again");
}

/// What is said of deletions.
fn reset_lines(text: &str) -> String {
    text.lines().filter(|line| line.starts_with("would delete")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_application_on_an_embedded_log_begins_anew() {
    let run = Run::embedded(71, 15);
    an_application_begins_anew(&run, &["--application-id", "app", "--data-dir", "data"], "app");
}

#[test]
fn an_application_on_kafka_begins_anew() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "reset", 15);
    let application = run.topic("app");
    let log = ["--application-id", &application, "--brokers", kafka.bootstrap(), "--data-dir", "data"];
    an_application_begins_anew(&run, &log, &application);
}
