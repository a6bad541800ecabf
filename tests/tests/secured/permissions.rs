//! One permission is taken away at a time: one sentence says who lacks what, and the process ends in good order. And what
//! the manifest grants is what the documentation says.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candlewick_tests::checkout;
use candlewick_tests::servers::{Acl, SecuredKafka};
use candlewick_tests::shipped::{Candlewick, Recording};

use super::run::{TIMEOUT, allowed, deployed, kafka, make_topics, start};

/// What the user may do is the broker's: one test at a time changes it.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the candles pipeline with all permissions but those of which `is_lost` is true.
fn without(kafka: &SecuredKafka, folder: &Path, prefix: &str, is_lost: impl Fn(&Acl) -> bool) -> Candlewick {
    make_topics(kafka, prefix);
    let all = allowed(prefix);
    let kept: Vec<Acl> = all.iter().filter(|acl| !is_lost(acl)).cloned().collect();
    assert!(kept.len() < all.len(), "something is taken away");
    kafka.allow_only(&kept);
    let recording = Recording::new(22, 1_600_000_020_000, 20, 30);
    start(folder, kafka.login(), Some(kafka.password()), prefix, &recording, &["--pipeline", "candles"])
}

#[test]
fn each_missing_permission_is_one_sentence_with_the_user_the_operation_and_the_resource() {
    let Some(kafka) = kafka() else { return };
    let _one = alone();
    // Kind, end of the name, operation; what is said, with the prefix of the case before the name.
    let cases = [
        ("topic", "trades", "Read", "Read on the topic `", "trades`", 1),
        ("topic", "trades", "Write", "Write on the topic `", "trades`", 2),
        ("topic", "candles", "Write", "Write on the topic `", "candles`", 1),
        ("topic", "market-", "Create", "Create on the topic `", "market-candles-1m-changelog`", 2),
        ("topic", "market-", "Read", "Read on the topic `", "market-control`", 1),
        // The manifest is written before anything runs.
        ("topic", "market-", "Write", "Write on the topic `", "market-control`", 2),
        ("group", "market", "Read", "Read on the group `", "market`", 1),
        ("transactionalId", "market-", "Write", "Write on the transactional id `", "market-", 2),
    ];
    for (number, (kind, name, operation, lacking, about, code)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        let prefix = format!("lost{number}-");
        let name = format!("{prefix}{name}");
        let process = without(kafka, folder.path(), &prefix, |acl| {
            acl.resource == kind && acl.name == name && acl.operation == operation
        });
        let said = process.fails_with(code, TIMEOUT);
        let expected = format!("User:market-user lacks {lacking}{prefix}{about}");
        assert!(
            said.contains(&expected),
            "without {operation} on {kind} {name} it should say {expected:?}: {said}"
        );
        assert_eq!(said.matches(" is not allowed").count(), 1, "{said}");
        let log = std::fs::read_to_string(folder.path().join("candlewick.log")).expect("a log");
        let told = log.lines().filter(|line| line.contains("not allowed")).count();
        assert!(told <= 2, "once in the log, and once at the end:\n{log}");
        assert!(!log.contains(kafka.password()), "{log}");
    }
}

#[test]
fn a_topic_that_may_not_even_be_seen_is_said_to_be_missing_or_hidden() {
    let Some(kafka) = kafka() else { return };
    let _one = alone();
    let folder = tempfile::tempdir().expect("a folder");
    make_topics(kafka, "hidden-");
    let kept: Vec<Acl> = allowed("hidden-").into_iter().filter(|acl| acl.name != "hidden-trades").collect();
    kafka.allow_only(&kept);
    let (address, mut properties) = kafka.login();
    properties.push(("sasl.password".to_owned(), kafka.password().to_owned()));
    let mut command = std::process::Command::new(candlewick_tests::shipped::secured_binary());
    command.args(["run", "--no-source", "--no-server", "--pipeline", "candles", "--brokers", &address]);
    command.args([
        "--input",
        "hidden-trades",
        "--output-prefix",
        "hidden-",
        "--application-id",
        "hidden-market",
    ]);
    for (key, value) in properties {
        command.arg("--kafka-property").arg(format!("{key}={value}"));
    }
    let said = Candlewick::start_command(folder.path(), &mut command).fails_with(3, TIMEOUT);
    assert!(said.contains("hidden-trades") && said.contains("lacks Describe"), "{said}");
}

#[test]
fn what_the_page_may_not_read_is_said_once_and_the_pipeline_goes_on() {
    let Some(kafka) = kafka() else { return };
    let _one = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let process =
        without(kafka, folder.path(), "page-", |acl| acl.name == "page-candles" && acl.operation == "Read");
    let status = process.wait(TIMEOUT);
    let log = std::fs::read_to_string(folder.path().join("candlewick.log")).expect("a log");
    assert!(status.success(), "{log}");
    assert_eq!(log.matches("User:market-user lacks Read on the topic `page-candles`").count(), 1, "{log}");
}

/// The table of `docs/deploy.md` beside the manifest.
#[test]
fn the_documentation_grants_what_the_manifest_grants() {
    let text = std::fs::read_to_string(checkout().join("docs/deploy.md")).expect("the documentation");
    let (_, table) = text.split_once("| resource | name | operations |").expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut documented = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let (name, is_prefix) = match cells[2].strip_suffix('*') {
            Some(start) => (start, true),
            None => (cells[2], false),
        };
        documented.extend(cells[3].split(", ").map(|operation| Acl {
            resource: cells[1].to_owned(),
            name: name.to_owned(),
            is_prefix,
            operation: operation.to_owned(),
        }));
    }
    documented.sort();
    let mut granted = deployed();
    granted.sort();
    assert_eq!(documented, granted);
}
