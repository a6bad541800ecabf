//! An administrator under a scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Fate, Scheduler, Seen, away};
use crate::client::{Admin, ClientError, CommittedOffset, NewTopic, TopicDescription, Watermarks};
use crate::record::TopicPartition;
use crate::time::Timestamp;

type Answer<T> = Result<T, ClientError>;

/// An administrator of an embedded log.
pub(super) struct SimAdmin {
    inner: Box<dyn Admin>,
    scheduler: Arc<dyn Scheduler>,
}

impl SimAdmin {
    pub(super) fn new(inner: Box<dyn Admin>, scheduler: Arc<dyn Scheduler>) -> Self {
        Self { inner, scheduler }
    }

    fn call<T>(
        &mut self,
        call: Call,
        operation: &'static str,
        act: impl FnOnce(&mut dyn Admin) -> Answer<T>,
    ) -> Answer<T> {
        let fate = self.scheduler.before(call);
        if !matches!(fate, Fate::Done | Fate::Unheard) {
            return Err(away(operation));
        }
        let answer = act(&mut *self.inner);
        self.scheduler.after(call);
        if fate == Fate::Unheard { Err(away(operation)) } else { answer }
    }
}

impl Admin for SimAdmin {
    fn describe(&mut self, topics: &[&str], limit: Duration) -> Answer<Vec<Option<TopicDescription>>> {
        self.call(Call::Administer, "describing topics", |inner| inner.describe(topics, limit))
    }

    fn topics(&mut self, limit: Duration) -> Answer<Vec<String>> {
        self.call(Call::Administer, "listing topics", |inner| inner.topics(limit))
    }

    fn topic_config(&mut self, topic: &str, limit: Duration) -> Answer<BTreeMap<String, String>> {
        self.call(Call::Administer, "reading a topic's configuration", |inner| {
            inner.topic_config(topic, limit)
        })
    }

    fn create(&mut self, topics: &[NewTopic], limit: Duration) -> Answer<()> {
        self.call(Call::Administer, "creating topics", |inner| inner.create(topics, limit))
    }

    fn delete(&mut self, topics: &[&str], limit: Duration) -> Answer<()> {
        self.call(Call::Administer, "deleting topics", |inner| inner.delete(topics, limit))
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], limit: Duration) -> Answer<()> {
        let scheduler = Arc::clone(&self.scheduler);
        self.call(Call::DeleteRecords, "deleting records", |inner| {
            scheduler.see(Seen::Deleted(before));
            inner.delete_records(before, limit)
        })
    }

    fn watermarks(&mut self, partition: &TopicPartition, limit: Duration) -> Answer<Watermarks> {
        self.call(Call::Watermarks, "asking for watermarks", |inner| inner.watermarks(partition, limit))
    }

    fn offset_for_time(
        &mut self,
        partition: &TopicPartition,
        time: Timestamp,
        limit: Duration,
    ) -> Answer<Option<i64>> {
        self.call(Call::Administer, "asking for an offset", |inner| {
            inner.offset_for_time(partition, time, limit)
        })
    }

    fn group_offsets(
        &mut self,
        group: &str,
        limit: Duration,
    ) -> Answer<Vec<(TopicPartition, CommittedOffset)>> {
        self.call(Call::Administer, "asking for a group's offsets", |inner| inner.group_offsets(group, limit))
    }

    fn group_members(&mut self, group: &str, limit: Duration) -> Answer<Vec<String>> {
        self.call(Call::Members, "asking for a group's members", |inner| inner.group_members(group, limit))
    }

    fn set_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
        limit: Duration,
    ) -> Answer<()> {
        self.call(Call::Administer, "setting a group's offsets", |inner| {
            inner.set_group_offsets(group, offsets, limit)
        })
    }

    fn delete_group(&mut self, group: &str, limit: Duration) -> Answer<()> {
        self.call(Call::Administer, "deleting a group", |inner| inner.delete_group(group, limit))
    }
}
