//! A log in memory with words in it, versions of an application that counts them, and what it has counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    ApplicationState, Guarantee, Headers, KafkaStreams, Partition, PlanReport, RunningStreams,
    StreamsBuilder, StreamsConfig, StreamsError, Timestamp, TopicPartition, Topology, partition_for_key,
};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic { name: name.into(), partitions, replication: 1, config: BTreeMap::default() }
}

pub(crate) fn log(topics: &[(&str, i32)]) -> Arc<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    let topics: Vec<NewTopic> = topics.iter().map(|(name, partitions)| topic(name, *partitions)).collect();
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    log
}

/// Makes a topic anew with another number of partitions.
pub(crate) fn widen(log: &Arc<EmbeddedLog>, name: &str, partitions: i32) {
    let mut admin = log.admin().expect("admin");
    admin.delete(&[name], TIMEOUT).expect("deleted");
    admin.create(&[topic(name, partitions)], TIMEOUT).expect("created");
}

/// Writes words as keys, each to the partition that its bytes tell.
pub(crate) fn write(log: &Arc<EmbeddedLog>, topic: &str, words: &[&str]) {
    let mut admin = log.admin().expect("admin");
    let found = admin.describe(&[topic], TIMEOUT).expect("described");
    let partitions = found[0].as_ref().expect("the topic is there").partitions;
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (time, word) in (0..).zip(words) {
        producer
            .send(OutgoingRecord {
                topic: handle,
                partition: Partition(partition_for_key(word.as_bytes(), partitions).0),
                key: Some(word.as_bytes()),
                value: Some(word.as_bytes()),
                headers: &Headers::default(),
                timestamp: Timestamp(time),
            })
            .expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// A version of the application: what `declare` says.
pub(crate) fn version(declare: impl Fn(&StreamsBuilder)) -> Topology {
    let builder = StreamsBuilder::new();
    declare(&builder);
    builder.build().expect("valid")
}

pub(crate) fn config() -> StreamsConfig {
    StreamsConfig {
        guarantee: Guarantee::ExactlyOnce,
        commit_interval_ms: Some(20),
        poll_ms: 10,
        ..StreamsConfig::new("app")
    }
}

pub(crate) fn start(
    log: &Arc<EmbeddedLog>,
    config: &StreamsConfig,
    topology: Topology,
) -> Result<RunningStreams, StreamsError> {
    KafkaStreams::new(topology, config.clone(), Arc::clone(log) as Arc<dyn Log>).start()
}

pub(crate) fn plan(log: &Arc<EmbeddedLog>, topology: Topology) -> PlanReport {
    KafkaStreams::new(topology, config(), Arc::clone(log) as Arc<dyn Log>).plan().expect("planned")
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the instance runs, and is behind in nothing.
pub(crate) fn is_done(running: &RunningStreams) -> bool {
    let status = running.handle().status();
    let mut partitions = status.tasks.iter().flat_map(|task| &task.partitions);
    status.state == ApplicationState::Running
        && !status.tasks.is_empty()
        && partitions.all(|partition| partition.lag().is_none_or(|lag| lag == 0))
}

/// Runs a version until the newest records of a topic of counts are these, and stops it.
pub(crate) fn run(
    log: &Arc<EmbeddedLog>,
    config: &StreamsConfig,
    topology: Topology,
    (totals, expected): (&str, &BTreeMap<String, i64>),
) {
    let running = start(log, config, topology).expect("started");
    counts_are(log, totals, expected);
    running.stop(TIMEOUT).expect("stopped");
    assert_eq!(newest(log, totals), *expected);
}

pub(crate) fn counts_are(log: &Arc<EmbeddedLog>, topic: &str, expected: &BTreeMap<String, i64>) {
    let deadline = Instant::now() + TIMEOUT;
    while newest(log, topic) != *expected {
        assert!(Instant::now() < deadline, "{:?} instead of {expected:?}", newest(log, topic));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The newest count of each word in a topic.
pub(crate) fn newest(log: &Arc<EmbeddedLog>, topic: &str) -> BTreeMap<String, i64> {
    let all = records(log, topic).into_iter();
    all.map(|(key, value)| {
        let count = i64::from_be_bytes(value.try_into().expect("a count of eight bytes"));
        (String::from_utf8(key).expect("UTF-8"), count)
    })
    .collect()
}

/// Every record of a topic, in the order of each partition.
pub(crate) fn records(log: &Arc<EmbeddedLog>, topic: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut admin = log.admin().expect("admin");
    let Some(found) = admin.describe(&[topic], TIMEOUT).expect("described").remove(0) else {
        return Vec::new();
    };
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    let partitions: Vec<_> = (0..found.partitions).map(|p| TopicPartition::new(topic, p)).collect();
    let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
    consumer.assign(&starts).expect("assigned");
    let ends: Vec<i64> = partitions
        .iter()
        .map(|partition| admin.watermarks(partition, TIMEOUT).expect("watermarks").stable)
        .collect();
    let (mut records, mut batch) = (Vec::new(), PolledBatch::default());
    let is_read = |consumer: &dyn candlewick::client::Consumer| {
        partitions.iter().zip(&ends).all(|(p, end)| consumer.position(p).is_some_and(|at| at >= *end))
    };
    while !is_read(&*consumer) {
        consumer.poll(1_000, Duration::from_millis(5), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            records
                .push((record.key.unwrap_or_default().to_vec(), record.value.unwrap_or_default().to_vec()));
        }
    }
    records
}

/// How often each word was written.
pub(crate) fn counted(words: &[&str]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry((*word).to_owned()).or_default() += 1;
    }
    counts
}
