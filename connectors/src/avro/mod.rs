//! Avro with a schema registry: Confluent's wire format, reader and writer schemas, and a decoder without detours. Owns
//! schemas, registries and the serdes over them; must not know topologies or what happens to a value. Blocks only at the
//! first sight of a schema id or of a topic.

mod candle;
mod cursor;
mod datum;
mod error;
mod fields;
mod memory_registry;
mod once_table;
mod plan;
mod record;
mod registry;
mod registry_error;
mod resolve;
mod serde;
mod skip;
#[cfg(feature = "elasticsearch")]
mod to_json;
mod trade;
mod wire;

pub use candle::CandleRecord;
pub use datum::AvroDatum;
pub use error::AvroError;
pub use fields::AvroFields;
pub use memory_registry::MemoryRegistry;
pub use record::{AvroRecord, put_double, put_long, put_text};
pub use registry::{ConfluentRegistry, Credentials, RegistrySettings, SchemaRegistry};
pub use registry_error::RegistryError;
pub use serde::AvroSerde;
#[cfg(feature = "elasticsearch")]
pub(crate) use to_json::AvroToJson;
