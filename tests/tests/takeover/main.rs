//! An application of Kafka Streams is stopped, and the one of candlewick with the same id goes on from its committed
//! offsets and its changelogs: what both wrote together is what one would have written.

mod expected;
mod input;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Isolation, Log, NewTopic, PolledBatch, StartAt};
use candlewick::{
    Consumed, Grouped, Guarantee, I64Serde, KafkaStreams, Materialized, Nullable, Produced, SessionWindows,
    StreamsBuilder, StreamsConfig, StringSerde, Suppressed, TimeWindows, TopicPartition, Topology, Windowed,
    partition_for_key,
};
use candlewick_tests::client_suite::fixture::{PATIENCE, Writer, now_ms};
use candlewick_tests::servers::JavaStreams;
use candlewick_tests::{require, servers};

use expected::{Expected, GAP_MS, GRACE_MS, Table, WINDOW_MS};
use input::{Input, records};

const IN: &str = "in";
const PARTITIONS: i32 = 3;
const OUTPUTS: [&str; 5] = ["counts", "windows", "sessions", "sums", "closed"];

fn ms(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

/// As `tests/servers/kafka-streams/App.java` declares it.
fn topology() -> Topology {
    let windowed = |key: Windowed<String>, value: Option<i64>| {
        (format!("{}@{}/{}", key.key, key.window.start.0, key.window.end.0), value)
    };
    let table = || Produced::<String, Option<i64>>::with(StringSerde, Nullable(I64Serde));
    let builder = StreamsBuilder::new();
    let input = builder.stream(IN, Consumed::<String, i64>::default());
    let by_key = input.group_by_key(Grouped::default());
    by_key.clone().count(Materialized::named("counts")).to_stream().to("counts", table());
    let ten = TimeWindows::of_size_and_grace(ms(WINDOW_MS), ms(GRACE_MS));
    let windows = by_key.clone().windowed_by(ten).count(Materialized::named("windows"));
    windows.to_stream().map(windowed).to("windows", table());
    windows
        .suppress(Suppressed::until_window_closes("closing"))
        .to_stream()
        .map(windowed)
        .to("closed", table());
    let sessions = SessionWindows::of_inactivity_gap_and_grace(ms(GAP_MS), ms(GRACE_MS));
    let sessions = by_key.windowed_by(sessions).count(Materialized::named("sessions"));
    sessions.to_stream().map(windowed).to("sessions", table());
    input
        .map(|_, value| ((value % 5).to_string(), value))
        .group_by_key(Grouped::<String, i64>::default().named("by-rest"))
        .reduce(|a, b| a + b, Materialized::named("sums"))
        .to_stream()
        .to("sums", table());
    builder.build().expect("valid")
}

fn make_topics(log: &Arc<dyn Log>) {
    let names = OUTPUTS.iter().map(|name| (*name, 1)).chain([(IN, PARTITIONS)]);
    let topics: Vec<NewTopic> = names
        .map(|(name, partitions)| NewTopic {
            name: name.into(),
            partitions,
            replication: 1,
            config: BTreeMap::new(),
        })
        .collect();
    log.admin().expect("an administrator").create(&topics, PATIENCE).expect("made");
}

fn write(log: &Arc<dyn Log>, records: &[Input]) {
    let mut writer = Writer::plain(log);
    for Input { key, value, time } in records {
        let partition = partition_for_key(key.as_bytes(), PARTITIONS).0;
        let value = value.to_be_bytes();
        writer.try_send(IN, partition, Some(key.as_bytes()), Some(&value), *time).expect("queued");
    }
    writer.flush();
}

/// The newest value of each key in an output, and how often each key came.
fn read(log: &Arc<dyn Log>, topic: &str) -> (Table, BTreeMap<String, usize>) {
    let partition = TopicPartition::new(topic, 0);
    let end = log.admin().expect("an administrator").watermarks(&partition, PATIENCE).expect("asked").stable;
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("a consumer");
    consumer.assign(&[(partition.clone(), StartAt::Beginning)]).expect("assigned");
    let (mut table, mut times, mut batch) = (Table::new(), BTreeMap::new(), PolledBatch::default());
    while consumer.position(&partition).is_none_or(|at| at < end) {
        consumer.poll(10_000, Duration::from_millis(50), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            let key = String::from_utf8(record.key.expect("keyed").to_vec()).expect("text");
            *times.entry(key.clone()).or_default() += 1;
            match record.value {
                Some(value) => table.insert(key, i64::from_be_bytes(value.try_into().expect("eight bytes"))),
                None => table.remove(&key),
            };
        }
    }
    (table, times)
}

fn difference(found: &Table, expected: &Table) -> Vec<String> {
    let keys = found.keys().chain(expected.keys());
    let mut all: Vec<String> = keys
        .filter(|key| found.get(*key) != expected.get(*key))
        .map(|key| format!("{key}: {:?} instead of {:?}", found.get(key), expected.get(key)))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Waits until the outputs are what is expected, and says what differs when they do not become it.
fn compare(log: &Arc<dyn Log>, expected: &Expected, when: impl Fn() -> String) {
    let tables = [
        ("counts", &expected.counts),
        ("windows", &expected.windows),
        ("sessions", &expected.sessions),
        ("sums", &expected.sums),
        ("closed", &expected.closed),
    ];
    let deadline = Instant::now() + Duration::from_secs(90);
    for (topic, wanted) in tables {
        assert!(!wanted.is_empty(), "{topic}: something is expected");
        loop {
            let differs = difference(&read(log, topic).0, wanted);
            if differs.is_empty() {
                break;
            }
            let late = Instant::now() > deadline;
            assert!(!late, "{topic}: {} differences, such as {:?}: {}", differs.len(), &differs[..1], when());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn candlewick_goes_on_where_kafka_streams_was_stopped() {
    let kafka = require!(servers::Kafka::start_new());
    let application = "taken-over";
    let log: Arc<dyn Log> = Arc::new(
        KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "takeover")).expect("the broker answers"),
    );
    make_topics(&log);
    let base = now_ms() - 3_600_000;
    let first = records(base, 0, 1_500);
    write(&log, &first);
    let java = require!(JavaStreams::start(kafka.bootstrap(), application, "exactly_once_v2"));
    let partition_of = |key: &str| partition_for_key(key.as_bytes(), PARTITIONS).0;
    compare(&log, &Expected::of(&first, partition_of), || java.log());
    java.stop();

    let all = [first, records(base, 1_500, 1_500)].concat();
    write(&log, &all[1_500..]);
    let config = StreamsConfig {
        guarantee: Guarantee::ExactlyOnce,
        commit_interval_ms: Some(100),
        threads: 2,
        ..StreamsConfig::new(application)
    };
    let running = KafkaStreams::new(topology(), config, Arc::clone(&log)).start().expect("started");
    let expected = Expected::of(&all, partition_of);
    assert!(expected.late > 20, "some records must be too late for the windows that Kafka Streams knew");
    compare(&log, &expected, || format!("{:?}", running.state()));
    running.stop(PATIENCE).expect("stopped");
    compare(&log, &expected, || "after the end".to_owned());
    let (_, times) = read(&log, "closed");
    let again: Vec<&String> = times.iter().filter(|(_, count)| **count > 1).map(|(key, _)| key).collect();
    assert_eq!(again, Vec::<&String>::new(), "windows that were told as closed twice");
}
