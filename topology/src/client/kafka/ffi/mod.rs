//! The calls into librdkafka that rdkafka's safe surface lacks or makes dear: batch consumption, production by topic
//! handle, group metadata that can be read, and three administrative requests. The only unsafe code of this room; every
//! type here frees what it owns, and nothing unsafe is needed to use it.
#![allow(unsafe_code)]

mod admin;
mod client;
mod consume;
mod member;
mod produce;

pub(super) use admin::{
    AsHandle, OffsetSpec, describe_members, drain_main_queue, group_offsets, list_offsets,
};
pub(super) use client::{Client, NativeError};
pub(super) use consume::{FetchQueue, Fetched};
pub(super) use member::{MemberSnapshot, pending};
pub(super) use produce::ProducerClient;
