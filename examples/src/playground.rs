//! A log with topics, records in and records out. Must not know what a topology does.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Headers, KafkaStreams, RunningStreams, Serde, StreamsConfig, Timestamp, TopicPartition, Topology,
    partition_for_key,
};

/// What an example's `main` returns.
pub type Example<T = ()> = Result<T, Box<dyn Error>>;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A log and its topics, each of so many partitions.
pub struct Playground {
    log: Arc<dyn Log>,
    partitions: i32,
}

impl Playground {
    /// A log in memory with these topics, of one partition each.
    ///
    /// # Errors
    /// When the topics cannot be made.
    pub fn new(topics: &[&str]) -> Example<Self> {
        Self::on(EmbeddedLog::in_memory(), topics, 1)
    }

    /// These topics on any log; those that are there stay as they are.
    ///
    /// # Errors
    /// When the topics cannot be made.
    pub fn on(log: Arc<dyn Log>, topics: &[&str], partitions: i32) -> Example<Self> {
        let topic = |name: &&str| NewTopic {
            name: (*name).into(),
            partitions,
            replication: 1,
            config: BTreeMap::new(),
        };
        let mut admin = log.admin()?;
        let known = admin.describe(topics, TIMEOUT)?;
        let missing = topics.iter().zip(known).filter(|(_, known)| known.is_none());
        let missing: Vec<NewTopic> = missing.map(|(name, _)| topic(name)).collect();
        if !missing.is_empty() {
            admin.create(&missing, TIMEOUT)?;
        }
        Ok(Self { log, partitions })
    }

    /// Writes records of key, value and time.
    ///
    /// # Errors
    /// When a record cannot be written.
    pub fn write<K: 'static, V: 'static>(
        &self,
        topic: &str,
        (key_serde, value_serde): (impl Serde<K>, impl Serde<V>),
        records: impl IntoIterator<Item = (K, V, i64)>,
    ) -> Example {
        let mut producer = self.log.producer(&ProducerSettings::default())?;
        let handle = producer.topic(topic)?;
        for (key, value, time) in records {
            let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
            key_serde.serialize(topic, &key, &mut key_bytes)?;
            value_serde.serialize(topic, &value, &mut value_bytes)?;
            producer.send(OutgoingRecord {
                topic: handle,
                partition: partition_for_key(&key_bytes, self.partitions),
                key: Some(&key_bytes),
                value: Some(&value_bytes),
                headers: &Headers::default(),
                timestamp: Timestamp(time),
            })?;
        }
        Ok(producer.flush(TIMEOUT)?)
    }

    /// Runs a topology, with a commit every 50 ms, so that results are seen soon.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, topology: Topology, application: &str) -> Example<RunningStreams> {
        let config = StreamsConfig { commit_interval_ms: Some(50), ..StreamsConfig::new(application) };
        self.start_with(topology, config)
    }

    /// Runs a topology as it is configured.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_with(&self, topology: Topology, config: StreamsConfig) -> Example<RunningStreams> {
        Ok(KafkaStreams::new(topology, config, Arc::clone(&self.log)).start()?)
    }

    /// Reads a topic from its beginning, once it has `count` committed records.
    ///
    /// # Errors
    /// When they do not come, or cannot be decoded.
    pub fn read<K: 'static, V: 'static>(
        &self,
        topic: &str,
        (key_serde, value_serde): (impl Serde<K>, impl Serde<V>),
        count: usize,
    ) -> Example<Vec<(K, V, Timestamp)>> {
        let mut consumer = self.log.consumer("reader", Isolation::ReadCommitted)?;
        let all = (0..self.partitions).map(|p| (TopicPartition::new(topic, p), StartAt::Beginning));
        consumer.assign(&all.collect::<Vec<_>>())?;
        let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + TIMEOUT);
        while found.len() < count {
            if Instant::now() > deadline {
                return Err(format!("{topic} has {} records, not {count}", found.len()).into());
            }
            consumer.poll(1_000, Duration::from_millis(20), &mut batch)?;
            for record in batch.runs.iter().flat_map(|run| run.iter()) {
                let key = key_serde.deserialize(topic, record.key.unwrap_or_default())?;
                let value = value_serde.deserialize(topic, record.value.unwrap_or_default())?;
                found.push((key, value, record.timestamp));
            }
        }
        Ok(found)
    }
}
