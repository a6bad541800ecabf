//! The Elasticsearch sink: one topic in, one index out. Owns documents, ids, the bulk requests and what follows from
//! each answer; must not know what the documents mean. The asynchronous runtime lives on the sink's own thread.

mod bulk;
mod client;
mod codec;
mod config;
mod dead_letter;
mod delivery;
mod error;
mod positions;
mod pump;
mod refused;
mod sink;
mod status;

#[cfg(feature = "avro")]
pub use codec::AvroDocuments;
pub use codec::{DocumentCodec, DocumentError, JsonDocuments};
pub use config::{DocumentId, ElasticsearchConfig, IdFunction, Login};
pub use error::ElasticsearchError;
pub use refused::RefusedRecords;
pub use sink::{ElasticsearchSink, SinkHandle};
pub use status::{SinkState, SinkStatus};
