//! The sink node: typed records to bytes, and the partition they go to.

use std::sync::Arc;

use super::Data;
use super::builder::StreamsBuilder;
use super::kstream::KStream;
use super::options::{Produced, SharedSerde};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, TopicRef};
use crate::processor::{Hop, Node, take};
use crate::record::{Partition, Record};
use crate::serde::murmur2::partition_for_key;

/// Tells the partition of a record among so many.
pub(crate) type ChoosePartition<K, V> = Arc<dyn Fn(&K, &V, i32) -> Partition + Send + Sync>;

/// Which partition records go to; those without a key take turns unless they are told.
pub(crate) enum Partitioning<K, V> {
    /// By the hash of the key's bytes.
    OfKey,
    /// By the hash of the key's bytes without its window, so that all windows of a key stay together.
    OfInnerKey,
    /// Where the user says.
    Chosen(ChoosePartition<K, V>),
}

impl<K, V> Clone for Partitioning<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::OfKey => Self::OfKey,
            Self::OfInnerKey => Self::OfInnerKey,
            Self::Chosen(choose) => Self::Chosen(Arc::clone(choose)),
        }
    }
}

/// How a sink writes.
pub(crate) struct Sinking<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitioning: Partitioning<K, V>,
}

struct Sink<K, V> {
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    partitioning: Partitioning<K, V>,
    topic: u32,
    name: Arc<str>,
    /// Records without a key take turns.
    turn: i32,
}

impl<K: Data, V: Data> Node for Sink<K, V> {
    fn process(&mut self, slot: &mut dyn std::any::Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        let outputs = &mut hop.env.outputs;
        let before = outputs.bytes_mut().len();
        let written = write(&*self.key, &self.name, &record.key, outputs.bytes_mut())
            .and_then(|key| Ok((key, write(&*self.value, &self.name, &record.value, outputs.bytes_mut())?)));
        let (key, value) = written.inspect_err(|_| outputs.truncate(before))?;
        let partitions = hop.env.topics[self.topic as usize].partitions;
        let partition = match (&self.partitioning, key) {
            (Partitioning::Chosen(choose), _) => choose(&record.key, &record.value, partitions),
            (Partitioning::OfKey, Some(span)) => partition_for_key(outputs.slice(span), partitions),
            (Partitioning::OfInnerKey, Some(span)) => {
                let bytes = outputs.slice(span);
                partition_for_key(&bytes[..self.key.partitioned_by(bytes.len())], partitions)
            }
            (Partitioning::OfKey | Partitioning::OfInnerKey, None) => {
                self.turn = (self.turn + 1) % partitions.max(1);
                Partition(self.turn)
            }
        };
        outputs.push(self.topic, partition, key, value, record.timestamp, record.headers);
        Ok(())
    }
}

type WrittenSpan = Option<(u32, u32)>;

fn write<T: 'static>(
    serde: &dyn crate::serde::Serde<T>,
    topic: &str,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<WrittenSpan, ProcessError> {
    if serde.is_null(value) {
        return Ok(None);
    }
    let position = |len: usize| u32::try_from(len).expect("outputs are drained long before 4 GiB");
    let start = position(out.len());
    serde.serialize(topic, value, out)?;
    Ok(Some((start, position(out.len()))))
}

impl<K: Data, V: Data> KStream<'_, K, V> {
    /// Writes the stream to a topic, by the hash of the serialized key as the JVM's partitioner does, unless `produced`
    /// chooses otherwise. The windows of a key go where the key goes.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1, 2]);
    /// ```
    pub fn to(self, topic: &str, produced: Produced<K, V>) {
        let name = produced.name.clone().unwrap_or_else(|| self.builder.next_name("KSTREAM-SINK-"));
        let Produced { key, value, partitioner, .. } = produced;
        let partitioning = partitioner.map_or(Partitioning::OfInnerKey, Partitioning::Chosen);
        let topic = TopicRef::External(topic.into());
        Sinking { key, value, partitioning }.add(self.builder, name, topic, vec![self.node]);
    }

    pub(crate) fn sink(self, name: Arc<str>, topic: TopicRef, key: SharedSerde<K>, value: SharedSerde<V>) {
        Sinking { key, value, partitioning: Partitioning::OfKey }.add(
            self.builder,
            name,
            topic,
            vec![self.node],
        );
    }
}

impl<K: Data, V: Data> Sinking<K, V> {
    /// Adds a sink below `parents`.
    pub(crate) fn add(self, builder: &StreamsBuilder, name: Arc<str>, topic: TopicRef, parents: Vec<NodeId>) {
        let role = NodeRole::Sink {
            topic,
            make: Box::new(move |wiring| {
                let (topic, name) = wiring.output_topic();
                let (key, value) = (Arc::clone(&self.key), Arc::clone(&self.value));
                Box::new(Sink { key, value, partitioning: self.partitioning.clone(), topic, name, turn: -1 })
            }),
        };
        builder.add_node::<Record<K, V>, ()>(name, parents, role, Vec::new());
    }
}
