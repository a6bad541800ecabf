//! The test driver: all tasks of a topology with one partition each, on the caller's thread, with a commit after every
//! record. Internal topics are looped back; nothing is sent anywhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::topics::{TestInputTopic, TestOutputTopic};
use crate::plan::{Topology, changelog_topic};
use crate::processor::{DropReason, FailOnProcessError, ProcessHandler, PunctuationType};
use crate::record::{Headers, Partition, RecordRun, TopicPartition};
use crate::runtime::{DeserializationHandler, FailOnDecodeError, Task, TaskFault, TaskPlan};
use crate::serde::Serde;
use crate::state::{EngineChoice, TaskSettings, TaskState};
use crate::time::{Timestamp, millis};

/// A record as bytes, on its way between topics.
#[derive(Clone, Debug)]
pub(crate) struct PipedRecord {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
}

/// Runs a topology without a log: pipe records in, read what comes out, look into stores, move the clock.
///
/// ```
/// use candlewick::{Consumed, Produced, StreamsBuilder, StringSerde, TopologyTestDriver};
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("words", Consumed::<String, String>::default())
///     .map_values(|word| word.to_uppercase())
///     .to("shouts", Produced::default());
/// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// let words = driver.input_topic("words", StringSerde, StringSerde);
/// let shouts = driver.output_topic("shouts", StringSerde, StringSerde);
/// words.pipe("k".to_string(), "hi".to_string(), 0.into()).expect("processed");
/// assert_eq!(shouts.read_value(), Some("HI".to_string()));
/// ```
pub struct TopologyTestDriver {
    inner: Rc<RefCell<Inner>>,
}

pub(crate) struct Inner {
    tasks: Vec<Task>,
    application: String,
    offsets: BTreeMap<Arc<str>, i64>,
    pub(crate) outputs: BTreeMap<Arc<str>, VecDeque<PipedRecord>>,
    wall: Timestamp,
    store_names: Vec<Vec<Arc<str>>>,
}

/// How a driver runs a topology.
pub struct DriverOptions {
    /// Bytes of write-back cache per task; 0 forwards every update at once, as the JVM's driver does by default.
    pub cache_bytes_max: usize,
    /// Where the virtual wall clock starts.
    pub wall_clock: Timestamp,
    /// Decides about records that fail.
    pub process_handler: Arc<dyn ProcessHandler>,
    /// Decides about bytes that cannot be decoded.
    pub decode_handler: Arc<dyn DeserializationHandler>,
    /// Where dead letters go.
    pub dead_letter_topic: Option<String>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            cache_bytes_max: 0,
            wall_clock: Timestamp(0),
            process_handler: Arc::new(FailOnProcessError),
            decode_handler: Arc::new(FailOnDecodeError),
            dead_letter_topic: None,
        }
    }
}

const APPLICATION: &str = "driver";

/// One task per sub-topology, with state in memory and one partition per topic.
pub(super) fn open_tasks(topology: &Topology, options: &DriverOptions) -> Result<Vec<Task>, TaskFault> {
    let mut tasks = Vec::new();
    for sub in topology.sub_topologies() {
        let plan = TaskPlan {
            topology,
            sub_topology: sub,
            partition: Partition(0),
            application: APPLICATION,
            caching: options.cache_bytes_max > 0,
            partitions_of: &|_| 1,
            dead_letter_topic: options.dead_letter_topic.as_deref(),
            process_handler: Arc::clone(&options.process_handler),
            decode_handler: Arc::clone(&options.decode_handler),
        };
        let settings = TaskSettings {
            engine: EngineChoice::Memory,
            cache_bytes_max: options.cache_bytes_max.max(1 << 20),
            changelog_topics: sub
                .stores
                .iter()
                .map(|store| changelog_topic(APPLICATION, &store.name))
                .collect(),
        };
        let state = TaskState::open(&sub.stores, &settings).expect("stores in memory open");
        let mut task = Task::new(&plan, state);
        task.init(options.wall_clock)?;
        tasks.push(task);
    }
    Ok(tasks)
}

impl TopologyTestDriver {
    /// A driver with default options.
    ///
    /// # Panics
    /// When a processor's `init` fails.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self::with_options(&topology, &DriverOptions::default()).expect("every processor starts")
    }

    /// A driver with these options.
    ///
    /// # Errors
    /// When a processor's `init` fails.
    pub fn with_options(topology: &Topology, options: &DriverOptions) -> Result<Self, TaskFault> {
        let tasks = open_tasks(topology, options)?;
        let subs = topology.sub_topologies().iter();
        let store_names =
            subs.map(|sub| sub.stores.iter().map(|store| Arc::clone(&store.name)).collect()).collect();
        let inner = Inner {
            tasks,
            application: APPLICATION.into(),
            offsets: BTreeMap::new(),
            outputs: BTreeMap::new(),
            wall: options.wall_clock,
            store_names,
        };
        let driver = Self { inner: Rc::new(RefCell::new(inner)) };
        driver.inner.borrow_mut().settle()?;
        Ok(driver)
    }

    /// A typed way into a topic.
    #[must_use]
    pub fn input_topic<K: 'static, V: 'static>(
        &self,
        topic: &str,
        key: impl Serde<K>,
        value: impl Serde<V>,
    ) -> TestInputTopic<K, V> {
        TestInputTopic::new(Rc::clone(&self.inner), topic.into(), Box::new(key), Box::new(value))
    }

    /// A typed way out of a topic.
    #[must_use]
    pub fn output_topic<K: 'static, V: 'static>(
        &self,
        topic: &str,
        key: impl Serde<K>,
        value: impl Serde<V>,
    ) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(Rc::clone(&self.inner), topic.into(), Box::new(key), Box::new(value))
    }

    /// Moves the virtual wall clock forward and fires what is due.
    ///
    /// # Errors
    /// When a punctuator or what it forwards to fails.
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), TaskFault> {
        self.inner.borrow_mut().advance(by)
    }

    /// Runs `look` on a store. `S` is the type it was built with, such as `KeyValueStore<String, i64>`.
    ///
    /// # Panics
    /// When there is no store of this name and type.
    pub fn with_store<S: 'static, R>(&self, name: &str, look: impl FnOnce(&mut S) -> R) -> R {
        let mut inner = self.inner.borrow_mut();
        let position = inner.store_names.iter().enumerate().find_map(|(task, stores)| {
            stores.iter().position(|store| &**store == name).map(|store| (task, store))
        });
        let (task, store) = position.unwrap_or_else(|| panic!("the topology has no store {name}"));
        let store = inner.tasks[task].env.state.stores_mut()[store].as_any_mut();
        look(store.downcast_mut().unwrap_or_else(|| panic!("store {name} is of another type")))
    }

    /// How many records were left out for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        let inner = self.inner.borrow();
        let counts = inner.tasks.iter().flat_map(|task| task.env.dropped());
        counts.filter(|(counted, _)| *counted == reason).map(|(_, count)| count).sum()
    }
}

impl Inner {
    /// Brings a record into a topic and processes everything that follows from it.
    pub(crate) fn pipe(&mut self, topic: &Arc<str>, record: PipedRecord) -> Result<(), TaskFault> {
        if !self.enqueue(topic, &record) {
            panic!("the topology reads no topic {topic}");
        }
        self.settle()
    }

    fn enqueue(&mut self, topic: &Arc<str>, record: &PipedRecord) -> bool {
        let partition = TopicPartition { topic: Arc::clone(topic), partition: Partition(0) };
        let reader = self.tasks.iter_mut().find_map(|task| {
            let queue = task.group.index_of(&partition)?;
            Some((task, queue))
        });
        let Some((task, queue)) = reader else { return false };
        let offset = self.offsets.entry(Arc::clone(topic)).or_insert(0);
        let mut run = RecordRun::new(partition);
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        run.push(*offset, record.timestamp, key, value, record.headers.clone());
        *offset += 1;
        task.enqueue(queue, run);
        true
    }

    /// Processes until nothing waits; a commit after each record.
    fn settle(&mut self) -> Result<(), TaskFault> {
        loop {
            for index in 0..self.tasks.len() {
                self.tasks[index].env.wall = self.wall;
            }
            let Some(index) = self.tasks.iter().position(|task| task.group.buffered() > 0) else {
                for index in 0..self.tasks.len() {
                    self.commit(index)?;
                }
                if self.tasks.iter().all(|task| task.group.buffered() == 0) {
                    return Ok(());
                }
                continue;
            };
            self.tasks[index].process(1)?;
            self.tasks[index].finish_batch()?;
            self.commit(index)?;
        }
    }

    fn commit(&mut self, index: usize) -> Result<(), TaskFault> {
        let task = &mut self.tasks[index];
        task.flush()?;
        let changelogs: Vec<u32> = task.changelogs().map(|(_, topic)| topic).collect();
        let mut produced = Vec::new();
        for at in 0..task.env.outputs.len() {
            let (entry, key, value) = task.env.outputs.get(at);
            if changelogs.contains(&entry.topic) {
                continue;
            }
            let record = PipedRecord {
                key: key.map(<[u8]>::to_vec),
                value: value.map(<[u8]>::to_vec),
                timestamp: entry.timestamp,
                headers: entry.headers.clone(),
            };
            produced.push((Arc::clone(&task.env.topics[entry.topic as usize].name), record));
        }
        task.env.outputs.clear();
        task.committed(&[])?;
        let internal = format!("{}-", self.application);
        for (topic, record) in produced {
            let read = self.enqueue(&topic, &record);
            if !(read && topic.starts_with(&internal)) {
                self.outputs.entry(topic).or_default().push_back(record);
            }
        }
        Ok(())
    }

    fn advance(&mut self, by: Duration) -> Result<(), TaskFault> {
        self.wall = self.wall.plus_millis(millis(by));
        for task in &mut self.tasks {
            task.env.wall = self.wall;
            task.punctuate(PunctuationType::WallClockTime, self.wall)?;
        }
        self.settle()
    }
}
