//! Fills the topic of trades: at once, or at a rate that does not follow its reader. Owns the topics of a run; must not
//! know who reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{
    Log, NewTopic, OutgoingRecord, Producer, ProducerError, ProducerSettings, TopicHandle,
};
use candlewick::{Headers, partition_for_key};

use crate::error::BenchError;
use crate::trades::TradeGenerator;
use crate::workload::PARTITIONS;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes topics of four partitions whose records never expire: their time is recorded, not today's.
pub(crate) fn create_topics(log: &dyn Log, names: &[&str]) -> Result<(), BenchError> {
    let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    let topic = |name: &&str| NewTopic {
        name: (*name).to_owned(),
        partitions: PARTITIONS,
        replication: 1,
        config: config.clone(),
    };
    let topics: Vec<NewTopic> = names.iter().map(topic).collect();
    Ok(log.admin()?.create(&topics, TIMEOUT)?)
}

/// Deletes every topic of the bench whose name begins so.
pub(crate) fn delete_topics(log: &dyn Log, prefix: &str) -> Result<(), BenchError> {
    let mut admin = log.admin()?;
    let names = admin.topics(TIMEOUT)?;
    let ours: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.starts_with(prefix)).collect();
    Ok(admin.delete(&ours, TIMEOUT)?)
}

/// How many records each partition of a topic was given.
#[derive(Debug, Default)]
pub(crate) struct Written(pub(crate) [AtomicI64; PARTITIONS as usize]);

impl Written {
    pub(crate) fn total(&self) -> i64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Writes trades into a topic.
pub(crate) struct Feed {
    producer: Box<dyn Producer>,
    topic: TopicHandle,
    schema_id: u32,
    trades: TradeGenerator,
    headers: Headers,
    bytes: Vec<u8>,
    written: Arc<Written>,
}

impl Feed {
    pub(crate) fn new(
        log: &dyn Log,
        topic: &str,
        schema_id: u32,
        trades: TradeGenerator,
    ) -> Result<Self, BenchError> {
        let mut producer = log.producer(&ProducerSettings::default())?;
        let topic = producer.topic(topic)?;
        let (headers, bytes, written) = (Headers::default(), Vec::new(), Arc::default());
        Ok(Self { producer, topic, schema_id, trades, headers, bytes, written })
    }

    /// What was written so far, to look at while more is.
    pub(crate) fn written(&self) -> Arc<Written> {
        Arc::clone(&self.written)
    }

    /// Writes the next `records` trades and waits until they are there.
    pub(crate) fn write(&mut self, records: u64) -> Result<(), BenchError> {
        for number in 0..records {
            self.send_next()?;
            if number % 1_000 == 0 {
                self.producer.poll()?;
            }
        }
        Ok(self.producer.flush(TIMEOUT)?)
    }

    /// Writes the next `records` trades, `rate` a second, unless `stop` ends it before.
    pub(crate) fn write_paced(
        &mut self,
        records: u64,
        rate: u32,
        stop: &AtomicBool,
    ) -> Result<(), BenchError> {
        let begin = Instant::now();
        for number in 0..records {
            self.send_next()?;
            // A hundred wake-ups a second are enough to look even to a reader that polls less often.
            if number % u64::from(rate / 100).max(1) == 0 {
                self.producer.poll()?;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let due = begin + Duration::from_secs_f64(number as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        Ok(self.producer.flush(TIMEOUT)?)
    }

    fn send_next(&mut self) -> Result<(), BenchError> {
        let trade = self.trades.next_trade();
        self.trades.encode(&trade, self.schema_id, &mut self.bytes);
        let key = self.trades.name(trade.symbol).as_bytes();
        let partition = partition_for_key(key, PARTITIONS);
        loop {
            let sent = self.producer.send(OutgoingRecord {
                topic: self.topic,
                partition,
                key: Some(key),
                value: Some(&self.bytes),
                headers: &self.headers,
                timestamp: trade.time,
            });
            match sent {
                Err(ProducerError::QueueFull) => {
                    self.producer.poll()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                sent => {
                    sent?;
                    let at = usize::try_from(partition.0).expect("partitions count from 0");
                    self.written.0[at].fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
    }
}
