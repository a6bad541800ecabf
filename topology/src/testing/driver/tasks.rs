//! The tasks behind a test driver: how they are opened, how records reach them, and how what they write goes on to those
//! who read it. Must not know types: records are bytes here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::DriverOptions;
use crate::plan::{SubTopology, Topology, changelog_topic};
use crate::processor::PunctuationType;
use crate::record::{Headers, Partition, RecordRun, TaskId, TopicPartition};
use crate::runtime::{Task, TaskFault, TaskPlan};
use crate::serde::partition_for_key;
use crate::state::{EngineChoice, TaskSettings, TaskState};
use crate::testing::durable::Durable;
use crate::testing::globals::Globals;
use crate::testing::topics::EveryTopic;
use crate::testing::workplace::InlineWorkplace;
use crate::time::{Timestamp, millis};

/// A record as bytes, on its way between topics.
#[derive(Clone, Debug)]
pub(crate) struct PipedRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
}

pub(crate) struct Inner {
    /// By partition.
    pub(super) tasks: Vec<Driven>,
    pub(super) globals: Globals,
    pub(crate) outputs: BTreeMap<Arc<str>, VecDeque<PipedRecord>>,
    pub(super) wall: Timestamp,
    pub(super) stores: Vec<Arc<str>>,
}

/// The task of one partition.
pub(super) struct Driven {
    pub(super) task: Task,
    pub(super) durable: Durable,
    /// The next offset of each topic's partition.
    offsets: BTreeMap<Arc<str>, i64>,
    /// What the last commit wrote, until it is routed.
    produced: Vec<(Arc<str>, Partition, PipedRecord)>,
}

/// All sub-topologies in one task with one partition of each topic, as the JVM's driver has it; `durable` is what a
/// former task left.
pub(crate) fn open_task(
    topology: &Topology,
    options: &DriverOptions,
    partition: Partition,
    durable: &Durable,
) -> Result<Task, TaskFault> {
    let whole = SubTopology::whole(topology.sub_topologies());
    let subscribed: Vec<Arc<str>> = options.topics.iter().map(|topic| topic.as_str().into()).collect();
    let plan = TaskPlan {
        topology,
        sub_topology: &whole,
        partition,
        application: &options.application_id,
        caching: options.cache_bytes_max > 0,
        partitions_of: &|_| options.partitions.max(1),
        subscribed: &subscribed,
        directory: Arc::new(EveryTopic(options.partitions.max(1))),
        dead_letter_topic: options.dead_letter_topic.as_deref(),
        process_handler: Arc::clone(&options.process_handler),
        decode_handler: Arc::clone(&options.decode_handler),
        workplace: Arc::new(InlineWorkplace::default()),
    };
    let changelog = |name: &Arc<str>| changelog_topic(&options.application_id, name);
    let settings = TaskSettings {
        engine: match &options.state_dir {
            Some(folder) => EngineChoice::Lmdb {
                folder: folder.join(format!("task-{partition}")),
                map_bytes: 1 << 20,
                dirty_bytes_max: 1 << 20,
            },
            None => EngineChoice::Memory,
        },
        cache_bytes_max: options.cache_bytes_max.max(1 << 20),
        changelog_topics: whole.stores.iter().map(|store| changelog(&store.name)).collect(),
    };
    let fault = |source| TaskFault::Store { task: TaskId { sub_topology: 0, partition }, source };
    let mut state = TaskState::open(&whole.stores, &settings).map_err(fault)?;
    durable.restore(&mut state).map_err(fault)?;
    let mut task = Task::new(&plan, state);
    durable.recall(&mut task);
    Ok(task)
}

impl Driven {
    pub(super) fn open(
        topology: &Topology,
        options: &DriverOptions,
        partition: Partition,
        globals: &Globals,
    ) -> Result<Self, TaskFault> {
        let durable = Durable::default();
        let mut task = open_task(topology, options, partition, &durable)?;
        task.env.globals = globals.tables();
        task.init(options.wall_clock)?;
        Ok(Self { task, durable, offsets: BTreeMap::new(), produced: Vec::new() })
    }

    /// Puts a record behind those that wait; whether the task reads the topic.
    fn enqueue(&mut self, topic: &Arc<str>, record: &PipedRecord) -> bool {
        let partition = TopicPartition { topic: Arc::clone(topic), partition: self.task.id.partition };
        let Some(queue) = self.task.group.index_of(&partition) else { return false };
        let offset = self.offsets.entry(Arc::clone(topic)).or_insert(0);
        let mut run = RecordRun::new(partition);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        run.push(*offset, record.timestamp, key, value, record.headers.clone());
        *offset += 1;
        for store in self.task.sourced_by(queue) {
            self.durable.log(store, record.clone());
        }
        self.task.enqueue(queue, run);
        true
    }

    fn process_one(&mut self) -> Result<(), TaskFault> {
        self.task.process(1)?;
        self.commit()
    }

    fn commit(&mut self) -> Result<(), TaskFault> {
        let task = &mut self.task;
        task.finish_slow_work()?;
        task.flush()?;
        let changelogs: Vec<(usize, u32)> = task.changelogs().collect();
        for at in 0..task.env.outputs.len() {
            let (entry, key, value) = task.env.outputs.get(at);
            let record = PipedRecord {
                key: key.map(<[u8]>::to_vec),
                value: value.map(<[u8]>::to_vec),
                timestamp: entry.timestamp,
                headers: entry.headers.clone(),
            };
            if let Some((store, _)) = changelogs.iter().find(|(_, topic)| *topic == entry.topic) {
                self.durable.log(*store, record.clone());
            }
            let topic = Arc::clone(&task.env.topics[entry.topic as usize].name);
            self.produced.push((topic, entry.partition, record));
        }
        task.env.outputs.clear();
        self.durable.commit(task);
        task.committed(&self.durable.positions(task))
    }
}

impl Inner {
    /// Brings a record into a topic and processes everything that follows from it.
    pub(crate) fn pipe(&mut self, topic: &Arc<str>, record: PipedRecord) -> Result<(), TaskFault> {
        let count = i32::try_from(self.tasks.len()).expect("as many as the options say");
        let partition = record.key.as_deref().map_or(Partition(0), |key| partition_for_key(key, count));
        if !self.enqueue(topic, partition, &record)? {
            panic!("the topology reads no topic {topic}");
        }
        self.settle()
    }

    pub(super) fn place_of(&self, partition: Partition) -> usize {
        let place = usize::try_from(partition.0).ok().filter(|place| *place < self.tasks.len());
        place.unwrap_or_else(|| panic!("the driver has no partition {partition}"))
    }

    /// Puts a record where it is read; whether anybody reads the topic.
    fn enqueue(
        &mut self,
        topic: &Arc<str>,
        partition: Partition,
        record: &PipedRecord,
    ) -> Result<bool, TaskFault> {
        if self.globals.reads(topic) {
            self.globals.put(topic, record)?;
            return Ok(true);
        }
        let place = self.place_of(partition);
        Ok(self.tasks[place].enqueue(topic, record))
    }

    /// Processes until nothing waits anywhere; a commit after each record.
    pub(super) fn settle(&mut self) -> Result<(), TaskFault> {
        for place in 0..self.tasks.len() {
            self.tasks[place].task.env.wall = self.wall;
            self.tasks[place].commit()?;
            self.route(place)?;
        }
        while let Some(place) = self.tasks.iter().position(|driven| driven.task.group.buffered() > 0) {
            self.tasks[place].process_one()?;
            self.route(place)?;
        }
        Ok(())
    }

    /// Brings what a task wrote to those who read it.
    fn route(&mut self, place: usize) -> Result<(), TaskFault> {
        for (topic, partition, record) in std::mem::take(&mut self.tasks[place].produced) {
            self.enqueue(&topic, partition, &record)?;
            self.outputs.entry(topic).or_default().push_back(record);
        }
        Ok(())
    }

    pub(super) fn advance(&mut self, by: Duration) -> Result<(), TaskFault> {
        self.wall = self.wall.plus_millis(millis(by));
        self.globals.set_wall(self.wall);
        for driven in &mut self.tasks {
            driven.task.env.wall = self.wall;
            driven.task.punctuate(PunctuationType::WallClockTime, self.wall)?;
        }
        self.settle()
    }
}
