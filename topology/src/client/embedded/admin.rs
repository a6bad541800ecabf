//! The embedded log's administrator. Must not know files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::inner::Inner;
use super::journal::{OffsetEntry, StateRecord};
use super::waker::lock;
use crate::client::{Admin, ClientError, CommittedOffset, NewTopic, TopicDescription, Watermarks};
use crate::record::TopicPartition;
use crate::time::Timestamp;

/// An administrator of an embedded log.
pub(super) struct EmbeddedAdmin {
    inner: Arc<Inner>,
}

impl EmbeddedAdmin {
    /// An administrator of `inner`.
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    fn record(&self, operation: &'static str, records: Vec<StateRecord>) -> Result<(), ClientError> {
        let written = lock(&self.inner.coordination.state).journal.append(records);
        written.map_err(|source| ClientError::Io { operation, source })
    }
}

impl Admin for EmbeddedAdmin {
    fn describe(
        &mut self,
        topics: &[&str],
        _timeout: Duration,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        let describe = |name: &&str| {
            self.inner.topics.find(name).map(|topic| TopicDescription {
                name: topic.name.to_string(),
                partitions: i32::try_from(topic.partitions.len()).expect("partitions are counted in i32"),
            })
        };
        Ok(topics.iter().map(describe).collect())
    }

    fn topics(&mut self, _timeout: Duration) -> Result<Vec<String>, ClientError> {
        Ok(self.inner.topics.all().iter().map(|topic| topic.name.to_string()).collect())
    }

    fn topic_config(
        &mut self,
        topic: &str,
        _timeout: Duration,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        let found = self.inner.topics.find(topic).map(|topic| topic.config.shown());
        found.ok_or_else(|| ClientError::UnknownTopic { topic: topic.to_owned() })
    }

    fn create(&mut self, topics: &[NewTopic], _timeout: Duration) -> Result<(), ClientError> {
        topics.iter().try_for_each(|topic| self.inner.topics.create(topic))?;
        self.inner.coordination.changed.notify_all();
        Ok(())
    }

    fn delete(&mut self, topics: &[&str], _timeout: Duration) -> Result<(), ClientError> {
        for name in topics {
            let deleted = self.inner.topics.delete(name);
            let operation = "deleting a topic of the embedded log";
            if deleted.map_err(|source| ClientError::Io { operation, source })? {
                self.record(operation, vec![StateRecord::TopicDeleted((*name).to_owned())])?;
            }
        }
        self.inner.coordination.changed.notify_all();
        Ok(())
    }

    fn delete_records(
        &mut self,
        before: &[(TopicPartition, i64)],
        _timeout: Duration,
    ) -> Result<(), ClientError> {
        for (name, offset) in before {
            let partition = self.inner.topics.partition(name)?;
            // As in Kafka, -1 is the end.
            let offset = if *offset == -1 { partition.watermarks().high } else { *offset };
            let record = StateRecord::Start(name.topic.to_string(), name.partition.0, offset);
            partition.check_start(offset)?;
            self.record("deleting records", vec![record])?;
            partition.raise_start(offset)?;
        }
        Ok(())
    }

    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        _timeout: Duration,
    ) -> Result<Watermarks, ClientError> {
        Ok(self.inner.topics.partition(partition)?.watermarks())
    }

    fn offset_for_time(
        &mut self,
        partition: &TopicPartition,
        time: Timestamp,
        _timeout: Duration,
    ) -> Result<Option<i64>, ClientError> {
        self.inner.topics.partition(partition)?.offset_for_time(time)
    }

    fn group_offsets(
        &mut self,
        group: &str,
        _timeout: Duration,
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, ClientError> {
        let agreement = lock(&self.inner.coordination.state);
        let Some(group) = agreement.journal.state.groups.get(group) else { return Ok(Vec::new()) };
        Ok(group.offsets.iter().map(|(partition, at)| (partition.clone(), at.clone())).collect())
    }

    fn group_members(&mut self, group: &str, _timeout: Duration) -> Result<Vec<String>, ClientError> {
        let now = self.inner.settings.clock.monotonic();
        let mut agreement = lock(&self.inner.coordination.state);
        agreement
            .expire_members(now)
            .map_err(|source| ClientError::Io { operation: "listing a group's members", source })?;
        Ok(agreement.members.get(group).map(super::membership::Members::ids).unwrap_or_default())
    }

    fn remove_member(&mut self, group: &str, member: &str, _timeout: Duration) -> Result<bool, ClientError> {
        let mut agreement = lock(&self.inner.coordination.state);
        let members = agreement.group(group);
        let before = members.generation;
        members.leave(member);
        let recorded = agreement.record_generation(group, before);
        drop(agreement);
        self.inner.coordination.changed.notify_all();
        recorded.map_err(|source| ClientError::Io { operation: "removing a member", source })?;
        Ok(true)
    }

    fn set_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
        _timeout: Duration,
    ) -> Result<(), ClientError> {
        let entry = |(partition, offset): &(TopicPartition, i64)| {
            OffsetEntry::new(partition, &CommittedOffset { offset: *offset, metadata: String::new() })
        };
        let record = StateRecord::Offsets(group.to_owned(), offsets.iter().map(entry).collect());
        self.change_empty_group(group, "setting a group's offsets", record)
    }

    fn delete_group(&mut self, group: &str, _timeout: Duration) -> Result<(), ClientError> {
        let record = StateRecord::GroupDeleted(group.to_owned());
        self.change_empty_group(group, "deleting a group", record)
    }
}

impl EmbeddedAdmin {
    fn change_empty_group(
        &self,
        group: &str,
        operation: &'static str,
        record: StateRecord,
    ) -> Result<(), ClientError> {
        let now = self.inner.settings.clock.monotonic();
        let mut agreement = lock(&self.inner.coordination.state);
        let io = |source| ClientError::Io { operation, source };
        agreement.expire_members(now).map_err(io)?;
        let members = agreement.members.get(group).map(super::membership::Members::ids).unwrap_or_default();
        if !members.is_empty() {
            let reason = format!("group {group} has {} members; stop them first", members.len());
            return Err(ClientError::NotCurrent { reason });
        }
        agreement.journal.append(vec![record]).map_err(io)
    }
}
