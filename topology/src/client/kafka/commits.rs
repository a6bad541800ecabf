//! A group's committed offsets as a consumer reads and writes them. Must not know how records are fetched.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::admin::KafkaAdmin;
use super::consumer::{c_name, offsets_list};
use super::errors::unknown_topic;
use super::fetch::group_offsets;
use super::ffi::{self, AsHandle, NativeError};
use super::group::Membership;
use super::signals::SignalContext;
use crate::client::error::ClientError;
use crate::client::traits::{CommittedOffset, GroupMetadata};
use crate::record::TopicPartition;
use crate::time::{Clock, SystemClock};

/// The offsets of these partitions, once no open transaction can change them, asked by a consumer's client: librdkafka
/// dies of some answers to others.
pub(super) fn committed(
    client: &impl AsHandle,
    group: &CString,
    partitions: &[TopicPartition],
    timeout: Duration,
) -> Result<Vec<Option<CommittedOffset>>, NativeError> {
    if partitions.is_empty() {
        // librdkafka refuses to ask for nothing.
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition.0);
    }
    let clock = SystemClock::default();
    let until = clock.monotonic() + timeout;
    loop {
        let left = until.saturating_sub(clock.monotonic());
        match ffi::group_offsets(client, group, Some(&list), true, left) {
            Ok(found) => {
                let mut found: BTreeMap<_, _> = found.into_iter().collect();
                return Ok(partitions.iter().map(|partition| found.remove(partition)).collect());
            }
            // A transaction that carries offsets is open: its end decides.
            Err(error) if error.code == Code::UnstableOffsetCommit && !left.is_zero() => {
                std::thread::sleep(Duration::from_millis(20).min(left));
            }
            Err(error) if unknown_topic(error.code) => return Ok(partitions.iter().map(|_| None).collect()),
            Err(error) => return Err(error),
        }
    }
}

/// Commits in the member's name, or by `as_outsider` where the group has no members.
pub(super) fn commit(
    offsets: &[(TopicPartition, CommittedOffset)],
    member: &GroupMetadata,
    as_outsider: impl FnOnce(&TopicPartitionList) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let list = offsets_list(offsets);
    if Membership::is_outsider(member) {
        return as_outsider(&list);
    }
    let membership = Membership::of(member).map_err(|reason| ClientError::NotCurrent { reason })?;
    membership.commit(&list)
}

/// A group's offsets, read over plain connections of our own; commits go through the member, or through a client of
/// this group's own where there is none.
pub(super) struct GroupOffsets {
    admin: KafkaAdmin,
    group: String,
    outsider: Option<BaseConsumer<SignalContext>>,
}

impl GroupOffsets {
    pub(super) fn new(admin: KafkaAdmin, group: &str) -> Result<Self, ClientError> {
        c_name("making a consumer", group)?;
        Ok(Self { admin, group: group.to_owned(), outsider: None })
    }

    pub(super) fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        let found = group_offsets(self.admin.settings(), &self.group, Some(partitions), true, timeout)?;
        let mut found: BTreeMap<_, _> = found.into_iter().collect();
        Ok(partitions.iter().map(|partition| found.remove(partition)).collect())
    }

    pub(super) fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        let operation = "committing offsets";
        let Self { admin, group, outsider, .. } = self;
        commit(offsets, member, |list| {
            let client = match outsider {
                Some(client) => client,
                None => outsider.insert(admin.outsider(operation, group, None)?),
            };
            client.commit(list, CommitMode::Sync).map_err(|error| admin.rdkafka(operation, &error))
        })
    }
}
