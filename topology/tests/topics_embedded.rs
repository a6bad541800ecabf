//! Topics that are found while an application runs: sources that read by a pattern, and sinks whose records tell theirs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Guarantee, Headers, KafkaStreams, Partition, Produced, RunningStreams, SkipOnProcessError,
    StreamsBuilder, StreamsConfig, Timestamp, TopicPartition, Topology, TopologyError,
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn log(topics: &[(&str, i32)]) -> Arc<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    let topic = |&(name, partitions): &(&str, i32)| NewTopic {
        name: name.into(),
        partitions,
        replication: 1,
        config: BTreeMap::default(),
    };
    let topics: Vec<NewTopic> = topics.iter().map(topic).collect();
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    log
}

fn write(log: &Arc<EmbeddedLog>, topic: &str, partition: i32, values: &[&str]) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let topic = producer.topic(topic).expect("topic");
    for value in values {
        let (headers, partition) = (&Headers::default(), Partition(partition));
        let (key, value) = (Some(&b"k"[..]), Some(value.as_bytes()));
        producer
            .send(OutgoingRecord { topic, partition, key, value, headers, timestamp: Timestamp(1) })
            .expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// The values of a topic's first partition, once there are `count` of them.
fn values(log: &Arc<EmbeddedLog>, topic: &str, count: usize) -> Vec<String> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new(topic, 0), StartAt::Beginning)]).expect("assigned");
    let deadline = Instant::now() + TIMEOUT;
    let (mut found, mut batch) = (Vec::new(), PolledBatch::default());
    while found.len() < count && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(20), &mut batch).expect("polled");
        let records = batch.runs.iter().flat_map(|run| run.iter());
        found.extend(
            records.map(|record| String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned()),
        );
    }
    found
}

fn config(guarantee: Guarantee) -> StreamsConfig {
    StreamsConfig { guarantee, commit_interval_ms: Some(20), ..StreamsConfig::new("topics") }
}

fn routed() -> Topology {
    let builder = StreamsBuilder::new();
    let orders = builder.stream("orders", Consumed::<String, String>::default());
    orders.to_dynamic(|record, topic| topic.push_str(&record.value), Produced::default());
    builder.build().expect("valid")
}

fn run(topology: Topology, log: &Arc<EmbeddedLog>, guarantee: Guarantee) -> RunningStreams {
    let streams = KafkaStreams::new(topology, config(guarantee), Arc::clone(log) as Arc<dyn Log>);
    streams.process_handler(SkipOnProcessError).start().expect("started")
}

#[test]
fn records_go_to_the_topics_they_tell_and_those_without_one_to_the_handler() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let log = log(&[("orders", 1), ("europe", 1), ("asia", 1)]);
        write(&log, "orders", 0, &["europe", "atlantis", "asia", "atlantis", "europe"]);
        let running = run(routed(), &log, guarantee);
        assert_eq!(values(&log, "europe", 2), ["europe", "europe"]);
        assert_eq!(values(&log, "asia", 1), ["asia"]);
        assert!(!log.admin().expect("admin").topics(TIMEOUT).expect("told").contains(&"atlantis".to_owned()));
        running.stop(TIMEOUT).expect("stopped");
    }
}

#[test]
fn a_topic_that_does_not_exist_ends_the_application_with_its_name() {
    let log = log(&[("orders", 1)]);
    write(&log, "orders", 0, &["atlantis"]);
    let streams =
        KafkaStreams::new(routed(), config(Guarantee::AtLeastOnce), Arc::clone(&log) as Arc<dyn Log>);
    let running = streams.start().expect("started");
    let deadline = Instant::now() + TIMEOUT;
    while running.handle().error().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let error = running.handle().error().expect("the application has failed");
    assert!(error.contains("topic `atlantis`, which the record chose, does not exist"), "{error}");
}

#[test]
fn a_pattern_reads_every_partition_of_every_topic_that_matches_at_start() {
    let topology = || {
        let builder = StreamsBuilder::new();
        builder
            .stream_matching("trades-.*", Consumed::<String, String>::default())
            .to("all", Produced::default());
        builder.build().expect("valid")
    };
    let log = log(&[("trades-btc", 1), ("trades-eth", 3), ("quotes", 1), ("all", 1)]);
    write(&log, "trades-btc", 0, &["b"]);
    write(&log, "trades-eth", 2, &["e"]);
    write(&log, "quotes", 0, &["q"]);
    let running = run(topology(), &log, Guarantee::AtLeastOnce);
    let mut found = values(&log, "all", 2);
    found.sort();
    assert_eq!(found, ["b", "e"]);
    running.stop(TIMEOUT).expect("stopped");
    let sol =
        NewTopic { name: "trades-sol".into(), partitions: 1, replication: 1, config: BTreeMap::default() };
    log.admin().expect("admin").create(&[sol], TIMEOUT).expect("created");
    write(&log, "trades-sol", 0, &["s"]);
    let running = run(topology(), &log, Guarantee::AtLeastOnce);
    assert_eq!(values(&log, "all", 3)[2], "s", "a topic that is made later is read after the next start");
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn a_pattern_that_is_none_or_that_means_a_topic_read_already_is_refused_when_built() {
    let builder = StreamsBuilder::new();
    builder.stream_matching("trades-(", Consumed::<String, String>::default()).to("all", Produced::default());
    builder.stream("quotes-btc", Consumed::<String, String>::default()).to("all", Produced::default());
    builder
        .stream_matching("quotes-.*", Consumed::<String, String>::default())
        .to("all", Produced::default());
    let errors = builder.build().expect_err("two mistakes").0;
    let invalid = |error: &TopologyError| matches!(error, TopologyError::InvalidPattern { pattern, .. } if pattern == "trades-(");
    let twice = |error: &TopologyError| matches!(error, TopologyError::TopicReadTwice { .. });
    assert!(errors.iter().any(invalid) && errors.iter().any(twice), "{errors:?}");
}
