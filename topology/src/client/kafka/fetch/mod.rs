//! Reading from Kafka over plain connections of our own: the requests that a reader of assigned partitions needs, and
//! record batches walked where they lie. librdkafka makes an operation of every record and hands it between threads,
//! which costs several times what decoding does; here a response is read, unpacked and walked by the thread that wants
//! its records. Speaks unencrypted connections only: the others are librdkafka's (`consumer`). Must not know groups,
//! transactions of its own, tasks or stores.

mod batch;
mod cluster;
mod compression;
mod connection;
mod consumer;
mod exchange;
mod hanging;
mod hanging_messages;
mod messages;
mod refusal;
mod settings;
mod slot;
mod wire;

pub(super) use consumer::FetchConsumer;
pub(super) use hanging::{end_hanging, end_hanging_offsets};
pub(super) use settings::FetchSettings;
