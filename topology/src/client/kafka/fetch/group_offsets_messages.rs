//! The requests for a group's coordinator and for its offsets, in versions that brokers from 2.5 to 4.x answer (KIP-447:
//! offsets that are stable). Must not know when they are repeated.

use std::collections::BTreeMap;

use super::messages::{Api, BrokerAddress, Refusal};
use super::wire::{Malformed, Reader, Writer};
use crate::record::TopicPartition;

pub(super) const FIND_COORDINATOR: Api = Api::plain("FindCoordinator", 10, 2);
pub(super) const OFFSET_FETCH: Api = Api::compact("OffsetFetch", 9, 7);

/// What has a coordinator, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinated<'a> {
    /// A group.
    Group(&'a str),
    /// A transactional id.
    Transactions(&'a str),
}

/// What is committed for a partition; a negative offset is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) metadata: &'a str,
    pub(super) refusal: Option<Refusal>,
}

pub(super) fn write_coordinator(writer: &mut Writer, of: Coordinated<'_>) {
    let (name, kind) = match of {
        Coordinated::Group(name) => (name, 0),
        Coordinated::Transactions(name) => (name, 1),
    };
    writer.text(name);
    writer.i8(kind);
}

pub(super) fn read_coordinator<'a>(
    reader: &mut Reader<'a>,
) -> Result<Result<BrokerAddress<'a>, Refusal>, Malformed> {
    reader.i32()?;
    let refusal = Refusal::read(reader)?;
    reader.text_or_null()?;
    let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
    Ok(refusal.map_or(Ok(BrokerAddress { id, host, port }), Err))
}

/// Without partitions all are asked for.
pub(super) fn write_offsets(
    writer: &mut Writer,
    group: &str,
    partitions: Option<&[TopicPartition]>,
    stable: bool,
) {
    writer.compact_text(group);
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions.into_iter().flatten() {
        topics.entry(&partition.topic).or_default().push(partition.partition.0);
    }
    match partitions {
        Some(_) => writer.compact_count(topics.len()),
        None => writer.compact_null(),
    }
    for (topic, numbers) in topics {
        writer.compact_text(topic);
        writer.compact_count(numbers.len());
        numbers.into_iter().for_each(|number| writer.i32(number));
        writer.no_tags();
    }
    writer.i8(i8::from(stable));
    writer.no_tags();
}

pub(super) fn read_offsets<'a>(
    reader: &mut Reader<'a>,
) -> Result<Result<Vec<Place<'a>>, Refusal>, Malformed> {
    reader.i32()?;
    let mut places = Vec::new();
    for _ in 0..reader.compact_count()? {
        let topic = reader.compact_text()?;
        for _ in 0..reader.compact_count()? {
            let (partition, offset, _epoch) = (reader.i32()?, reader.i64()?, reader.i32()?);
            let (metadata, refusal) = (reader.compact_text()?, Refusal::read(reader)?);
            reader.skip_tags()?;
            places.push(Place { topic, partition, offset, metadata, refusal });
        }
        reader.skip_tags()?;
    }
    let refusal = Refusal::read(reader)?;
    Ok(refusal.map_or(Ok(places), Err))
}
