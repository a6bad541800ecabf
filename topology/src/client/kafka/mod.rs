//! Apache Kafka behind the traits of `client`, through librdkafka. Owns every name of a Kafka library in this house; all
//! its unsafe code lies in `ffi`. Must not know tasks, stores, processors or serdes.

mod admin;
mod commits;
mod consumer;
mod ending;
mod errors;
mod fetch;
mod ffi;
mod group;
mod log;
mod permission;
mod producer;
mod settings;
mod signals;

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub use fetch::fuzz;
pub use log::KafkaLog;
pub use settings::KafkaSettings;
