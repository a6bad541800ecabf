//! What a group has committed, asked of its coordinator, wherever that is by then. Must not know why somebody asks.

use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::dialogue::Dialogue;
use super::group_offsets_messages::{
    FIND_COORDINATOR, OFFSET_FETCH, Place, read_coordinator, read_offsets, write_coordinator, write_offsets,
};
use super::messages::Refusal;
use super::wire::{Malformed, Reader};
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
    loop {
        let refusal = match once(&mut brokers, group, partitions, stable)? {
            Ok(offsets) => return Ok(offsets),
            Err(refusal) => refusal,
        };
        if refusal == Refusal::GROUP_NOT_FOUND {
            return Ok(Vec::new());
        }
        if !refusal.is_passing() {
            return Err(refusal.error(OPERATION, group));
        }
        if brokers.left().is_zero() {
            return Err(refusal.error(OPERATION, group));
        }
        std::thread::sleep(AGAIN.min(brokers.left()));
    }
}

type Offsets = Vec<(TopicPartition, CommittedOffset)>;

/// One question to whoever coordinates the group now.
fn once(
    brokers: &mut Dialogue,
    group: &str,
    partitions: Option<&[TopicPartition]>,
    stable: bool,
) -> Result<Result<Offsets, Refusal>, ClientError> {
    let id = match coordinator(brokers, group)? {
        Ok(id) => id,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let frame =
        brokers.ask(Some(id), OFFSET_FETCH, |writer| write_offsets(writer, group, partitions, stable))?;
    let places = read_offsets(&mut Reader::new(&frame, "the group's offsets")).map_err(malformed)?;
    let places = match places {
        Ok(places) => places,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut offsets = Vec::with_capacity(places.len());
    for Place { topic, partition, offset, metadata, refusal } in places {
        match refusal {
            Some(refusal) if refusal.is_missing() => {}
            Some(refusal) => return Ok(Err(refusal)),
            None if offset < 0 => {}
            None => {
                let committed = CommittedOffset { offset, metadata: metadata.to_owned() };
                offsets.push((TopicPartition::new(topic, partition), committed));
            }
        }
    }
    Ok(Ok(offsets))
}

/// The broker that coordinates a group now.
pub(super) fn coordinator(brokers: &mut Dialogue, group: &str) -> Result<Result<i32, Refusal>, ClientError> {
    let frame = brokers.ask(None, FIND_COORDINATOR, |writer| write_coordinator(writer, group))?;
    let found = read_coordinator(&mut Reader::new(&frame, "the group's coordinator")).map_err(malformed)?;
    Ok(found.map(|coordinator| {
        let id = coordinator.id;
        brokers.cluster.learn(&[coordinator]);
        id
    }))
}

fn malformed(error: Malformed) -> ClientError {
    ClientError::Fatal { operation: OPERATION, reason: error.to_string() }
}
