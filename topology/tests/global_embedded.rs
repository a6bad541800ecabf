//! Global tables on the embedded log: whole before the first record is processed, and read on beside the streams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Guarantee, Headers, Joined, KafkaStreams, Materialized, Partition, Produced, StreamsBuilder,
    StreamsConfig, Timestamp, TopicPartition, Topology,
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn write(log: &Arc<EmbeddedLog>, topic: &str, records: &[(i32, &str, &str)]) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (partition, key, value) in records {
        let record = OutgoingRecord {
            topic: handle,
            partition: Partition(*partition),
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: &Headers::default(),
            timestamp: Timestamp(1),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// The values of a topic, once there are `count` of them.
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

fn named_venues() -> Topology {
    let builder = StreamsBuilder::new();
    let venues = builder.global_table(
        "venues",
        Consumed::<String, Option<String>>::default(),
        Materialized::named("venues"),
    );
    builder
        .stream("trades", Consumed::<String, String>::default())
        .left_join_global(
            venues,
            |_, trade: &String| Some(trade.clone()),
            |_, trade, venue| format!("{trade}={}", venue.map_or("?", String::as_str)),
            Joined::default(),
        )
        .to("named", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn rows_of_all_partitions_are_there_before_the_first_record_and_later_ones_are_seen() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str, partitions| NewTopic {
            name: name.into(),
            partitions,
            replication: 1,
            config: BTreeMap::default(),
        };
        let topics = [topic("venues", 3), topic("trades", 1), topic("named", 1)];
        log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
        let rows: Vec<(i32, String)> = (0..300).map(|n| (n % 3, format!("v{n}"))).collect();
        let rows: Vec<(i32, &str, &str)> = rows.iter().map(|(p, key)| (*p, key.as_str(), "known")).collect();
        write(&log, "venues", &rows);
        let trades: Vec<(i32, &str, &str)> = rows.iter().map(|(_, key, _)| (0, "t", *key)).collect();
        write(&log, "trades", &trades);
        let config =
            StreamsConfig { guarantee, commit_interval_ms: Some(20), ..StreamsConfig::new("global") };
        let running = KafkaStreams::new(named_venues(), config, Arc::clone(&log) as Arc<dyn Log>);
        let running = running.start().expect("started");
        let expected: Vec<String> = rows.iter().map(|(_, key, _)| format!("{key}=known")).collect();
        assert_eq!(values(&log, "named", expected.len()), expected, "each row was there");
        write(&log, "venues", &[(1, "late", "seen")]);
        let deadline = Instant::now() + TIMEOUT;
        let mut count = expected.len();
        let last = loop {
            write(&log, "trades", &[(0, "t", "late")]);
            count += 1;
            let last = values(&log, "named", count).pop().expect("a result for each trade");
            if last == "late=seen" || Instant::now() > deadline {
                break last;
            }
        };
        assert_eq!(last, "late=seen", "rows are read on beside the streams");
        running.stop(TIMEOUT).expect("stopped");
    }
}
