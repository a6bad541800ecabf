//! `candlewick dlq`: dead letters are listed, shown and sent back to where they came from, once.

use std::process::Command;

use candlewick_tests::shipped::{binary, read};
use candlewick_tests::{require, servers};

use crate::run::Run;

/// What `candlewick dlq` says; it must succeed.
fn dlq(run: &Run, log: &[&str], arguments: &[&str]) -> String {
    let mut command = Command::new(binary());
    command.current_dir(run.path()).arg("dlq").args(&arguments[..1]).args(log).args(&arguments[1..]);
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn letters_are_listed_shown_and_sent_back_once(run: &Run, log: &[&str]) {
    let trades = run.topic("trades");
    let bad: Vec<Vec<u8>> = vec![b"hello".to_vec(), vec![0, 255]];
    run.make_topic(&trades, 4);
    run.write_values(&trades, 1, &bad);
    run.succeeds();
    let listed = dlq(run, log, &["list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    for (line, offset) in lines[..2].iter().zip(0..) {
        assert!(line.contains(&format!("from {trades}-1@{offset}\t")), "{line}");
    }
    assert!(lines[0].contains("begins with the byte 0x68"), "{listed}");
    assert!(lines[2].starts_with("2 dead letter(s)"), "{listed}");
    let place = lines[1].split('\t').next().expect("the place");
    let shown = dlq(run, log, &["show", place]);
    assert!(shown.contains("value   2 bytes: 00ff\n") && shown.contains("key     BTC-USD\n"), "{shown}");
    assert!(dlq(run, log, &["list", "--from", "elsewhere"]).starts_with("0 dead letter(s)"));

    let before = read(&*run.log(), &trades).len();
    let dry = dlq(run, log, &["replay", "--dry-run"]);
    assert!(dry.contains("would send 2 dead letter(s)"), "{dry}");
    assert_eq!(read(&*run.log(), &trades).len(), before);
    let sent = dlq(run, log, &["replay"]);
    assert!(sent.contains("sent 2 dead letter(s)"), "{sent}");
    assert!(dlq(run, log, &["replay"]).contains("sent 0 dead letter(s)"), "what went back once stays there");
    let after = read(&*run.log(), &trades);
    assert_eq!(after.len(), before + bad.len());
    let again: Vec<_> = after
        .iter()
        .filter(|found| found.partition == 1 && found.value.as_ref().is_some_and(|value| bad.contains(value)))
        .collect();
    assert_eq!(again.len(), 2 * bad.len(), "byte for byte in the partition they came from");
    for found in again {
        assert_eq!(found.key.as_deref(), Some(&b"BTC-USD"[..]));
        assert_eq!(
            found.header("__streams.errors.topic"),
            "",
            "what was told of the letter does not go back"
        );
    }
    // They are still no trades.
    run.succeeds();
    assert!(dlq(run, log, &["list"]).contains("4 dead letter(s)"));
}

#[test]
fn dead_letters_of_an_embedded_log_go_back_once() {
    let run = Run::embedded(47, 15);
    letters_are_listed_shown_and_sent_back_once(&run, &["--application-id", "app", "--data-dir", "data"]);
}

#[test]
fn dead_letters_of_kafka_go_back_once() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "dlq", 15);
    let application = run.topic("app");
    let log = ["--application-id", &application, "--brokers", kafka.bootstrap()];
    letters_are_listed_shown_and_sent_back_once(&run, &log);
}
