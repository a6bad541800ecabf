//! Each way of securing a connection brings the same candles and predictions, computed from the recording alone.

use std::sync::Arc;

use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_tests::servers::SecuredKafka;
use candlewick_tests::shipped::{self, Recording, predicted};

use super::run::{TIMEOUT, allowed, kafka, log, make_topics, start};

const START: i64 = 1_600_000_020_000;
const MINUTES: i64 = 100;

/// Runs the market pipeline behind a door, and compares what comes out.
fn comes_out_whole(
    kafka: &SecuredKafka,
    door: (String, Vec<(String, String)>),
    password: Option<&str>,
    prefix: &str,
) {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(21, START, MINUTES, 60);
    make_topics(kafka, prefix);
    let process = start(folder.path(), door, password, prefix, &recording, &[]);
    let printed = |process: &shipped::Candlewick| process.output();
    let seen = printed(&process);
    assert!(password.is_none_or(|password| !seen.contains(password)), "{seen}");
    let status = process.wait(TIMEOUT);
    let said = std::fs::read_to_string(folder.path().join("candlewick.log")).unwrap_or_default();
    assert!(status.success(), "{said}");
    assert!(password.is_none_or(|password| !said.contains(password)), "{said}");
    let registry: Arc<dyn SchemaRegistry> =
        Arc::new(MemoryRegistry::in_file(folder.path().join("data/schemas.jsonl")).expect("the schemas"));
    let log = log(kafka);
    let expected = recording.candles(60_000);
    assert!(expected.len() > 150, "the recording fills candles");
    let found = shipped::candles(&*log, &registry, &format!("{prefix}candles"));
    let found: std::collections::BTreeMap<_, _> = found
        .into_iter()
        .map(|(place, mut candles)| {
            assert_eq!(candles.len(), 1, "{place:?} comes once");
            (place, candles.remove(0))
        })
        .collect();
    assert_eq!(found, expected);
    let predictions = shipped::read(&*log, &format!("{prefix}predictions")).len();
    assert_eq!(predictions, predicted(&expected).len());
    assert!(predictions > 20, "the recording outlasts the warm-up");
}

#[test]
fn over_tls_everything_comes_out() {
    let Some(kafka) = kafka() else { return };
    comes_out_whole(kafka, kafka.encrypted(), None, "tls-");
}

#[test]
fn over_mutual_tls_everything_comes_out() {
    let Some(kafka) = kafka() else { return };
    comes_out_whole(kafka, kafka.mutual(), None, "mtls-");
}

#[test]
fn with_a_login_and_only_the_permissions_of_the_manifest_everything_comes_out() {
    let Some(kafka) = kafka() else { return };
    let _one = super::permissions::alone();
    kafka.allow_only(&allowed("scram-"));
    comes_out_whole(kafka, kafka.login(), Some(kafka.password()), "scram-");
}
