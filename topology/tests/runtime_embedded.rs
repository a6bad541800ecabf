//! The runtime on the embedded log: what goes in comes out, and a restart goes on where the last run committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Grouped, Guarantee, Headers, I64Serde, KafkaStreams, Materialized, Partition, Produced, Serde,
    StreamsBuilder, StreamsConfig, StringSerde, Suppressed, TimeWindows, Timestamp, TopicPartition, Topology,
    WindowedSerde,
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn topics(log: &Arc<EmbeddedLog>, names: &[(&str, i32)]) {
    let topic = |&(name, partitions): &(&str, i32)| NewTopic {
        name: name.into(),
        partitions,
        replication: 1,
        config: BTreeMap::default(),
    };
    let topics: Vec<NewTopic> = names.iter().map(topic).collect();
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
}

fn write(log: &Arc<EmbeddedLog>, topic: &str, records: impl Iterator<Item = (i32, String, String, i64)>) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (partition, key, value, timestamp) in records {
        producer
            .send(OutgoingRecord {
                topic: handle,
                partition: Partition(partition),
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                headers: &Headers::default(),
                timestamp: Timestamp(timestamp),
            })
            .expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// All records of a topic until `enough` says so, as raw key and value.
fn read(
    log: &Arc<EmbeddedLog>,
    topic: &str,
    partitions: i32,
    enough: impl Fn(&[(Vec<u8>, Vec<u8>)]) -> bool,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    let starts: Vec<_> =
        (0..partitions).map(|p| (TopicPartition::new(topic, p), StartAt::Beginning)).collect();
    consumer.assign(&starts).expect("assigned");
    let deadline = Instant::now() + TIMEOUT;
    let (mut found, mut batch) = (Vec::new(), PolledBatch::default());
    while !enough(&found) && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(50), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            found.push((record.key.unwrap_or_default().to_vec(), record.value.unwrap_or_default().to_vec()));
        }
    }
    found
}

fn word_count() -> Topology {
    let builder = StreamsBuilder::new();
    builder
        .stream("lines", Consumed::<String, String>::default())
        .flat_map_values(|line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .group_by(|_, word| word.clone(), Grouped::default())
        .count(Materialized::named("counts"))
        .to_stream()
        .to("totals", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn counts_over_a_repartition_topic_survive_a_restart_under_both_guarantees() {
    for (guarantee, persistent) in
        [(Guarantee::AtLeastOnce, false), (Guarantee::ExactlyOnce, false), (Guarantee::ExactlyOnce, true)]
    {
        let log = EmbeddedLog::in_memory();
        topics(&log, &[("lines", 3), ("totals", 2)]);
        let state = tempfile::tempdir().expect("folder");
        let mut expected = BTreeMap::new();
        for round in 0..3i64 {
            let lines: Vec<(i32, String, String, i64)> = (0..300)
                .map(|n| {
                    ((n % 3), format!("k{n}"), format!("w{} w{} round{round}", n % 7, n % 11), i64::from(n))
                })
                .collect();
            for word in lines.iter().flat_map(|line| line.2.split(' ')) {
                *expected.entry(word.to_owned()).or_insert(0i64) += 1;
            }
            write(&log, "lines", lines.into_iter());
            let config = StreamsConfig {
                guarantee,
                threads: 2,
                commit_interval_ms: Some(50),
                state_dir: persistent.then(|| state.path().to_owned()),
                ..StreamsConfig::new("word-count")
            };
            let running = KafkaStreams::new(word_count(), config, Arc::clone(&log) as Arc<dyn Log>);
            let running = running.start().expect("started");
            let newest = |found: &[(Vec<u8>, Vec<u8>)]| -> BTreeMap<String, i64> {
                let text = |key: &Vec<u8>| String::from_utf8(key.clone()).expect("UTF-8");
                let number = |value: &Vec<u8>| I64Serde.deserialize("totals", value).expect("a number");
                found.iter().map(|(key, value)| (text(key), number(value))).collect()
            };
            let found = read(&log, "totals", 2, |found| newest(found) == expected);
            assert_eq!(newest(&found), expected, "{guarantee:?} persistent={persistent} round {round}");
            running.stop(TIMEOUT).expect("stopped");
        }
    }
}

#[test]
fn closed_windows_come_out_once_and_before_the_commit_interval() {
    let log = EmbeddedLog::in_memory();
    topics(&log, &[("ticks", 1), ("minutes", 1)]);
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    builder
        .stream("ticks", Consumed::<String, String>::default())
        .group_by_key(Grouped::default())
        .windowed_by(windows)
        .count(Materialized::named("per-minute"))
        .suppress(Suppressed::until_window_closes("closed"))
        .to_stream()
        .map_values(|count| count.expect("suppress swallows deletions"))
        .to("minutes", Produced::with(WindowedSerde::new(StringSerde, Duration::from_secs(60)), I64Serde));
    let topology = builder.build().expect("valid");
    // 10 minutes of one tick a second for two keys; the last minute stays open.
    let ticks = (0..600).flat_map(|s| ["a", "b"].map(|key| (0, key.to_string(), "x".to_string(), s * 1_000)));
    write(&log, "ticks", ticks);
    let config = StreamsConfig { commit_interval_ms: Some(60_000), ..StreamsConfig::new("minutes") };
    let started = Instant::now();
    let running =
        KafkaStreams::new(topology, config, Arc::clone(&log) as Arc<dyn Log>).start().expect("started");
    let found = read(&log, "minutes", 1, |found| found.len() >= 18);
    assert!(started.elapsed() < Duration::from_secs(20), "windows wait for no commit");
    running.stop(TIMEOUT).expect("stopped");
    let found = if found.len() > 18 {
        found
    } else {
        read(&log, "minutes", 1, |found| found.len() > 18 || !found.is_empty() && found.len() == 18)
    };
    let serde = WindowedSerde::new(StringSerde, Duration::from_secs(60));
    let mut seen = BTreeMap::new();
    for (key, value) in &found {
        let key = serde.deserialize("minutes", key).expect("a windowed key");
        let count = I64Serde.deserialize("minutes", value).expect("a number");
        assert_eq!(count, 60, "{key:?}");
        assert!(seen.insert((key.key.clone(), key.window.start.0), count).is_none(), "{key:?} came twice");
    }
    let expected: Vec<(String, i64)> =
        ["a", "b"].iter().flat_map(|key| (0..9).map(|minute| (key.to_string(), minute * 60_000))).collect();
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), expected);
}
