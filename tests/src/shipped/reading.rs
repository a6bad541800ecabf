//! What the binary has written, read back by a plain consumer: the records of a topic, and its candles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{Isolation, Log, PolledBatch, StartAt};
use candlewick::{Headers, Serde, TopicPartition};
use candlewick_connectors::avro::{AvroSerde, CandleRecord, SchemaRegistry};

use super::recording::ExpectedCandle;

const PATIENCE: Duration = Duration::from_secs(60);

/// A record as it lies in a topic.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields carry the usual names")]
pub struct Found {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Headers,
}

impl Found {
    /// A header as text; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.last(name).and_then(|header| header.value.clone()).unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    }
}

/// All committed records of a topic up to its present end; none when it does not exist.
///
/// # Panics
/// When it cannot be read to its end.
#[must_use]
pub fn read(log: &dyn Log, topic: &str) -> Vec<Found> {
    let mut admin = log.admin().expect("admin");
    let described = admin.describe(&[topic], PATIENCE).expect("described");
    let partitions = described[0].as_ref().map_or(0, |topic| topic.partitions);
    let mut ends = BTreeMap::new();
    for partition in (0..partitions).map(|partition| TopicPartition::new(topic, partition)) {
        let marks = admin.watermarks(&partition, PATIENCE).expect("watermarks");
        ends.insert(partition, marks.stable);
    }
    let mut consumer = log.consumer("judge", Isolation::ReadCommitted).expect("consumer");
    let starts: Vec<_> = ends.keys().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
    consumer.assign(&starts).expect("assigned");
    let (mut found, mut batch, deadline) = (Vec::new(), PolledBatch::default(), Instant::now() + PATIENCE);
    while ends.iter().any(|(partition, end)| consumer.position(partition).unwrap_or(0) < *end) {
        assert!(Instant::now() < deadline, "{topic} can be read to its end");
        consumer.poll(5_000, Duration::from_millis(100), &mut batch).expect("polled");
        for run in &batch.runs {
            found.extend(run.iter().map(|record| Found {
                partition: run.source.partition.0,
                offset: record.offset,
                timestamp_ms: record.timestamp.as_millis(),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers.clone(),
            }));
        }
    }
    found
}

/// The candles of a topic by symbol and start, each as often as it is there.
///
/// # Panics
/// When a record is none.
#[must_use]
pub fn candles(
    log: &dyn Log,
    registry: &Arc<dyn SchemaRegistry>,
    topic: &str,
) -> BTreeMap<(String, i64), Vec<ExpectedCandle>> {
    let serde = AvroSerde::<CandleRecord>::new(Arc::clone(registry)).expect("a serde");
    let mut found = BTreeMap::<_, Vec<ExpectedCandle>>::new();
    for record in read(log, topic) {
        let c = serde.deserialize(topic, &record.value.expect("candles are not deleted")).expect("a candle");
        let place = (c.symbol.as_str().to_owned(), c.start.as_millis());
        found.entry(place).or_default().push(ExpectedCandle {
            open: c.open.to_string(),
            high: c.high.to_string(),
            low: c.low.to_string(),
            close: c.close.to_string(),
            volume: c.volume.to_string(),
            quote_volume: c.quote_volume.to_string(),
            trades: c.trades,
            taker_buy_volume: c.taker_buy_volume.to_string(),
        });
    }
    found
}
