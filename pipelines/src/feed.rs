//! What the live page shows: candles and predictions, read back from their topics by a plain consumer, as any other
//! reader of those topics would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use candlewick::client::{Consumer, Isolation, Log, PolledBatch, StartAt};
use candlewick::{Serde, TopicPartition};
use candlewick_connectors::avro::{AvroSerde, CandleRecord, SchemaRegistry};
use candlewick_server::{CandleEvent, Feed, PredictionEvent};

use crate::error::CommandError;
use crate::log::TIMEOUT;
use crate::market::{MarketTopics, PredictionRecord};

/// How many records of each partition's past the page begins with.
const HISTORY: i64 = 2_000;

/// The exchange name of simulated trades.
const SIMULATED: &str = "simulated";

/// The thread that fills the page's feed.
pub struct FeedReader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl FeedReader {
    /// Starts to read.
    ///
    /// # Errors
    /// When the topics cannot be read.
    pub fn start(
        log: &Arc<dyn Log>,
        registry: &Arc<dyn SchemaRegistry>,
        topics: &MarketTopics,
        feed: Arc<Feed>,
    ) -> Result<Self, CommandError> {
        let names = [topics.candles.as_str(), topics.predictions.as_str()];
        let mut admin = log.admin()?;
        let mut starts = Vec::new();
        for topic in admin.describe(&names, TIMEOUT)?.into_iter().flatten() {
            for partition in 0..topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), partition);
                let marks = admin.watermarks(&partition, TIMEOUT)?;
                starts.push((partition, StartAt::Offset(marks.low.max(marks.high - HISTORY))));
            }
        }
        let mut consumer = log.consumer("candlewick-page", Isolation::ReadCommitted)?;
        consumer.assign(&starts)?;
        let candles = AvroSerde::<CandleRecord>::new(Arc::clone(registry))?;
        let predictions = AvroSerde::<PredictionRecord>::new(Arc::clone(registry))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, topics) = (Arc::clone(&stop), topics.clone());
        let thread = std::thread::Builder::new()
            .name("page-feed".into())
            .spawn(move || read(&mut *consumer, &topics, &candles, &predictions, &feed, &stopped))
            .map_err(|source| CommandError::Io { path: "page feed thread".into(), source })?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::warn!("the thread that feeds the page panicked");
        }
    }
}

fn read(
    consumer: &mut dyn Consumer,
    topics: &MarketTopics,
    candles: &AvroSerde<CandleRecord>,
    predictions: &AvroSerde<PredictionRecord>,
    feed: &Feed,
    stop: &AtomicBool,
) {
    let mut batch = PolledBatch::default();
    let mut waits_for = None;
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = consumer.poll(500, Duration::from_millis(200), &mut batch) {
            // Said once: it may be so for hours.
            let reason = Some(error.to_string());
            if waits_for != reason {
                tracing::warn!(%error, "the page waits for the log");
                waits_for = reason;
            }
            std::thread::sleep(Duration::from_secs(1));
            continue;
        }
        for run in &batch.runs {
            let topic = &*run.source.topic;
            for value in run.iter().filter_map(|record| record.value) {
                if topic == topics.candles {
                    match candles.deserialize(topic, value) {
                        Ok(record) => feed.push(candle_event(&record)),
                        Err(error) => tracing::warn!(%error, topic, "a record cannot be shown"),
                    }
                } else {
                    match predictions.deserialize(topic, value) {
                        Ok(record) => feed.push(prediction_event(record)),
                        Err(error) => tracing::warn!(%error, topic, "a record cannot be shown"),
                    }
                }
            }
        }
    }
}

fn candle_event(record: &CandleRecord) -> CandleEvent {
    CandleEvent {
        symbol: record.symbol.as_str().to_owned(),
        interval: record.interval.to_string(),
        ts: record.start.as_millis(),
        open: record.open.to_f64(),
        high: record.high.to_f64(),
        low: record.low.to_f64(),
        close: record.close.to_f64(),
        volume: record.volume.to_f64(),
        trades: record.trades,
        simulated: record.exchange.as_str() == SIMULATED,
    }
}

fn prediction_event(record: PredictionRecord) -> PredictionEvent {
    PredictionEvent {
        symbol: record.symbol.as_str().to_owned(),
        interval: record.interval.to_string(),
        ts: record.start.as_millis(),
        horizon_ms: record.horizon_ms,
        close: record.close,
        low: record.low,
        mid: record.mid,
        high: record.high,
        model: record.model,
    }
}
