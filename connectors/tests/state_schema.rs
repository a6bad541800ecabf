//! The values of a store carry the id of their schema: what one version of an application wrote, the next one reads by
//! Avro's rules, from its disk and from its changelog alike.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    Consumed, Context, Guarantee, Headers, I64Serde, KafkaStreams, KeyValueStore, Partition, PlanAction,
    ProcessError, Processor, Produced, Record, StoreHandle, Stores, StreamsBuilder, StreamsConfig,
    StreamsError, StringSerde, Timestamp, TopicPartition, Topology,
};
use candlewick_connectors::avro::{
    AvroError, AvroFields, AvroRecord, AvroSerde, MemoryRegistry, SchemaRegistry, put_long, put_text,
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// What a sum has that was written before there were counts.
const UNCOUNTED: i64 = 1_000;

/// What can be summed up, in three versions.
trait Sum: AvroRecord + Clone {
    fn none() -> Self;
    fn add(&mut self, number: i64);
    fn told(&self) -> String;
}

#[derive(Clone)]
struct First {
    total: i64,
}

#[derive(Clone)]
struct Second {
    total: i64,
    count: i64,
}

/// It cannot be read from the others: a field without a default.
#[derive(Clone)]
struct Third {
    unit: String,
}

impl AvroRecord for First {
    fn schema() -> &'static str {
        r#"{"type":"record","name":"Sum","fields":[{"name":"total","type":"long"}]}"#
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_long(self.total, out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self { total: fields.long()? })
    }
}

impl AvroRecord for Second {
    fn schema() -> &'static str {
        r#"{"type":"record","name":"Sum","fields":[
            {"name":"total","type":"long"}, {"name":"count","type":"long","default":1000}]}"#
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_long(self.total, out);
        put_long(self.count, out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self { total: fields.long()?, count: fields.long()? })
    }
}

impl AvroRecord for Third {
    fn schema() -> &'static str {
        r#"{"type":"record","name":"Sum","fields":[{"name":"unit","type":"string"}]}"#
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_text(&self.unit, out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self { unit: fields.text()?.to_string() })
    }
}

impl Sum for First {
    fn none() -> Self {
        Self { total: 0 }
    }

    fn add(&mut self, number: i64) {
        self.total += number;
    }

    fn told(&self) -> String {
        self.total.to_string()
    }
}

impl Sum for Second {
    fn none() -> Self {
        Self { total: 0, count: 0 }
    }

    fn add(&mut self, number: i64) {
        self.total += number;
        self.count += 1;
    }

    fn told(&self) -> String {
        format!("{} of {}", self.total, self.count)
    }
}

impl Sum for Third {
    fn none() -> Self {
        Self { unit: String::new() }
    }

    fn add(&mut self, _: i64) {}

    fn told(&self) -> String {
        self.unit.clone()
    }
}

struct Summing<S>(StoreHandle<KeyValueStore<String, S>>);

impl<S: Sum> Processor<String, i64, String, String> for Summing<S> {
    fn process(
        &mut self,
        record: Record<String, i64>,
        cx: &mut Context<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let store = cx.store(self.0);
        let mut sum = store.get(&record.key)?.map_or_else(S::none, |entry| entry.value.clone());
        sum.add(record.value);
        let told = sum.told();
        store.put(record.key.clone(), sum, record.timestamp)?;
        cx.forward(record.with_value(told))
    }
}

fn version<S: Sum>(registry: &Arc<dyn SchemaRegistry>) -> Topology {
    let builder = StreamsBuilder::new();
    let serde = AvroSerde::<S>::new(Arc::clone(registry)).expect("a schema");
    builder.add_store(Stores::key_value::<String, S>("sums", StringSerde, serde));
    let numbers = builder.stream("numbers", Consumed::with(StringSerde, I64Serde));
    let sums = numbers.process::<String, String, _>(&["sums"], |stores| Summing::<S>(stores.get("sums")));
    sums.to("told", Produced::default());
    builder.build().expect("valid")
}

fn write(log: &Arc<EmbeddedLog>, numbers: &[(&str, i64)]) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("producer");
    let topic = producer.topic("numbers").expect("topic");
    for (key, number) in numbers {
        producer
            .send(OutgoingRecord {
                topic,
                partition: Partition(0),
                key: Some(key.as_bytes()),
                value: Some(&number.to_be_bytes()),
                headers: &Headers::default(),
                timestamp: Timestamp(1),
            })
            .expect("sent");
    }
    producer.flush(TIMEOUT).expect("flushed");
}

/// What was told of each key last, once `count` records were told.
fn told(log: &Arc<EmbeddedLog>, count: usize) -> BTreeMap<String, String> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new("told", 0), StartAt::Beginning)]).expect("assigned");
    let (mut found, mut newest, mut batch) = (0, BTreeMap::new(), PolledBatch::default());
    let deadline = Instant::now() + TIMEOUT;
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    while found < count {
        assert!(Instant::now() < deadline, "{found} of {count} told");
        consumer.poll(100, Duration::from_millis(20), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            newest.insert(text(record.key), text(record.value));
            found += 1;
        }
    }
    newest
}

fn streams(log: &Arc<EmbeddedLog>, config: &StreamsConfig, topology: Topology) -> KafkaStreams {
    KafkaStreams::new(topology, config.clone(), Arc::clone(log) as Arc<dyn Log>)
}

#[test]
fn state_from_before_a_field_was_added_is_read_with_its_default() {
    for keeps_disk in [true, false] {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str| NewTopic {
            name: name.into(),
            partitions: 1,
            replication: 1,
            config: BTreeMap::default(),
        };
        log.admin().expect("admin").create(&[topic("numbers"), topic("told")], TIMEOUT).expect("created");
        let registry: Arc<dyn SchemaRegistry> = Arc::new(MemoryRegistry::new());
        let disk = tempfile::tempdir().expect("a folder");
        let config = StreamsConfig {
            guarantee: Guarantee::ExactlyOnce,
            commit_interval_ms: Some(20),
            state_dir: Some(disk.path().to_owned()),
            ..StreamsConfig::new("sums")
        };
        let before = [("a", 1), ("b", 10), ("a", 2)];
        write(&log, &before);
        let running = streams(&log, &config, version::<First>(&registry)).start().expect("started");
        let expected = BTreeMap::from([("a".to_owned(), "3".to_owned()), ("b".to_owned(), "10".to_owned())]);
        assert_eq!(told(&log, before.len()), expected);
        running.stop(TIMEOUT).expect("stopped");
        if !keeps_disk {
            std::fs::remove_dir_all(disk.path().join("sums")).expect("removed");
        }

        let plan = streams(&log, &config, version::<Second>(&registry)).plan().expect("planned");
        let migrated: Vec<_> = plan.with_action(PlanAction::Migrate).collect();
        assert_eq!(migrated.len(), 1, "{plan}");
        assert_eq!(migrated[0].subject, "store sums");
        let after = [("a", 4), ("c", 5), ("a", 8)];
        write(&log, &after);
        let running = streams(&log, &config, version::<Second>(&registry)).start().expect("started");
        let newest = told(&log, before.len() + after.len());
        running.stop(TIMEOUT).expect("stopped");
        let expected = [
            ("a".to_owned(), format!("{} of {}", 1 + 2 + 4 + 8, UNCOUNTED + 2)),
            ("b".to_owned(), "10".to_owned()),
            ("c".to_owned(), "5 of 1".to_owned()),
        ];
        assert_eq!(newest, BTreeMap::from(expected), "with its disk: {keeps_disk}");

        let refused = streams(&log, &config, version::<Third>(&registry)).start().err().expect("refused");
        assert!(matches!(refused, StreamsError::Incompatible { .. }), "{refused}");
        assert!(refused.to_string().contains("the data have no field unit"), "{refused}");
    }
}
