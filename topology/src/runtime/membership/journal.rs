//! Reading and writing the control topic. All of the protocol's records lie in one partition, so that everybody reads them
//! in the same order. Must not know what follows from them.

use std::time::Duration;

use super::records::Key;
use super::view::{Change, View};
use crate::client::{
    ClientError, Consumer, Isolation, Log, OutgoingRecord, PolledBatch, Producer, ProducerError, StartAt,
    TopicHandle,
};
use crate::record::{Headers, Partition, TopicPartition};
use crate::time::Timestamp;

/// Where the records lie. It has nothing to do with who is assigned which partition of the topic.
pub(crate) const JOURNAL: Partition = Partition(0);

const RECORDS_MAX: usize = 10_000;

/// A reader of the control topic from its beginning on, with what it has read.
pub(crate) struct Journal {
    consumer: Box<dyn Consumer>,
    partition: TopicPartition,
    batch: PolledBatch,
    pub(crate) view: View,
}

impl Journal {
    pub(crate) fn open(log: &dyn Log, application: &str, topic: &str) -> Result<Self, ClientError> {
        let mut consumer = log.consumer(application, Isolation::ReadCommitted)?;
        let partition = TopicPartition { topic: topic.into(), partition: JOURNAL };
        consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
        Ok(Self { consumer, partition, batch: PolledBatch::default(), view: View::default() })
    }

    /// Reads on, waiting up to `timeout` for the first record; gives what changed, in order.
    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<Vec<Change>, ClientError> {
        match self.consumer.poll(RECORDS_MAX, timeout, &mut self.batch) {
            Ok(()) => {}
            // Everything that counts is still there, by compaction.
            Err(ClientError::OffsetOutOfRange { .. }) => {
                self.consumer.assign(&[(self.partition.clone(), StartAt::Beginning)])?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        }
        let mut changes = Vec::new();
        for record in self.batch.runs.iter().flat_map(|run| run.iter()) {
            changes.extend(record.key.and_then(|key| self.view.take(key, record.value)));
        }
        Ok(changes)
    }

    /// Whether everything below `offset` was read.
    pub(crate) fn has_read_to(&self, offset: i64) -> bool {
        self.consumer.position(&self.partition).is_some_and(|position| position >= offset)
    }

    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }
}

/// Puts a record of the control topic into a producer's queue. Small and few: a queue without room is a failure.
pub(crate) fn write(
    producer: &mut dyn Producer,
    topic: TopicHandle,
    key: &Key,
    value: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), ProducerError> {
    producer.send(OutgoingRecord {
        topic,
        partition: JOURNAL,
        key: Some(key.encode().as_bytes()),
        value,
        headers: &Headers::default(),
        timestamp: now,
    })
}
