//! Predictions into Elasticsearch: one document for each symbol and candle, so that writing one again changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlewick::TopicPartition;
use candlewick::client::{CommittedOffset, Isolation, Log};
use candlewick_connectors::avro::SchemaRegistry;
use candlewick_connectors::elasticsearch::{
    AvroDocuments, DocumentId, ElasticsearchConfig, ElasticsearchSink, Login, RefusedRecords, SinkHandle,
    SinkState,
};
use serde_json::json;

use crate::error::CommandError;
use crate::log::TIMEOUT;

/// The running sink of predictions.
pub struct PredictionSink {
    handle: SinkHandle,
    log: Arc<dyn Log>,
    group: String,
    topic: String,
}

impl PredictionSink {
    /// Starts to write `topic` into the index of the same name.
    ///
    /// # Errors
    /// When the settings cannot be used. An Elasticsearch that is not there is waited for.
    pub fn start(
        url: &str,
        (login, refused): (Login, RefusedRecords),
        topic: &str,
        registry: &Arc<dyn SchemaRegistry>,
        log: &Arc<dyn Log>,
    ) -> Result<Self, CommandError> {
        let codec = Arc::new(AvroDocuments::new(Arc::clone(registry)));
        let mut config = ElasticsearchConfig::new(url, topic, topic, codec);
        (config.login, config.refused) = (login, refused);
        config.id = DocumentId::Fields(vec!["symbol".into(), "interval".into(), "ts".into()]);
        config.template = Some(json!({
            "index_patterns": [topic],
            "template": {
                "settings": { "number_of_shards": 1, "number_of_replicas": 0 },
                "mappings": { "properties": {
                    "symbol": { "type": "keyword" },
                    "exchange": { "type": "keyword" },
                    "interval": { "type": "keyword" },
                    "ts": { "type": "date", "format": "epoch_millis" },
                    "horizon_ms": { "type": "long" },
                    "close": { "type": "double" },
                    "low": { "type": "double" },
                    "mid": { "type": "double" },
                    "high": { "type": "double" },
                    "model": { "type": "keyword" }
                } }
            }
        }));
        let group = config.group.clone();
        let handle = ElasticsearchSink::spawn(config, Arc::clone(log))?;
        Ok(Self { handle, log: Arc::clone(log), group, topic: topic.to_owned() })
    }

    /// Waits until everything that stands in the topic now has been delivered and committed, by whichever instance, or
    /// until `stop`. An Elasticsearch that is away is waited for.
    ///
    /// # Errors
    /// When the topic cannot be asked, or the sink has failed.
    pub fn drain(&self, stop: &AtomicBool) -> Result<(), CommandError> {
        let mut admin = self.log.admin()?;
        let found = admin.describe(&[&self.topic], TIMEOUT)?.into_iter().flatten().next();
        let partitions = found.map_or(0, |topic| topic.partitions);
        let mut ends = Vec::new();
        for partition in (0..partitions).map(|partition| TopicPartition::new(self.topic.as_str(), partition))
        {
            let marks = admin.watermarks(&partition, TIMEOUT)?;
            if marks.stable > marks.low {
                ends.push((partition, marks.stable));
            }
        }
        let places: Vec<TopicPartition> = ends.iter().map(|(partition, _)| partition.clone()).collect();
        let mut consumer = self.log.consumer(&self.group, Isolation::ReadCommitted)?;
        while !stop.load(Ordering::Relaxed) && !self.has_failed() {
            let committed = consumer.committed(&places, TIMEOUT)?;
            let is_delivered = |((_, end), committed): (&(TopicPartition, i64), &Option<CommittedOffset>)| {
                committed.as_ref().is_some_and(|committed| committed.offset >= *end)
            };
            if ends.iter().zip(&committed).all(is_delivered) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.handle.status().state, SinkState::Failed { .. })
    }

    /// Flushes and ends it.
    ///
    /// # Errors
    /// What made it fail.
    pub fn stop(self, deadline: Duration) -> Result<(), CommandError> {
        Ok(self.handle.stop(deadline).map(drop)?)
    }
}
