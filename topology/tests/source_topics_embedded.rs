//! A table that is restored from its own source topic: it has what was processed, neither less nor more, and no
//! changelog is made for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    BuildOptions, Consumed, Guarantee, Headers, I64Serde, Joined, KafkaStreams, Materialized, Nullable,
    Partition, Produced, RunningStreams, Serde, SkipOnDecodeError, StreamsBuilder, StreamsConfig,
    StringSerde, Timestamp, TopicPartition, Topology,
};

const TIMEOUT: Duration = Duration::from_secs(30);

type Row<'a> = (&'a str, Option<Vec<u8>>, i64);

fn write(log: &Arc<EmbeddedLog>, topic: &str, rows: &[Row<'_>]) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let topic = producer.topic(topic).expect("topic");
    for (key, value, time) in rows {
        let record = OutgoingRecord {
            topic,
            partition: Partition(0),
            key: Some(key.as_bytes()),
            value: value.as_deref(),
            headers: &Headers::default(),
            timestamp: Timestamp(*time),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

fn bytes(number: i64) -> Option<Vec<u8>> {
    Some(number.to_be_bytes().to_vec())
}

/// Orders by the price of their thing, where the store keeps prices otherwise than the topic does.
fn topology() -> Topology {
    let options = BuildOptions { reuse_source_topics: true, ..BuildOptions::default() };
    let builder = StreamsBuilder::with_options(options);
    let prices = builder.table(
        "prices",
        Consumed::with(StringSerde, Nullable(I64Serde)),
        Materialized::with("prices", StringSerde, Decimal).in_memory(),
    );
    builder
        .stream("orders", Consumed::<String, i64>::default())
        .join(prices, |_, count, price| count * price, Joined::default())
        .to("bought", Produced::default());
    builder.build().expect("valid")
}

/// Numbers as text.
struct Decimal;

impl Serde<i64> for Decimal {
    fn serialize(&self, _: &str, value: &i64, out: &mut Vec<u8>) -> Result<(), candlewick::SerdeError> {
        out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<i64, candlewick::SerdeError> {
        let text: String = StringSerde.deserialize(topic, bytes)?;
        let malformed = |error: std::num::ParseIntError| candlewick::SerdeError::Malformed {
            format: "decimal",
            reason: error.to_string(),
        };
        text.parse().map_err(malformed)
    }
}

fn start(log: &Arc<EmbeddedLog>, guarantee: Guarantee) -> RunningStreams {
    let config =
        StreamsConfig { commit_interval_ms: Some(10), guarantee, ..StreamsConfig::new("source-topics") };
    let streams = KafkaStreams::new(topology(), config, Arc::clone(log) as Arc<dyn Log>);
    streams.decode_handler(SkipOnDecodeError).start().expect("started")
}

/// The first `count` values of the output.
fn read(log: &Arc<EmbeddedLog>, count: usize) -> Vec<i64> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new("bought", 0), StartAt::Beginning)]).expect("assigned");
    let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + TIMEOUT);
    while found.len() < count && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(20), &mut batch).expect("polled");
        let values = batch.runs.iter().flat_map(|run| run.iter()).filter_map(|record| record.value);
        found.extend(values.map(|value| i64::from_be_bytes(value.try_into().expect("eight bytes"))));
    }
    found
}

fn survives_a_restart(guarantee: Guarantee) {
    let log = EmbeddedLog::in_memory();
    let topics = ["orders", "prices", "bought"].map(|name| NewTopic {
        name: name.into(),
        partitions: 1,
        replication: 1,
        config: BTreeMap::default(),
    });
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    let odd = Some(b"no number".to_vec());
    write(
        &log,
        "prices",
        &[("a", bytes(2), 1), ("b", bytes(3), 2), ("a", odd, 3), ("b", None, 4), ("c", bytes(5), 5)],
    );
    write(&log, "orders", &[("a", bytes(1), 10), ("b", bytes(1), 11), ("c", bytes(1), 12)]);
    let running = start(&log, guarantee);
    assert_eq!(read(&log, 2), [2, 5]);
    running.stop(TIMEOUT).expect("stopped");
    // What came meanwhile is processed, not restored: the order before it in time has the old price.
    write(&log, "prices", &[("a", bytes(7), 21)]);
    write(
        &log,
        "orders",
        &[("a", bytes(10), 20), ("b", bytes(10), 22), ("a", bytes(10), 23), ("c", bytes(10), 24)],
    );
    let running = start(&log, guarantee);
    assert_eq!(read(&log, 5), [2, 5, 20, 70, 50]);
    running.stop(TIMEOUT).expect("stopped");
    let topics = log.admin().expect("admin").topics(TIMEOUT).expect("listed");
    let changelogs: Vec<&String> = topics.iter().filter(|topic| topic.ends_with("-changelog")).collect();
    assert_eq!(changelogs, Vec::<&String>::new());
}

#[test]
fn a_table_is_restored_from_its_topic_at_least_once() {
    survives_a_restart(Guarantee::AtLeastOnce);
}

#[test]
fn a_table_is_restored_from_its_topic_exactly_once() {
    survives_a_restart(Guarantee::ExactlyOnce);
}
