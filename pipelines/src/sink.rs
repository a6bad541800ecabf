//! Predictions into Elasticsearch: one document for each symbol and candle, so that writing one again changes nothing.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::Log;
use candlewick_connectors::avro::SchemaRegistry;
use candlewick_connectors::elasticsearch::{
    AvroDocuments, DocumentId, ElasticsearchConfig, ElasticsearchSink, SinkHandle, SinkState,
};
use serde_json::json;

use crate::error::CommandError;

/// The running sink of predictions.
pub struct PredictionSink(SinkHandle);

impl PredictionSink {
    /// Starts to write `topic` into the index of the same name.
    ///
    /// # Errors
    /// When the settings cannot be used. An Elasticsearch that is not there is waited for.
    pub fn start(
        url: &str,
        topic: &str,
        registry: &Arc<dyn SchemaRegistry>,
        log: &Arc<dyn Log>,
    ) -> Result<Self, CommandError> {
        let codec = Arc::new(AvroDocuments::new(Arc::clone(registry)));
        let mut config = ElasticsearchConfig::new(url, topic, topic, codec);
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
        Ok(Self(ElasticsearchSink::spawn(config, Arc::clone(log))?))
    }

    /// Flushes and ends it.
    ///
    /// # Errors
    /// What made it fail.
    pub fn stop(self, deadline: Duration) -> Result<(), CommandError> {
        Ok(self.0.stop(deadline).map(drop)?)
    }

    /// Lets it write everything that its topic holds, and ends it.
    ///
    /// # Errors
    /// When that takes too long, or what made it fail.
    pub fn finish(self, deadline: Duration) -> Result<(), CommandError> {
        Ok(self.0.finish(deadline).map(drop)?)
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.0.status().state, SinkState::Failed { .. })
    }
}
