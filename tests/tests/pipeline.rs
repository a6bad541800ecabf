//! The shipped binary from a recording to candles, predictions and documents: on the embedded log, and on Apache Kafka
//! with a registry and Elasticsearch; killed in mid-stream and started again. What must come out is computed from the
//! recording alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{EmbeddedLog, EmbeddedSettings, Log};
use candlewick_connectors::avro::{ConfluentRegistry, MemoryRegistry, RegistrySettings, SchemaRegistry};
use candlewick_tests::require;
use candlewick_tests::servers;
use candlewick_tests::shipped::{self, Candlewick, ExpectedCandle, Recording, predicted, predicted_ids};

const START: i64 = 1_600_000_020_000;
const MINUTES: i64 = 100;
const TIMEOUT: Duration = Duration::from_secs(120);

/// The candles of a topic; each must be there once.
fn candles(
    log: &dyn Log,
    registry: &Arc<dyn SchemaRegistry>,
    topic: &str,
) -> BTreeMap<(String, i64), ExpectedCandle> {
    let once = |(place, mut found): ((String, i64), Vec<ExpectedCandle>)| {
        assert!(found.len() == 1, "{place:?} came {} times: {found:?}", found.len());
        (place, found.remove(0))
    };
    shipped::candles(log, registry, topic).into_iter().map(once).collect()
}

/// Runs the binary over the recording, killing it `kills` times at moments drawn from a seed, until it has ended.
fn run(folder: &Path, arguments: &[&str], kills: u64) {
    let (mut chance, mut runs) = (0x5eed_u64, 0);
    for _ in 0..kills {
        let process = Candlewick::start(folder, arguments);
        let (running, deadline) =
            (|| process.output().matches("task running").count(), Instant::now() + TIMEOUT);
        let before = runs;
        while running() <= before {
            assert!(Instant::now() < deadline, "no task runs:\n{}", process.output());
            std::thread::sleep(Duration::from_millis(10));
        }
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((chance >> 33) % 1_500));
        runs = running();
        process.kill();
    }
    let process = Candlewick::start(folder, arguments);
    let status = process.wait(TIMEOUT);
    assert!(
        status.success(),
        "{}",
        std::fs::read_to_string(folder.join("candlewick.log")).unwrap_or_default()
    );
}

#[test]
fn embedded_candles_are_exact_once_each_although_the_process_is_killed_five_times() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(11, START, MINUTES, 120);
    let replay = recording.write(folder.path());
    let replay = replay.to_str().expect("UTF-8");
    let arguments = [
        "run",
        "--replay",
        replay,
        "--speed",
        "x900",
        "--intervals",
        "1m",
        "--guarantee",
        "exactly-once",
        "--no-server",
        "--exit-when-done",
        "--data-dir",
        "data",
    ];
    run(folder.path(), &arguments, 5);
    let data = folder.path().join("data");
    let log = EmbeddedLog::open(&data.join("log"), EmbeddedSettings::default()).expect("the log opens");
    let registry: Arc<dyn SchemaRegistry> =
        Arc::new(MemoryRegistry::in_file(data.join("schemas.jsonl")).expect("the schemas"));
    let expected = recording.candles(60_000);
    assert!(expected.len() > 290, "the recording fills candles");
    assert_eq!(candles(&*log, &registry, "candles"), expected);
    assert_eq!(shipped::read(&*log, "predictions").len(), predicted(&expected).len());
    assert!(predicted(&expected).len() > 60, "the recording outlasts the warm-up");
}

#[test]
fn on_kafka_every_candle_and_every_document_is_there_once_although_the_process_is_killed_five_times() {
    let kafka = require!(servers::kafka());
    let registry_server = require!(servers::registry());
    let elasticsearch = require!(servers::elasticsearch());
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(12, START, MINUTES, 120);
    let replay = recording.write(folder.path());
    let replay = replay.to_str().expect("UTF-8");
    let prefix = format!("pipe{}-", std::process::id());
    let (input, id) = (format!("{prefix}trades"), format!("{prefix}app"));
    let bootstrap = kafka.bootstrap().to_owned();
    let (registry_url, elasticsearch_url) =
        (registry_server.url().to_owned(), elasticsearch.url().to_owned());
    let arguments = [
        "run",
        "--replay",
        replay,
        "--speed",
        "x900",
        "--intervals",
        "1m",
        "--guarantee",
        "exactly-once",
        "--no-server",
        "--exit-when-done",
        "--data-dir",
        "data",
        "--brokers",
        &bootstrap,
        "--registry",
        &registry_url,
        "--elasticsearch",
        &elasticsearch_url,
        "--input",
        &input,
        "--output-prefix",
        &prefix,
        "--application-id",
        &id,
    ];
    run(folder.path(), &arguments, 5);
    let log = KafkaLog::connect(KafkaSettings::new(&bootstrap, "judge")).expect("connected");
    let registry: Arc<dyn SchemaRegistry> =
        Arc::new(ConfluentRegistry::new(RegistrySettings::new(&registry_url)).expect("a registry"));
    let expected = recording.candles(60_000);
    assert_eq!(candles(&log, &registry, &format!("{prefix}candles")), expected);
    let wanted = predicted_ids(&expected);
    assert_eq!(documents(&elasticsearch_url, &format!("{prefix}predictions"), wanted.len()), wanted);
}

/// The ids of all documents of an index, once there are `count` of them or time is up.
fn documents(url: &str, index: &str, count: usize) -> BTreeSet<String> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ids = shipped::documents(url, index);
        if ids.len() >= count || Instant::now() > deadline {
            let unique: BTreeSet<String> = ids.iter().cloned().collect();
            assert_eq!(unique.len(), ids.len(), "every document is there once");
            return unique;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
