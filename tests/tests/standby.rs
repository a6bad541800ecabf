//! Two processes with a standby for each task: the one that stays goes on from its copies when the other is killed, and
//! what comes out is what the recording says, once.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings, SchemaRegistry};
use candlewick_tests::shipped::{Candlewick, Recording, candles};
use candlewick_tests::{require, servers};

const PATIENCE: Duration = Duration::from_secs(120);
const MINUTE: i64 = 60_000;
const MINUTES: i64 = 100;

/// The tasks of lines that say `words`.
fn tasks(log: &str, words: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains(words));
    let task = |line: &str| Some(line.split_once("task=")?.1.split(' ').next()?.to_owned());
    let mut tasks: Vec<String> = lines.filter_map(task).collect();
    tasks.sort();
    tasks
}

#[test]
fn tasks_of_a_killed_instance_go_on_from_their_copies_and_nothing_is_lost_or_doubled() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let folder = tempfile::tempdir().expect("a folder");
    let [stays, dies] = ["stays", "dies"].map(|name| folder.path().join(name));
    for folder in [&stays, &dies] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let config = folder.path().join("candlewick.toml");
    std::fs::write(&config, "standby-replicas = 1\nsession-timeout-ms = 6000\n").expect("written");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("this millennium");
    let recording = Recording::of_many(40, 21, (now / MINUTE - MINUTES - 10) * MINUTE, MINUTES, 400);
    let replay = recording.write(folder.path()).display().to_string();
    let prefix = format!("standby{}-", std::process::id());
    let (input, application) = (format!("{prefix}trades"), format!("{prefix}app"));
    let mut arguments = vec!["run", "--pipeline", "candles", "--intervals", "1m", "--no-server"];
    arguments.extend(["--data-dir", "data", "--config", config.to_str().expect("UTF-8")]);
    arguments.extend(["--guarantee", "exactly-once", "--brokers", kafka.bootstrap()]);
    arguments.extend(["--registry", registry.url(), "--input", &input, "--output-prefix", &prefix]);
    arguments.extend(["--application-id", &application]);
    // A hundred minutes in half a minute.
    let with_source = [&arguments[..], &["--replay", &replay, "--speed", "x200"]].concat();
    let mut first = Candlewick::start(&stays, &with_source);
    first.wait_for("task running", PATIENCE);
    let mut second = Candlewick::start(&dies, &[&arguments[..], &["--no-source"]].concat());
    second.wait_for("task running", PATIENCE);
    std::thread::sleep(Duration::from_secs(4));
    let moved = tasks(&second.log(), "task running");
    let before = first.log().len();
    second.kill();
    let log = KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "judge")).expect("connected");
    let registry: Arc<dyn SchemaRegistry> =
        Arc::new(ConfluentRegistry::new(RegistrySettings::new(registry.url())).expect("a registry"));
    // The last candle of each symbol is open when the recording ends.
    let mut expected = recording.candles(MINUTE);
    let last = expected.keys().map(|(_, start)| *start).max().expect("a recording has candles");
    expected.retain(|(_, start), _| *start < last - MINUTE);
    assert!(expected.len() > 3_000, "the recording fills candles: {}", expected.len());
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found = candles(&log, &registry, &format!("{prefix}candles"));
        found.retain(|(_, start), _| *start < last - MINUTE);
        if found.len() >= expected.len() {
            for (place, candles) in &found {
                assert_eq!(candles.as_slice(), std::slice::from_ref(&expected[place]), "{place:?}");
            }
            break;
        }
        assert!(Instant::now() < until, "{} of {} candles:\n{}", found.len(), expected.len(), first.log());
        std::thread::sleep(Duration::from_millis(300));
    }
    let after = first.log().split_off(before);
    let restored: Vec<&str> = after.lines().filter(|line| line.contains("task restores")).collect();
    assert!(restored.iter().all(|line| line.contains("has_copy=true")), "{restored:?}");
    assert_eq!(tasks(&after, "task restores"), moved, "those of the killed one:\n{after}");
    assert!(first.terminate(PATIENCE).success());
}
