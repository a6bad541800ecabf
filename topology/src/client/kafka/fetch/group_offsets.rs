//! What a group has committed, asked of its coordinator, wherever that is by then. Must not know why somebody asks.

use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::dialogue::Dialogue;
use super::group_offsets_messages::{
    Coordinated, FIND_COORDINATOR, OFFSET_FETCH, Place, read_coordinator, read_offsets, write_coordinator,
    write_offsets,
};
use super::messages::Refusal;
use super::wire::Reader;
use crate::client::error::ClientError;
use crate::client::traits::CommittedOffset;
use crate::record::TopicPartition;

const OPERATION: &str = "reading a group's offsets";
/// Between two questions, while coordinators move or transactions end.
const AGAIN: Duration = Duration::from_millis(20);

/// The offsets of these partitions, or of all; none of partitions without one. `stable`: once no open transaction can
/// change them.
pub(in super::super) fn group_offsets(
    settings: &KafkaSettings,
    group: &str,
    partitions: Option<&[TopicPartition]>,
    stable: bool,
    timeout: Duration,
) -> Result<Vec<(TopicPartition, CommittedOffset)>, ClientError> {
    if partitions.is_some_and(<[TopicPartition]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut brokers = Dialogue::new(settings, OPERATION, timeout)?;
    let found = ask_coordinator(&mut brokers, Coordinated::Group(group), |brokers, id| {
        let frame =
            brokers.ask(Some(id), OFFSET_FETCH, |writer| write_offsets(writer, group, partitions, stable))?;
        let places = read_offsets(&mut Reader::new(&frame, "the group's offsets"));
        Ok(places.map_err(|error| brokers.malformed(error))?.and_then(committed))
    })?;
    match found {
        Ok(offsets) => Ok(offsets),
        Err(Refusal::GROUP_NOT_FOUND) => Ok(Vec::new()),
        Err(refusal) => Err(refusal.error(OPERATION, group, brokers.cluster.who())),
    }
}

type Offsets = Vec<(TopicPartition, CommittedOffset)>;

/// The places that have an offset; a refused one refuses all.
fn committed(places: Vec<Place<'_>>) -> Result<Offsets, Refusal> {
    let mut offsets = Vec::with_capacity(places.len());
    for Place { topic, partition, offset, metadata, refusal } in places {
        match refusal {
            Some(refusal) if refusal.is_missing() => {}
            Some(refusal) => return Err(refusal),
            None if offset < 0 => {}
            None => {
                let committed = CommittedOffset { offset, metadata: metadata.to_owned() };
                offsets.push((TopicPartition::new(topic, partition), committed));
            }
        }
    }
    Ok(offsets)
}

/// Asks a coordinator, again and again while coordinators move or transactions end, as long as there is time.
pub(super) fn ask_coordinator<T>(
    brokers: &mut Dialogue,
    of: Coordinated<'_>,
    mut ask: impl FnMut(&mut Dialogue, i32) -> Result<Result<T, Refusal>, ClientError>,
) -> Result<Result<T, Refusal>, ClientError> {
    loop {
        let answer = match coordinator(brokers, of)? {
            Ok(id) => ask(brokers, id)?,
            Err(refusal) => Err(refusal),
        };
        match answer {
            Err(refusal) if refusal.is_passing() && !brokers.left().is_zero() => {
                std::thread::sleep(AGAIN.min(brokers.left()));
            }
            answer => return Ok(answer),
        }
    }
}

/// The broker that is the coordinator now.
fn coordinator(brokers: &mut Dialogue, of: Coordinated<'_>) -> Result<Result<i32, Refusal>, ClientError> {
    let frame = brokers.ask(None, FIND_COORDINATOR, |writer| write_coordinator(writer, of))?;
    let found = read_coordinator(&mut Reader::new(&frame, "a coordinator"));
    Ok(found.map_err(|error| brokers.malformed(error))?.map(|coordinator| {
        let id = coordinator.id;
        brokers.cluster.learn(&[coordinator]);
        id
    }))
}
