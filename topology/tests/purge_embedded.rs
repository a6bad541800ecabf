//! What was processed in a repartition topic is deleted from it, and nothing else is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    Consumed, Grouped, Guarantee, Headers, KafkaStreams, KeyValueStore, Keys, Materialized, Partition,
    StreamsBuilder, StreamsConfig, Timestamp, TopicPartition,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const RECORDS: i64 = 500;

fn write(log: &Arc<EmbeddedLog>) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let topic = producer.topic("in").expect("topic");
    for number in 0..RECORDS {
        let (headers, value) = (&Headers::default(), number.to_be_bytes());
        let (partition, timestamp) = (Partition(0), Timestamp(number));
        let record =
            OutgoingRecord { topic, partition, key: Some(b"k"), value: Some(&value), headers, timestamp };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

fn purged(guarantee: Guarantee) {
    let log = EmbeddedLog::in_memory();
    let input = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: BTreeMap::new() };
    log.admin().expect("admin").create(&[input], TIMEOUT).expect("created");
    let builder = StreamsBuilder::new();
    builder
        .stream("in", Consumed::<String, i64>::default())
        .group_by(|_, n| n % 7, Grouped::<i64, i64>::default().named("by-rest"))
        .count(Materialized::named("counts"));
    let config = StreamsConfig {
        guarantee,
        commit_interval_ms: Some(10),
        repartition_purge_interval_ms: 50,
        ..StreamsConfig::new("purge")
    };
    let streams =
        KafkaStreams::new(builder.build().expect("valid"), config, Arc::clone(&log) as Arc<dyn Log>);
    let running = streams.start().expect("started");
    let mut admin = log.admin().expect("admin");
    let mut marks = |topic: &str| admin.watermarks(&TopicPartition::new(topic, 0), TIMEOUT).expect("asked");
    let deadline = Instant::now() + TIMEOUT;
    for round in 1..=2 {
        write(&log);
        // A marker of a transaction behind the last record is all that may stay.
        while marks("purge-by-rest-repartition").high < round * RECORDS
            || marks("purge-by-rest-repartition").high - marks("purge-by-rest-repartition").low > 1
        {
            assert!(Instant::now() < deadline, "round {round}: {:?}", marks("purge-by-rest-repartition"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(marks("in").low, 0, "the user's own topics are left alone");
    assert_eq!(marks("purge-counts-changelog").low, 0, "and so are changelogs");
    let store = running.handle().store::<KeyValueStore<i64, i64>>("counts").expect("it is there");
    let counted = store.staleness_max(Duration::ZERO).range(Keys::all()).expect("read").rows;
    let expected: Vec<(i64, i64)> =
        (0..7).map(|rest| (rest, 2 * (0..RECORDS).filter(|n| n % 7 == rest).count() as i64)).collect();
    let counted: Vec<(i64, i64)> = counted.into_iter().map(|(key, entry)| (key, entry.value)).collect();
    assert_eq!(counted, expected);
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn repartition_topics_are_purged_at_least_once() {
    purged(Guarantee::AtLeastOnce);
}

#[test]
fn repartition_topics_are_purged_exactly_once() {
    purged(Guarantee::ExactlyOnce);
}
