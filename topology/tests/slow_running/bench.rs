//! What the tests stand on: a log with topics, an application on it, and patience.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, EmbeddedSettings, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings,
    StartAt,
};
use candlewick::{
    Guarantee, Headers, KafkaStreams, Partition, RunningStreams, StreamsConfig, Timestamp, TopicPartition,
    Topology,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const APPLICATION: &str = "slow";

/// Waits until something holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A door that calls wait before until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<AtomicBool>);

impl Door {
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn pass(&self) {
        let door = self.clone();
        until("the door opens", || door.0.load(Ordering::Acquire));
    }
}

pub(crate) struct Bench {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) partitions: i32,
}

impl Bench {
    /// A log in memory.
    pub(crate) fn new(topics: &[&str], partitions: i32) -> Self {
        let bench = Self { log: EmbeddedLog::in_memory(), partitions };
        bench.create(topics);
        bench
    }

    /// A log in a folder, which may be there already.
    pub(crate) fn open(folder: &Path, partitions: i32) -> Self {
        let log = EmbeddedLog::open(folder, EmbeddedSettings::default()).expect("the folder can be opened");
        Self { log, partitions }
    }

    pub(crate) fn create(&self, topics: &[&str]) {
        let topic = |name: &&str| NewTopic {
            name: (*name).to_owned(),
            partitions: self.partitions,
            replication: 1,
            config: Default::default(),
        };
        let topics: Vec<NewTopic> = topics.iter().map(topic).collect();
        self.log.admin().expect("at once").create(&topics, PATIENCE).expect("they are new");
    }

    /// Writes numbers, each to the partition of its remainder, under the key of its remainder by `keys`.
    pub(crate) fn write(&self, topic: &str, numbers: impl IntoIterator<Item = i64>, keys: i64) {
        let mut producer = self.log.producer(&ProducerSettings::default()).expect("at once");
        let topic = producer.topic(topic).expect("it is there");
        for n in numbers {
            let (key, value) = (format!("k{}", n % keys), n.to_be_bytes());
            let partition = Partition(i32::try_from(n % keys).expect("few keys") % self.partitions);
            let (key, value, headers) = (Some(key.as_bytes()), Some(&value[..]), &Headers::default());
            let timestamp = Timestamp(n);
            let record = OutgoingRecord { topic, partition, key, value, headers, timestamp };
            producer.send(record).expect("there is room");
        }
        producer.flush(PATIENCE).expect("written");
    }

    /// The committed numbers of each partition, in their order.
    pub(crate) fn read(&self, topic: &str) -> Vec<Vec<i64>> {
        let mut consumer = self.log.consumer("reader", Isolation::ReadCommitted).expect("at once");
        let starts: Vec<_> =
            (0..self.partitions).map(|n| (TopicPartition::new(topic, n), StartAt::Beginning)).collect();
        consumer.assign(&starts).expect("they are there");
        let mut found = vec![Vec::new(); starts.len()];
        let mut batch = PolledBatch::default();
        loop {
            consumer.poll(10_000, Duration::ZERO, &mut batch).expect("it is at hand");
            if batch.runs.is_empty() {
                return found;
            }
            for run in &batch.runs {
                let place = usize::try_from(run.source.partition.0).expect("it is one of ours");
                let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().expect("eight bytes"));
                found[place].extend(run.iter().map(|record| number(record.value.expect("no tombstones"))));
            }
        }
    }

    pub(crate) fn count(&self, topic: &str) -> usize {
        self.read(topic).iter().map(Vec::len).sum()
    }

    /// What the group has committed of a partition.
    pub(crate) fn committed(&self, topic: &str, partition: i32) -> i64 {
        let mut consumer = self.log.consumer(APPLICATION, Isolation::ReadCommitted).expect("at once");
        let partition = TopicPartition::new(topic, partition);
        let offsets = consumer.committed(&[partition], PATIENCE).expect("it is at hand");
        offsets[0].as_ref().map_or(0, |committed| committed.offset)
    }

    pub(crate) fn start(&self, topology: Topology, config: StreamsConfig) -> RunningStreams {
        KafkaStreams::new(topology, config, Arc::clone(&self.log)).start().expect("it starts")
    }
}

pub(crate) fn config(guarantee: Guarantee) -> StreamsConfig {
    StreamsConfig {
        guarantee,
        commit_interval_ms: Some(20),
        session_timeout_ms: 1_500,
        ..StreamsConfig::new(APPLICATION)
    }
}

/// Text that says all that follows when a result is wrong.
pub(crate) fn sorted(partitions: Vec<Vec<i64>>) -> Vec<i64> {
    let mut all: Vec<i64> = partitions.into_iter().flatten().collect();
    all.sort_unstable();
    all
}
