//! Both kinds of store on the embedded log: whole before the first record is processed, read on beside the streams, and
//! there again after a restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, ErrorPolicy, Grouped, Guarantee, Headers, KafkaStreams, Keys, Materialized, RunningStreams,
    StoreType, StreamsBuilder, StreamsConfig, Timestamp, TopicPartition, Topology, partition_for_key,
};

use crate::errors::{REFUSED, topology};
use crate::parts::{Numbers, additions, global_sums, kept_numbers, numbers_of, sums};

const TIMEOUT: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 3;

fn log() -> Arc<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    let topics = ["added", "kept", "asked", "answers", "in", "out"].map(|name| NewTopic {
        name: name.into(),
        partitions: if name == "answers" { 1 } else { PARTITIONS },
        replication: 1,
        config: BTreeMap::default(),
    });
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    log
}

/// Writes numbers to the partitions of their keys; no number is a deletion.
fn write(log: &Arc<EmbeddedLog>, topic: &str, rows: &[(String, Option<i64>)], time: i64) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (key, number) in rows {
        let bytes = number.map(i64::to_be_bytes);
        let record = OutgoingRecord {
            topic: handle,
            partition: partition_for_key(key.as_bytes(), PARTITIONS),
            key: Some(key.as_bytes()),
            value: bytes.as_ref().map(<[u8; 8]>::as_slice),
            headers: &Headers::default(),
            timestamp: Timestamp(time),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

fn some(rows: &[(String, i64)]) -> Vec<(String, Option<i64>)> {
    rows.iter().map(|(key, number)| (key.clone(), Some(*number))).collect()
}

/// The answers behind the first `from`, once there are `count` of them, by key.
fn answers(log: &Arc<EmbeddedLog>, from: usize, count: usize) -> BTreeMap<String, i64> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new("answers", 0), StartAt::Beginning)]).expect("assigned");
    let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + TIMEOUT);
    while found.len() < from + count && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(20), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
            let value = record.value.unwrap_or_default().try_into().expect("eight bytes");
            found.push((key, i64::from_be_bytes(value)));
        }
    }
    found.into_iter().skip(from).collect()
}

fn start(
    log: &Arc<EmbeddedLog>,
    topology: Topology,
    guarantee: Guarantee,
    state_dir: Option<&Path>,
) -> RunningStreams {
    let config = StreamsConfig {
        guarantee,
        commit_interval_ms: Some(20),
        state_dir: state_dir.map(Path::to_owned),
        ..StreamsConfig::new("app")
    };
    KafkaStreams::new(topology, config, Arc::clone(log) as Arc<dyn Log>).start().expect("started")
}

fn asked(keys: &BTreeMap<String, i64>) -> Vec<(String, Option<i64>)> {
    keys.keys().map(|key| (key.clone(), Some(0))).collect()
}

#[test]
fn a_global_store_is_whole_before_the_first_record_and_after_every_restart() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let (log, mut added, mut told) = (log(), Vec::new(), 0);
        for _ in 0..3 {
            // What came while nothing ran is there before the first question is answered.
            let more = additions(100);
            write(&log, "added", &some(&more), 1);
            added.extend(more);
            let expected = sums(&added);
            write(&log, "asked", &asked(&expected), 2);
            let running = start(&log, global_sums(), guarantee, None);
            assert_eq!(answers(&log, told, expected.len()), expected);
            told += expected.len();
            // What comes now is read beside the streams, and seen by queries too.
            let more = additions(40);
            write(&log, "added", &some(&more), 3);
            added.extend(more);
            let expected = sums(&added);
            let handle = running.handle();
            let store = handle.store::<Numbers>("sums").expect("a store");
            let seen = || -> BTreeMap<String, i64> {
                let page = store.range(Keys::all()).expect("answered");
                page.rows.into_iter().map(|(key, entry)| (key, entry.value)).collect()
            };
            let deadline = Instant::now() + TIMEOUT;
            while seen() != expected && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(seen(), expected);
            assert_eq!(handle.stores()[0].kind, StoreType::Global);
            write(&log, "asked", &asked(&expected), 4);
            assert_eq!(answers(&log, told, expected.len()), expected);
            told += expected.len();
            running.stop(TIMEOUT).expect("stopped");
        }
    }
}

#[test]
fn a_read_only_store_is_restored_from_its_topic_and_no_changelog_is_made() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        for on_disk in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            let state_dir = on_disk.then(|| folder.path());
            let (log, mut expected, mut told) = (log(), BTreeMap::new(), 0);
            for round in 0..3 {
                let rows: Vec<(String, Option<i64>)> = additions(60 + round * 7)
                    .into_iter()
                    .map(|(key, number)| (key, (number > -5).then_some(number + round)))
                    .collect();
                write(&log, "kept", &rows, round * 10);
                for (key, number) in rows {
                    expected.insert(key, number.unwrap_or(0));
                }
                // Behind the rows in time, and so answered from them.
                write(&log, "asked", &asked(&expected), round * 10 + 5);
                let running = start(&log, kept_numbers(!on_disk), guarantee, state_dir);
                assert_eq!(answers(&log, told, expected.len()), expected, "round {round}");
                told += expected.len();
                running.stop(TIMEOUT).expect("stopped");
            }
            // A restart with nothing new: all of it is restored, from disk or from the topic.
            let running = start(&log, kept_numbers(!on_disk), guarantee, state_dir);
            write(&log, "asked", &asked(&expected), 100);
            assert_eq!(answers(&log, told, expected.len()), expected);
            running.stop(TIMEOUT).expect("stopped");
            let topics = log.admin().expect("admin").topics(TIMEOUT).expect("listed");
            assert!(!topics.iter().any(|topic| topic.ends_with("-changelog")), "{topics:?}");
        }
    }
}

#[test]
fn an_application_shares_the_state_that_another_one_has_written() {
    let builder = StreamsBuilder::new();
    let added = builder.stream("added", Consumed::<String, i64>::default());
    let grouped = added.group_by_key(Grouped::default());
    grouped.reduce(|sum, more| sum + more, Materialized::named("sums"));
    let topology = builder.build().expect("valid");
    let (log, added) = (log(), additions(300));
    write(&log, "added", &some(&added), 1);
    let config = StreamsConfig { commit_interval_ms: Some(20), ..StreamsConfig::new("writer") };
    let writer =
        KafkaStreams::new(topology, config, Arc::clone(&log) as Arc<dyn Log>).start().expect("started");
    let is_behind = || {
        let tasks = writer.handle().status().tasks;
        tasks.iter().map(|task| task.processed).sum::<u64>() < added.len() as u64
    };
    let deadline = Instant::now() + TIMEOUT;
    while is_behind() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    writer.stop(TIMEOUT).expect("stopped");
    let (expected, mut told) = (sums(&added), 0);
    for _ in 0..2 {
        write(&log, "asked", &asked(&expected), 2);
        let reader = numbers_of("writer-sums-changelog", true);
        let running = start(&log, reader, Guarantee::ExactlyOnce, None);
        assert_eq!(answers(&log, told, expected.len()), expected);
        told += expected.len();
        running.stop(TIMEOUT).expect("stopped");
    }
}

/// What the policy of a global store's processor comes to with these additions at the start, of which some are refused so
/// often.
fn total_of(policy: ErrorPolicy, failures: u32, numbers: &[i64]) -> Result<i64, String> {
    let log = log();
    let rows: Vec<(String, Option<i64>)> = numbers.iter().map(|n| ("k".to_owned(), Some(*n))).collect();
    write(&log, "added", &rows, 1);
    let config = StreamsConfig::new("app");
    let streams =
        KafkaStreams::new(topology(Some(policy), failures), config, Arc::clone(&log) as Arc<dyn Log>);
    let running = streams.start().map_err(|error| error.to_string())?;
    let store = running.handle().store::<Numbers>("totals").expect("a store");
    let total = store.get(&"total".to_owned()).expect("answered").value;
    running.stop(TIMEOUT).expect("stopped");
    Ok(total.map_or(0, |entry| entry.value))
}

#[test]
fn what_the_policy_says_of_a_refused_record_holds_at_the_start_too() {
    let numbers = [5, REFUSED, 7, REFUSED, 9];
    let refused = total_of(ErrorPolicy::fail(), u32::MAX, &numbers);
    assert_eq!(refused, Err("task global: fill: it is refused".to_owned()));
    assert_eq!(total_of(ErrorPolicy::skip(), u32::MAX, &numbers), Ok(numbers.iter().sum()));
    let patient = ErrorPolicy::fail().retrying(3, Duration::from_millis(2));
    assert_eq!(
        total_of(patient, 3, &numbers),
        Ok(numbers.iter().sum()),
        "each try begins at the last commit"
    );
}

#[test]
fn a_record_that_is_refused_later_ends_the_application_and_one_that_rests_keeps_nobody_from_stopping() {
    for (policy, ends) in
        [(ErrorPolicy::fail(), true), (ErrorPolicy::fail().retrying(9, Duration::from_secs(60)), false)]
    {
        let log = log();
        let config = StreamsConfig { poll_ms: 10, ..StreamsConfig::new("app") };
        let topology = topology(Some(policy), u32::MAX);
        let streams = KafkaStreams::new(topology, config, Arc::clone(&log) as Arc<dyn Log>);
        let running = streams.start().expect("started");
        write(&log, "added", &[("k".to_owned(), Some(REFUSED))], 1);
        let deadline = Instant::now() + if ends { TIMEOUT } else { Duration::from_millis(300) };
        while running.handle().error().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(running.handle().error().is_some(), ends, "{policy}");
        let began = Instant::now();
        assert_eq!(running.stop(TIMEOUT).is_err(), ends);
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
