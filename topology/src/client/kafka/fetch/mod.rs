//! Reading from Kafka over plain connections of our own: the requests that a reader of assigned partitions needs, and
//! record batches walked where they lie. librdkafka makes an operation of every record and hands it between threads,
//! which costs several times what decoding does; here a response is read, unpacked and walked by the thread that wants
//! its records. What a group has committed is read so too: librdkafka's administrator dies of an answer that the group's
//! coordinator has moved. Connections are encrypted and logged in as librdkafka's properties say (`security`); what they ask
//! for beyond that is librdkafka's alone (`consumer`). Must not know groups, transactions of its own, tasks or stores.

mod batch;
mod cluster;
mod compression;
mod connection;
mod consumer;
mod dialogue;
mod exchange;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod group_offsets;
mod group_offsets_messages;
mod hanging;
mod hanging_messages;
mod left_open;
mod login;
mod members;
mod messages;
mod reach;
mod refusal;
#[cfg(feature = "kafka-tls")]
mod scram;
mod security;
mod settings;
mod slot;
mod stream;
#[cfg(feature = "kafka-tls")]
mod tls;
mod wire;

pub(super) use consumer::FetchConsumer;
pub(super) use group_offsets::group_offsets;
pub(super) use hanging::{end_hanging, end_hanging_offsets};
pub(super) use left_open::{end_left_open, has_ended};
pub(super) use members::remove_member;
pub(super) use reach::reach;
pub(super) use settings::FetchSettings;
