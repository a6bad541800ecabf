//! The log, as the runtime sees it: synchronous, batch-wise traits of bytes. Owns the traits, their errors and the
//! engines behind them; the only room that may name a Kafka library. Must not know tasks, stores, processors or serdes,
//! and the traits must not show which engine stands behind them.

mod embedded;
mod error;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "sim")]
mod sim;
mod traits;

pub use embedded::{EmbeddedLog, EmbeddedSettings};
pub use error::{ClientError, ProducerError};
#[cfg(feature = "sim")]
pub use sim::{Call, Fate, Scheduler, Seen, SimLog};
pub use traits::{
    Admin, CommittedOffset, Consumer, ConsumerSettings, Group, GroupEvent, GroupMetadata, Isolation, Log,
    NewTopic, OutgoingRecord, PolledBatch, Producer, ProducerSettings, StartAt, TopicDescription,
    TopicHandle, Watermarks,
};
