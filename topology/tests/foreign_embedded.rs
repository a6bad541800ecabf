//! A foreign-key join on the embedded log: the tables have different numbers of partitions, so that every subscription and
//! every answer may cross tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Guarantee, Headers, KafkaStreams, Materialized, Partition, Produced, StreamsBuilder,
    StreamsConfig, TableJoined, Timestamp, TopicPartition, Topology, partition_for_key,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const PARTITIONS: [(&str, i32); 3] = [("orders", 3), ("clients", 2), ("joined", 1)];

/// Where a table has the row of a key, of so many partitions.
type Place = fn(&str, i32) -> Partition;

fn by_hash(key: &str, partitions: i32) -> Partition {
    partition_for_key(key.as_bytes(), partitions)
}

/// The other way round: nothing is where its hash would have it.
fn elsewhere(key: &str, partitions: i32) -> Partition {
    Partition(partitions - 1 - by_hash(key, partitions).0)
}

fn write(
    log: &Arc<EmbeddedLog>,
    (topic, partitions): (&str, i32),
    place: Place,
    rows: &[(String, Option<String>)],
) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (key, value) in rows {
        let record = OutgoingRecord {
            topic: handle,
            partition: place(key, partitions),
            key: Some(key.as_bytes()),
            value: value.as_deref().map(str::as_bytes),
            headers: &Headers::default(),
            timestamp: Timestamp(1),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// The table that a topic holds, once it is `expected` or time is up.
fn table(
    log: &Arc<EmbeddedLog>,
    topic: &str,
    expected: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new(topic, 0), StartAt::Beginning)]).expect("assigned");
    let deadline = Instant::now() + TIMEOUT;
    let (mut rows, mut batch) = (BTreeMap::new(), PolledBatch::default());
    while rows != *expected && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(20), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let key = text(record.key.expect("a table has keys"));
            match record.value {
                Some(value) => drop(rows.insert(key, text(value))),
                None => drop(rows.remove(&key)),
            }
        }
    }
    rows
}

fn orders_with_clients(clients: Place) -> Topology {
    let builder = StreamsBuilder::new();
    let table = |topic: &str| {
        let consumed = Consumed::<String, Option<String>>::default();
        builder.table(topic, consumed, Materialized::named(format!("{topic}-table")))
    };
    table("orders")
        .join_foreign(
            table("clients"),
            |_, order: &String| Some(order.clone()),
            |_, order, client| format!("{order}:{client}"),
            TableJoined::named("clients-of-orders")
                .foreign_partitioner(move |client: &String, count| clients(client, count)),
            Materialized::named("orders-with-clients"),
        )
        .to_stream()
        .to("joined", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn rows_find_foreign_rows_on_other_partitions_and_follow_their_changes_over_a_restart() {
    follow_changes(by_hash);
}

#[test]
fn rows_find_foreign_rows_where_a_partitioner_says_that_they_are() {
    follow_changes(elsewhere);
}

fn follow_changes(place: Place) {
    let log = EmbeddedLog::in_memory();
    let topics = PARTITIONS.map(|(name, partitions)| NewTopic {
        name: name.into(),
        partitions,
        replication: 1,
        config: BTreeMap::default(),
    });
    log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
    let client = |n: usize| format!("c{}", n % 7);
    let orders: Vec<_> = (0..60).map(|n| (format!("o{n}"), Some(client(n)))).collect();
    write(&log, ("orders", 3), by_hash, &orders);
    let mut names: BTreeMap<String, String> = (0..7).map(|n| (client(n), format!("name{n}"))).collect();
    let mut owners: BTreeMap<String, String> =
        orders.into_iter().filter_map(|(order, client)| Some((order, client?))).collect();
    let rows = |names: &BTreeMap<String, String>| -> Vec<_> {
        names.iter().map(|(key, name)| (key.clone(), Some(name.clone()))).collect()
    };
    write(&log, ("clients", 2), place, &rows(&names));
    for round in 0..2 {
        let config = StreamsConfig {
            guarantee: Guarantee::ExactlyOnce,
            threads: 2,
            commit_interval_ms: Some(20),
            ..StreamsConfig::new("foreign")
        };
        let running = KafkaStreams::new(orders_with_clients(place), config, Arc::clone(&log) as Arc<dyn Log>);
        let running = running.start().expect("started");
        let expected = |owners: &BTreeMap<String, String>, names: &BTreeMap<String, String>| {
            let joined = owners.iter().filter_map(|(order, client)| {
                Some((order.clone(), format!("{client}:{}", names.get(client)?)))
            });
            joined.collect::<BTreeMap<_, _>>()
        };
        let before = expected(&owners, &names);
        assert_eq!(table(&log, "joined", &before), before, "round {round}: all orders have their client");
        // A client is renamed, one goes, an order changes hands, one goes.
        names.insert(client(1), format!("renamed{round}"));
        names.remove(&client(2 + round));
        let gone = [(client(2 + round), None)];
        write(&log, ("clients", 2), place, &[rows(&names), gone.to_vec()].concat());
        let (moved, deleted) = (format!("o{}", 10 + round), format!("o{}", 20 + round));
        owners.insert(moved.clone(), client(6));
        owners.remove(&deleted);
        write(&log, ("orders", 3), by_hash, &[(moved, Some(client(6))), (deleted, None)]);
        let after = expected(&owners, &names);
        assert_eq!(table(&log, "joined", &after), after, "round {round}: changes of both sides are followed");
        running.stop(TIMEOUT).expect("stopped");
    }
}
