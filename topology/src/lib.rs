//! # candlewick
//!
//! Stream processing with the semantics of Kafka Streams: a topology of stateful operators, declared in Rust, that runs
//! unmodified on Apache Kafka, on an embedded log, and in a test driver.

pub mod client;
mod record;
mod serde;
#[allow(dead_code, unused_imports, reason = "the plan and the runtime, which call this room, come next")]
mod state;
mod time;

pub use record::{
    Header, Headers, Partition, RawRecord, Record, RecordMetadata, RecordRun, TaskId, TopicPartition,
};
pub use serde::{
    BytesSerde, DefaultSerde, F64Serde, I32Serde, I64Serde, Json, Nullable, Serde, SerdeError, StringSerde,
    Utf8, VoidSerde,
};
pub use state::{
    BufferStats, Buffered, ChangeSerde, Dirty, DirtyWindow, Entry, KeyValueStore, StateFolder, StateReader,
    StateSnapshot, StoreBuilder, StoreError, StoreHandle, Stores, SuppressBuffer, WindowStore,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp, millis};
