//! Stores that a processor fills, on Apache Kafka: a global one, and a read-only one whose topic is its changelog, are whole
//! before the first record is processed, after every start.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt};
use candlewick::{
    Consumed, Context, GlobalHandle, Guarantee, Headers, I64Serde, KafkaStreams, KeyValueStore, ProcessError,
    Processor, Produced, Record, StoreHandle, Stores, StreamsBuilder, StreamsConfig, StringSerde, Timestamp,
    TopicPartition, Topology, partition_for_key,
};
use candlewick_tests::{require, servers};

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

type Numbers = KeyValueStore<String, i64>;

/// Sums up what comes for each key, or keeps the last of it.
struct Fill {
    store: StoreHandle<Numbers>,
    sums: bool,
}

impl Processor<String, i64, (), ()> for Fill {
    fn process(
        &mut self,
        record: Record<String, i64>,
        cx: &mut Context<'_, (), ()>,
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, .. } = record;
        let store = cx.store(self.store);
        let before = store.get(&key)?.map_or(0, |entry| entry.value);
        Ok(store.put(key, if self.sums { before + value } else { value }, timestamp)?)
    }
}

/// Answers each key with its sum and its last number.
struct Ask {
    sums: GlobalHandle<String, i64>,
    last: StoreHandle<Numbers>,
}

impl Processor<String, i64, String, String> for Ask {
    fn process(
        &mut self,
        asked: Record<String, i64>,
        cx: &mut Context<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let sum = cx.global(&self.sums).get(&asked.key)?.map_or(0, |entry| entry.value);
        let last = cx.store(self.last).get(&asked.key)?.map_or(0, |entry| entry.value);
        cx.forward(asked.with_value(format!("{sum} {last}")))
    }
}

/// The names of the topics of one run.
struct Names {
    added: String,
    kept: String,
    asked: String,
    answers: String,
}

fn topology(names: &Names) -> Topology {
    let builder = StreamsBuilder::new();
    let store = |name| Stores::key_value::<String, i64>(name, StringSerde, I64Serde).in_memory();
    builder.global_store(&names.added, Consumed::default(), store("sums"), |stores| Fill {
        store: stores.get("sums"),
        sums: true,
    });
    builder.read_only_store(&names.kept, Consumed::default(), store("last"), |stores| Fill {
        store: stores.get("last"),
        sums: false,
    });
    builder
        .stream(&names.asked, Consumed::<String, i64>::default())
        .process::<String, String, _>(&["last"], |stores| Ask {
            sums: stores.global("sums"),
            last: stores.get("last"),
        })
        .to(&names.answers, Produced::default());
    builder.build().expect("valid")
}

fn write(log: &Arc<dyn Log>, topic: &str, rows: &[(String, i64)], time: i64) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let handle = producer.topic(topic).expect("topic");
    for (key, number) in rows {
        let record = OutgoingRecord {
            topic: handle,
            partition: partition_for_key(key.as_bytes(), PARTITIONS),
            key: Some(key.as_bytes()),
            value: Some(&number.to_be_bytes()),
            headers: &Headers::default(),
            timestamp: Timestamp(time),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(PATIENCE).expect("flushed");
}

/// The answers behind the first `from`, once there are `count` of them, by key.
fn answers(log: &Arc<dyn Log>, topic: &str, from: usize, count: usize) -> BTreeMap<String, String> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new(topic, 0), StartAt::Beginning)]).expect("assigned");
    let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + PATIENCE);
    while found.len() < from + count && Instant::now() < deadline {
        consumer.poll(1_000, Duration::from_millis(50), &mut batch).expect("polled");
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let records = batch.runs.iter().flat_map(|run| run.iter());
        found.extend(records.map(|record| (text(record.key), text(record.value))));
    }
    found.into_iter().skip(from).collect()
}

#[test]
fn both_kinds_of_store_are_whole_before_the_first_record_after_every_start() {
    let kafka = require!(servers::kafka());
    let client = KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "filled-stores"));
    let log: Arc<dyn Log> = Arc::new(client.expect("connected"));
    // Kafka deletes what is older than a week.
    let start = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let start = i64::try_from(start).expect("this millennium");
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let application = format!("filled{}-{guarantee:?}", std::process::id()).to_lowercase();
        let name = |name: &str| format!("{application}.{name}");
        let names = Names {
            added: name("added"),
            kept: name("kept"),
            asked: name("asked"),
            answers: name("answers"),
        };
        let topic = |name: &str, partitions| {
            let config = BTreeMap::default();
            NewTopic { name: name.to_owned(), partitions, replication: 1, config }
        };
        let topics = [(&names.added, PARTITIONS), (&names.kept, PARTITIONS), (&names.asked, PARTITIONS)];
        let mut topics: Vec<NewTopic> =
            topics.iter().map(|(name, partitions)| topic(name, *partitions)).collect();
        topics.push(topic(&names.answers, 1));
        log.admin().expect("admin").create(&topics, PATIENCE).expect("created");
        let (mut expected, mut told) = (BTreeMap::<String, (i64, i64)>::new(), 0);
        for round in 0..3 {
            let rows: Vec<(String, i64)> =
                (0..200).map(|n| (format!("k{}", n % 17), n * 3 + round)).collect();
            write(&log, &names.added, &rows, start + round * 10);
            write(&log, &names.kept, &rows, start + round * 10);
            for (key, number) in rows {
                let (sum, last) = expected.entry(key).or_default();
                (*sum, *last) = (*sum + number, number);
            }
            let asked: Vec<(String, i64)> = expected.keys().map(|key| (key.clone(), 0)).collect();
            write(&log, &names.asked, &asked, start + round * 10 + 5);
            let config =
                StreamsConfig { guarantee, commit_interval_ms: Some(50), ..StreamsConfig::new(&application) };
            let streams = KafkaStreams::new(topology(&names), config, Arc::clone(&log));
            let running = streams.start().expect("started");
            let wanted: BTreeMap<String, String> =
                expected.iter().map(|(key, (sum, last))| (key.clone(), format!("{sum} {last}"))).collect();
            let found = answers(&log, &names.answers, told, wanted.len());
            assert_eq!(found, wanted, "round {round}: {:?}", running.handle().error());
            told += wanted.len();
            running.stop(PATIENCE).expect("stopped");
        }
        let topics = log.admin().expect("admin").topics(PATIENCE).expect("listed");
        let own = |topic: &&String| topic.starts_with(&application) && topic.ends_with("-changelog");
        assert_eq!(topics.iter().find(own), None);
    }
}
