//! A task of several partitions takes records in the order of their times, whichever the log hands over first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Headers, Joined, KafkaStreams, Materialized, Partition, Produced, StreamsBuilder,
    StreamsConfig, Timestamp, TopicPartition, Topology,
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// More than any poll brings.
const PRICES: i64 = 3_000;
const ORDERS: i64 = 50;

fn write(log: &Arc<EmbeddedLog>, topic: &str, values: impl Iterator<Item = (i64, i64)>) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let topic = producer.topic(topic).expect("topic");
    for (time, value) in values {
        let (headers, value) = (&Headers::default(), value.to_be_bytes());
        let record = OutgoingRecord {
            topic,
            partition: Partition(0),
            key: Some(b"k"),
            value: Some(&value),
            headers,
            timestamp: Timestamp(time),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let orders = builder.stream("orders", Consumed::<String, i64>::default());
    let prices =
        builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    let bought = orders.join(prices, |_, order, price| order * 1_000_000 + price, Joined::default());
    bought.to("bought", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn orders_wait_for_the_earlier_prices_that_are_in_the_log() {
    let log = EmbeddedLog::in_memory();
    let topics = ["orders", "prices", "bought"].map(|name| NewTopic {
        name: name.into(),
        partitions: 1,
        replication: 1,
        config: BTreeMap::default(),
    });
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    write(&log, "orders", (0..ORDERS).map(|n| (10_000 + n, n)));
    write(&log, "prices", (0..PRICES).map(|n| (n, n)));
    let config = StreamsConfig {
        poll_records_max: 20,
        buffered_records_max: 20,
        commit_interval_ms: Some(20),
        ..StreamsConfig::new("lag")
    };
    let running = KafkaStreams::new(topology(), config, Arc::clone(&log) as Arc<dyn Log>);
    let running = running.start().expect("started");
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new("bought", 0), StartAt::Beginning)]).expect("assigned");
    let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + TIMEOUT);
    while found.len() < ORDERS as usize && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(20), &mut batch).expect("polled");
        let values = batch.runs.iter().flat_map(|run| run.iter()).filter_map(|record| record.value);
        found.extend(values.map(|value| i64::from_be_bytes(value.try_into().expect("eight bytes"))));
    }
    running.stop(TIMEOUT).expect("stopped");
    let last = PRICES - 1;
    assert_eq!(found, (0..ORDERS).map(|order| order * 1_000_000 + last).collect::<Vec<_>>());
}
