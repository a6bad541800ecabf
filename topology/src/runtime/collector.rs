//! From a task's output buffer into the thread's producer. Topics that records told are resolved when they are first
//! written. A full queue is backpressure: it waits here, and no input is
//! read meanwhile.

use std::time::Duration;

use crate::client::{OutgoingRecord, Producer, ProducerError, TopicHandle};
use crate::processor::{Env, Refusals};
use crate::record::Partition;

/// A task's output topics as handles of one producer, resolved once.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    handles: Vec<TopicHandle>,
}

impl Collector {
    pub(crate) fn new(env: &Env, producer: &mut dyn Producer) -> Result<Self, ProducerError> {
        let handles = env.topics.iter().map(|topic| producer.topic(&topic.name));
        Ok(Self { handles: handles.collect::<Result<_, _>>()? })
    }

    /// Sends what waits, from the entry `from` on, up to the first one that its topic refuses and that need not be written:
    /// gives its place and why.
    pub(crate) fn drain(
        &mut self,
        env: &mut Env,
        producer: &mut dyn Producer,
        from: usize,
    ) -> Result<Option<(usize, String)>, ProducerError> {
        for topic in &env.topics[self.handles.len()..] {
            self.handles.push(producer.topic(&topic.name)?);
        }
        for index in from..env.outputs.len() {
            let (entry, key, value) = env.outputs.get(index);
            let record = OutgoingRecord {
                topic: self.handles[entry.topic as usize],
                partition: entry.partition,
                key,
                value,
                headers: &entry.headers,
                timestamp: entry.timestamp,
            };
            while let Err(error) = producer.send(record) {
                match error {
                    ProducerError::QueueFull => wait_for_room(producer)?,
                    ProducerError::Rejected { reason, .. }
                        if !matches!(env.topics[entry.topic as usize].refusals, Refusals::Fatal) =>
                    {
                        return Ok(Some((index, reason)));
                    }
                    other => return Err(other),
                }
            }
        }
        env.outputs.clear();
        Ok(None)
    }

    /// One past the last acknowledged offset of an output topic's partition.
    pub(crate) fn acknowledged(
        &self,
        topic: u32,
        partition: Partition,
        producer: &dyn Producer,
    ) -> Option<i64> {
        producer.acknowledged(self.handles[topic as usize], partition)
    }
}

fn wait_for_room(producer: &mut dyn Producer) -> Result<(), ProducerError> {
    match producer.flush(Duration::from_millis(20)) {
        Ok(()) | Err(ProducerError::Timeout { .. }) => Ok(()),
        Err(other) => Err(other),
    }
}
