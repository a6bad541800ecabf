//! Looks at the log whenever offsets are committed: no offset may pass what is durable. Must not know who commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use candlewick::TopicPartition;
use candlewick::client::{
    Admin, CommittedOffset, Consumer, EmbeddedLog, Isolation, Log, PolledBatch, StartAt,
};

use crate::work::{Kind, ids};

/// What was seen of the log so far.
pub(crate) struct Watch {
    kind: Kind,
    exactly_once: bool,
    log: Arc<EmbeddedLog>,
    admin: Box<dyn Admin>,
    /// Of what is read with offsets, as it is read; and of where it leaves traces, as it is written.
    consumers: Option<[Box<dyn Consumer>; 2]>,
    batch: PolledBatch,
    /// The ids in each topic that something must leave a trace in.
    seen: BTreeMap<Arc<str>, BTreeSet<u32>>,
    /// The ids in each partition that is read with offsets, by offset.
    read: BTreeMap<TopicPartition, Vec<(i64, u32)>>,
    committed: BTreeMap<TopicPartition, i64>,
}

impl Watch {
    pub(crate) fn new(kind: Kind, exactly_once: bool, log: &Arc<EmbeddedLog>) -> Self {
        Self {
            kind,
            exactly_once,
            log: Arc::clone(log),
            admin: log.admin().expect("an embedded log makes clients at once"),
            consumers: None,
            batch: PolledBatch::default(),
            seen: BTreeMap::new(),
            read: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    /// How far the group is, by what was committed.
    pub(crate) fn offset(&self, partition: &TopicPartition) -> i64 {
        self.committed.get(partition).copied().unwrap_or(0)
    }

    fn follow(&mut self, topics: BTreeSet<&str>, isolation: Isolation) -> Box<dyn Consumer> {
        let mut consumer = self.log.consumer("watch", isolation).expect("a client at once");
        let mut starts = Vec::new();
        for topic in topics {
            let found = self.admin.describe(&[topic], Duration::ZERO).expect("it is at hand");
            let count = found.into_iter().flatten().next().map_or(0, |found| found.partitions);
            starts.extend((0..count).map(|number| (TopicPartition::new(topic, number), StartAt::Beginning)));
        }
        consumer.assign(&starts).expect("the topics were found just now");
        consumer
    }

    /// Takes in what is new in the log.
    fn look(&mut self) {
        let mut consumers = self.consumers.take().unwrap_or_else(|| {
            let trail = self.kind.trail();
            let isolation =
                if self.exactly_once { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
            let read = self.follow(trail.iter().map(|(source, _)| *source).collect(), isolation);
            let traces = trail.iter().flat_map(|(_, to)| *to).copied().collect();
            [read, self.follow(traces, Isolation::ReadUncommitted)]
        });
        for (consumer, is_read) in consumers.iter_mut().zip([true, false]) {
            loop {
                consumer.poll(100_000, Duration::ZERO, &mut self.batch).expect("the log is at hand");
                if self.batch.runs.is_empty() {
                    break;
                }
                for run in &self.batch.runs {
                    for record in run.iter() {
                        let found = ids(record.value.unwrap_or_default());
                        if is_read {
                            let read = self.read.entry(run.source.clone()).or_default();
                            read.extend(found.map(|id| (record.offset, id)));
                        } else {
                            self.seen.entry(Arc::clone(&run.source.topic)).or_default().extend(found);
                        }
                    }
                }
            }
        }
        self.consumers = Some(consumers);
    }

    /// These offsets count from now on.
    pub(crate) fn committed(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), String> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.look();
        for (partition, committed) in offsets {
            let before = self.offset(partition);
            if committed.offset < before && self.exactly_once {
                return Err(format!(
                    "{partition}: the offset went back from {before} to {}",
                    committed.offset
                ));
            }
            let end = self.admin.watermarks(partition, Duration::ZERO).expect("it is at hand").high;
            if committed.offset > end {
                return Err(format!("{partition}: offset {} is behind the end, {end}", committed.offset));
            }
            let trail = self.kind.trail().iter().find(|(source, _)| **source == *partition.topic);
            for (_, id) in
                self.read.get(partition).into_iter().flatten().filter(|(offset, id)| {
                    (before..committed.offset).contains(offset) && !self.kind.drops(*id)
                })
            {
                let to = trail.map_or(&[] as &[&str], |(_, to)| to);
                if let Some(missing) =
                    to.iter().find(|to| !self.seen.get(**to).is_some_and(|ids| ids.contains(id)))
                {
                    return Err(format!(
                        "{partition}: offset {} is committed, and #{id} below it is not in {missing}",
                        committed.offset
                    ));
                }
            }
            self.committed.insert(partition.clone(), committed.offset);
        }
        Ok(())
    }

    /// Records below these offsets are deleted.
    pub(crate) fn deleted(&mut self, before: &[(TopicPartition, i64)]) -> Result<(), String> {
        let passed = before.iter().find(|(partition, offset)| self.offset(partition) < *offset);
        passed.map_or(Ok(()), |(partition, offset)| {
            Err(format!(
                "{partition}: records below {offset} were deleted, and {} is committed",
                self.offset(partition)
            ))
        })
    }
}
