//! # candlewick-connectors
//!
//! The outside world, to and from topics: a simulated exchange, recorded trades, Avro with a schema registry, and
//! Elasticsearch; and a bucket for what has to outlive a disk. A connector meets a topology only through a topic. Must not know indicators, models or pipelines.

#[cfg(feature = "avro")]
pub mod avro;
#[cfg(feature = "elasticsearch")]
pub mod elasticsearch;
mod error;
pub mod exchange;
mod replay;
mod retry;
#[cfg(feature = "object-store")]
pub mod snapshots;

pub use error::{Classified, Domain, Retry};
pub use exchange::read_time;
pub use replay::{Pace, Pacer, Replay, ReplayError, ReplayReport, ReplaySettings};
pub use retry::{Backoff, BackoffSettings};
