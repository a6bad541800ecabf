//! The sink node: typed records to bytes, the topic and the partition they go to.

use std::sync::Arc;

use super::Data;
use super::builder::StreamsBuilder;
use super::destination::{Destination, TellTopic};
use super::kstream::KStream;
use super::options::{Produced, SharedSerde};
use crate::error::ProcessError;
use crate::plan::{NodeId, NodeRole, TopicRef};
use crate::processor::{DropReason, Hop, Node, take};
use crate::record::{Partition, Record};
use crate::serde::murmur2::partition_for_key;

/// Tells the partition of a record among so many.
pub(crate) type ChoosePartition<K, V> = Arc<dyn Fn(&K, &V, i32) -> Partition + Send + Sync>;

/// Tells the partitions of a record among so many: any number of them.
pub(crate) type ChoosePartitions<K, V> = Arc<dyn Fn(&K, &V, i32, &mut Vec<Partition>) + Send + Sync>;

/// Which partition records go to; those without a key take turns unless they are told.
pub(crate) enum Partitioning<K, V> {
    /// By the hash of the key's bytes.
    OfKey,
    /// By the hash of the key's bytes without its window, so that all windows of a key stay together.
    OfInnerKey,
    /// Where the user says.
    Chosen(ChoosePartition<K, V>),
    /// Wherever the user says, or nowhere.
    Several(ChoosePartitions<K, V>),
}

impl<K, V> Clone for Partitioning<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::OfKey => Self::OfKey,
            Self::OfInnerKey => Self::OfInnerKey,
            Self::Chosen(choose) => Self::Chosen(Arc::clone(choose)),
            Self::Several(choose) => Self::Several(Arc::clone(choose)),
        }
    }
}

/// How a sink writes.
pub(crate) struct Sinking<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitioning: Partitioning<K, V>,
}

/// A partitioner chose a partition that the topic does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "the partitioner chose partition {partition}, but topic {topic} has {partitions}: choose one below that"
)]
struct NoSuchPartition {
    topic: Arc<str>,
    partition: Partition,
    partitions: i32,
}

struct Sink<K, V> {
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    partitioning: Partitioning<K, V>,
    destination: Destination<K, V>,
    /// Records without a key take turns.
    turn: i32,
    chosen: Vec<Partition>,
}

impl<K: Data, V: Data> Sink<K, V> {
    /// Where the record goes, into `chosen`; `key` are its key's bytes.
    fn choose(&mut self, record: &Record<K, V>, key: Option<&[u8]>, partitions: i32) {
        self.chosen.clear();
        match (&self.partitioning, key) {
            (Partitioning::Several(choose), _) => {
                choose(&record.key, &record.value, partitions, &mut self.chosen);
            }
            (Partitioning::Chosen(choose), _) => {
                self.chosen.push(choose(&record.key, &record.value, partitions));
            }
            (Partitioning::OfKey, Some(bytes)) => self.chosen.push(partition_for_key(bytes, partitions)),
            (Partitioning::OfInnerKey, Some(bytes)) => {
                let inner = &bytes[..self.key.partitioned_by(bytes.len())];
                self.chosen.push(partition_for_key(inner, partitions));
            }
            (Partitioning::OfKey | Partitioning::OfInnerKey, None) => {
                self.turn = (self.turn + 1) % partitions.max(1);
                self.chosen.push(Partition(self.turn));
            }
        }
    }
}

impl<K: Data, V: Data> Node for Sink<K, V> {
    fn process(&mut self, slot: &mut dyn std::any::Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        let record: Record<K, V> = take(slot);
        let topic = self.destination.of(&record, hop.env)?;
        let outputs = &mut hop.env.outputs;
        let (name, partitions) = {
            let topic = &hop.env.topics[topic as usize];
            (&topic.name, topic.partitions)
        };
        let before = outputs.bytes_mut().len();
        let written = write(&*self.key, name, &record.key, outputs.bytes_mut())
            .and_then(|key| Ok((key, write(&*self.value, name, &record.value, outputs.bytes_mut())?)));
        let (key, value) = written.inspect_err(|_| outputs.truncate(before))?;
        self.choose(&record, key.map(|span| outputs.slice(span)), partitions);
        if let Some(&partition) = self.chosen.iter().find(|partition| !(0..partitions).contains(&partition.0))
        {
            outputs.truncate(before);
            return Err(NoSuchPartition { topic: Arc::clone(name), partition, partitions }.into());
        }
        let Some((last, others)) = self.chosen.split_last() else {
            outputs.truncate(before);
            hop.env.count_drop(DropReason::NoPartition);
            return Ok(());
        };
        for partition in others {
            outputs.push(topic, *partition, key, value, record.timestamp, record.headers.clone());
        }
        outputs.push(topic, *last, key, value, record.timestamp, record.headers);
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
        let name = self.builder.name_or(produced.name.as_ref(), "KSTREAM-SINK-");
        let topic = TopicRef::External(topic.into());
        let policy = produced.policy;
        let node = produced.into_sinking().add(self.builder, name, topic, vec![self.node]);
        self.builder.graph.borrow_mut().node_mut(node).policy = policy;
    }

    /// Writes each record to the topic that `tell` appends the name of to its second argument, which comes empty: no name
    /// is allocated for a record. The topics must exist; the log is asked for each once. A record for one that does not
    /// exist goes to the processing handler, and a topic that was missing is asked for again after a second.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder, StringSerde, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("orders", Consumed::<String, String>::default()).to_dynamic(
    ///     |record, topic| {
    ///         topic.push_str("orders-");
    ///         topic.push_str(&record.value);
    ///     },
    ///     Produced::default(),
    /// );
    /// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let orders = driver.input_topic("orders", StringSerde, StringSerde);
    /// orders.pipe("7".to_string(), "europe".to_string(), 0.into()).expect("processed");
    /// let europe = driver.output_topic::<String, String>("orders-europe", StringSerde, StringSerde);
    /// assert_eq!(europe.read_value(), Some("europe".to_string()));
    /// ```
    pub fn to_dynamic(
        self,
        tell: impl Fn(&Record<K, V>, &mut String) + Send + Sync + 'static,
        produced: Produced<K, V>,
    ) {
        let name = self.builder.name_or(produced.name.as_ref(), "KSTREAM-SINK-");
        let tell: TellTopic<K, V> = Arc::new(tell);
        let policy = produced.policy;
        let node = produced.into_sinking().add_dynamic(self.builder, name, tell, vec![self.node]);
        self.builder.graph.borrow_mut().node_mut(node).policy = policy;
    }
}

impl<K: Data, V: Data> Produced<K, V> {
    fn into_sinking(self) -> Sinking<K, V> {
        let Self { key, value, partitioning, .. } = self;
        Sinking { key, value, partitioning }
    }
}

impl<K: Data, V: Data> Sinking<K, V> {
    fn sink(&self, destination: Destination<K, V>) -> Sink<K, V> {
        let (key, value) = (Arc::clone(&self.key), Arc::clone(&self.value));
        Sink {
            key,
            value,
            partitioning: self.partitioning.clone(),
            destination,
            turn: -1,
            chosen: Vec::new(),
        }
    }

    /// Adds a sink below `parents`.
    pub(crate) fn add(
        self,
        builder: &StreamsBuilder,
        name: Arc<str>,
        topic: TopicRef,
        parents: Vec<NodeId>,
    ) -> NodeId {
        let role = NodeRole::Sink {
            topic: Some(topic),
            make: Box::new(move |wiring| Box::new(self.sink(Destination::Fixed(wiring.output_topic())))),
        };
        builder.add_node::<Record<K, V>, ()>(name, parents, role, Vec::new())
    }

    fn add_dynamic(
        self,
        builder: &StreamsBuilder,
        name: Arc<str>,
        tell: TellTopic<K, V>,
        parents: Vec<NodeId>,
    ) -> NodeId {
        let make = Box::new(move |_: &crate::plan::Wiring<'_>| -> Box<dyn Node> {
            Box::new(self.sink(Destination::told(Arc::clone(&tell))))
        });
        let role = NodeRole::Sink { topic: None, make };
        builder.add_node::<Record<K, V>, ()>(name, parents, role, Vec::new())
    }
}
