//! Takes a member out of its group in its name: its process has ended without a word, and whoever comes after it need not
//! wait until the session is over (LeaveGroup, KIP-345). Must not know how it is known that the process has ended.

use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::dialogue::Dialogue;
use super::group_offsets::ask_coordinator;
use super::group_offsets_messages::Coordinated;
use super::messages::{Api, Refusal};
use super::wire::{Malformed, Reader, Writer};
use crate::client::error::ClientError;

const OPERATION: &str = "removing a member of a group";
const LEAVE_GROUP: Api = Api::plain("LeaveGroup", 13, 3);

/// Removes a member; one that is none is fine.
pub(in super::super) fn remove_member(
    settings: &KafkaSettings,
    group: &str,
    member: &str,
    timeout: Duration,
) -> Result<(), ClientError> {
    let mut brokers = Dialogue::new(settings, OPERATION, timeout)?;
    let answer = ask_coordinator(&mut brokers, Coordinated::Group(group), |brokers, id| {
        let frame = brokers.ask(Some(id), LEAVE_GROUP, |writer| write(writer, group, member))?;
        let refused = read(&mut Reader::new(&frame, "a member that leaves"));
        Ok(refused.map_err(|error| brokers.malformed(error))?.map_or(Ok(()), Err))
    })?;
    match answer {
        Ok(()) | Err(Refusal::UNKNOWN_MEMBER | Refusal::GROUP_NOT_FOUND) => Ok(()),
        Err(refusal) => Err(refusal.error(OPERATION, group, brokers.cluster.who())),
    }
}

fn write(writer: &mut Writer, group: &str, member: &str) {
    writer.text(group);
    writer.count(1);
    writer.text(member);
    writer.null_text();
}

/// Why the group or the member was refused.
fn read(reader: &mut Reader<'_>) -> Result<Option<Refusal>, Malformed> {
    reader.i32()?;
    let mut refused = Refusal::read(reader)?;
    for _ in 0..reader.count()? {
        reader.text()?;
        reader.text_or_null()?;
        refused = refused.or(Refusal::read(reader)?);
    }
    Ok(refused)
}
