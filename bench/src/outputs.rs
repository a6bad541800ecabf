//! Reads what an application wrote and committed: when the first record came, how far its group is, and the sums over
//! all of it. Owns the reading; must not know who wrote.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{Admin, Consumer, Isolation, Log, PolledBatch, StartAt};
use candlewick::{Serde, TopicPartition};
use candlewick_connectors::avro::{AvroDatum, SchemaRegistry};
use serde::{Deserialize, Serialize};

use crate::error::BenchError;
use crate::totals::Totals;
use crate::workload::{Application, PARTITIONS};

const TIMEOUT: Duration = Duration::from_secs(30);
const GROUP: &str = "bench-reader";

fn partitions(topic: &str) -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)).collect()
}

fn reader(log: &dyn Log, topic: &str) -> Result<Box<dyn Consumer>, BenchError> {
    let mut consumer = log.consumer(GROUP, Isolation::ReadCommitted)?;
    let starts: Vec<_> =
        partitions(topic).into_iter().map(|partition| (partition, StartAt::Beginning)).collect();
    consumer.assign(&starts)?;
    Ok(consumer)
}

/// Waits for the first record of a topic.
pub(crate) struct FirstRecord {
    consumer: Box<dyn Consumer>,
    batch: PolledBatch,
    seen: Option<Instant>,
}

impl FirstRecord {
    pub(crate) fn of(log: &dyn Log, topic: &str) -> Result<Self, BenchError> {
        Ok(Self { consumer: reader(log, topic)?, batch: PolledBatch::default(), seen: None })
    }

    /// Waits at most `wait`; when the record was seen, now or before.
    pub(crate) fn poll(&mut self, wait: Duration) -> Result<Option<Instant>, BenchError> {
        if self.seen.is_none() {
            self.consumer.poll(1, wait, &mut self.batch)?;
            self.seen = (!self.batch.runs.is_empty()).then(Instant::now);
        } else {
            std::thread::sleep(wait);
        }
        Ok(self.seen)
    }
}

/// How far a group is in a topic.
pub(crate) struct Committed<'a> {
    admin: Box<dyn Admin>,
    group: &'a str,
    topic: &'a str,
}

impl<'a> Committed<'a> {
    pub(crate) fn of(log: &dyn Log, group: &'a str, topic: &'a str) -> Result<Self, BenchError> {
        Ok(Self { admin: log.admin()?, group, topic })
    }

    /// How many records of the topic the group has committed, over all partitions.
    pub(crate) fn records(&mut self) -> Result<i64, BenchError> {
        let offsets = self.admin.group_offsets(self.group, TIMEOUT)?;
        let of_topic = offsets.iter().filter(|(partition, _)| &*partition.topic == self.topic);
        Ok(of_topic.map(|(_, committed)| committed.offset).sum())
    }
}

/// Candles and notional records as both applications write them, by what they have in common.
#[derive(Debug, Serialize, Deserialize)]
struct Sums {
    #[serde(alias = "trades", alias = "count", alias = "trade_id")]
    integer: i64,
    #[serde(alias = "close", alias = "notional")]
    decimal: f64,
}

fn reading_schema(application: Application, by_jvm: bool) -> String {
    let (name, integer, decimal) = match (application, by_jvm) {
        (Application::Candles, false) => ("Indicators", "trades", "close"),
        (Application::Candles, true) => ("Indicator", "count", "close"),
        (Application::Notional, _) => ("Notional", "trade_id", "notional"),
    };
    format!(
        r#"{{"type":"record","name":"{name}","fields":[{{"name":"{integer}","type":"long"}},{{"name":"{decimal}","type":"double"}}]}}"#
    )
}

/// The sums over all committed records of a topic.
pub(crate) fn totals(
    log: &dyn Log,
    topic: &str,
    registry: Arc<dyn SchemaRegistry>,
    application: Application,
    by_jvm: bool,
) -> Result<Totals, BenchError> {
    let serde = AvroDatum::<Sums>::new(registry, &reading_schema(application, by_jvm))?;
    let mut admin = log.admin()?;
    let mut ends = Vec::new();
    for partition in partitions(topic) {
        let end = admin.watermarks(&partition, TIMEOUT)?.stable;
        ends.push((partition, end));
    }
    let mut consumer = reader(log, topic)?;
    let (mut totals, mut batch) = (Totals::default(), PolledBatch::default());
    let begin = Instant::now();
    let at_end = |consumer: &dyn Consumer| {
        ends.iter().all(|(partition, end)| *end == 0 || consumer.position(partition) >= Some(*end))
    };
    while !at_end(&*consumer) {
        consumer.poll(10_000, Duration::from_millis(100), &mut batch)?;
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            let sums = serde.deserialize(topic, record.value.unwrap_or_default())?;
            totals.add(sums.integer, sums.decimal);
        }
        if begin.elapsed() > Duration::from_secs(300) {
            let what = format!("reading {topic} to its end");
            return Err(BenchError::Late { what, limit: begin.elapsed(), log: String::new() });
        }
    }
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use candlewick::client::{EmbeddedLog, OutgoingRecord, ProducerSettings};
    use candlewick::{Headers, Partition, Timestamp};
    use candlewick_connectors::avro::{MemoryRegistry, put_double, put_long, put_text};

    use super::*;

    #[test]
    fn both_sides_records_are_summed_alike() {
        let log = EmbeddedLog::in_memory();
        crate::feed::create_topics(&*log, &["out"]).expect("made");
        let registry = Arc::new(MemoryRegistry::new());
        let schema = include_str!("../schemas/notional.avsc");
        let id = registry.register("out-value", schema).expect("registered");
        let mut producer = log.producer(&ProducerSettings::default()).expect("a producer");
        let topic = producer.topic("out").expect("there");
        for trade in 1..=5 {
            let mut bytes = vec![0];
            bytes.extend(id.to_be_bytes());
            put_long(trade, &mut bytes);
            put_text("A-USD", &mut bytes);
            put_long(0, &mut bytes);
            put_double(trade as f64 / 4.0, &mut bytes);
            let partition = Partition(i32::try_from(trade).expect("small") % PARTITIONS);
            let (key, headers) = (None, &Headers::default());
            let record = OutgoingRecord {
                topic,
                partition,
                key,
                value: Some(&bytes),
                headers,
                timestamp: Timestamp(0),
            };
            producer.send(record).expect("sent");
        }
        producer.flush(TIMEOUT).expect("written");
        let found = totals(&*log, "out", registry, Application::Notional, true).expect("read");
        assert_eq!(found, Totals { records: 5, integers: 15, ten_thousandths: 37_500 });
    }
}
