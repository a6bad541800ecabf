//! The test driver: a whole topology as one task for each partition, one unless more are asked for, on the caller's
//! thread, with a commit after every record. Internal topics are looped back; nothing is sent anywhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::durable::Durable;
use super::globals::Globals;
use super::topics::{EveryTopic, TestInputTopic, TestOutputTopic};
use super::workplace::InlineWorkplace;
use crate::plan::{SubTopology, Topology, changelog_topic};
use crate::processor::{DropReason, FailOnProcessError, ProcessHandler, PunctuationType};
use crate::record::{Headers, Partition, RecordRun, TaskId, TopicPartition};
use crate::runtime::{DeserializationHandler, FailOnDecodeError, Task, TaskFault, TaskPlan};
use crate::serde::{Serde, partition_for_key};
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
/// As in the JVM's driver all sub-topologies share one task and so one stream time, and of the records that wait the one
/// with the lowest time goes first; on a log each sub-topology has tasks and stream times of its own. With more
/// [`partitions`](DriverOptions::partitions) there are as many such tasks, and records go where their key belongs.
/// Changelogs and internal topics can be read like any other, under names that begin with the application's id.
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
    /// By partition.
    tasks: Vec<Driven>,
    globals: Globals,
    pub(crate) outputs: BTreeMap<Arc<str>, VecDeque<PipedRecord>>,
    wall: Timestamp,
    stores: Vec<Arc<str>>,
}

/// The task of one partition.
struct Driven {
    task: Task,
    durable: Durable,
    /// The next offset of each topic's partition.
    offsets: BTreeMap<Arc<str>, i64>,
    /// What the last commit wrote, until it is routed.
    produced: Vec<(Arc<str>, Partition, PipedRecord)>,
}

/// How a driver runs a topology.
///
/// ```
/// use candlewick::{DriverOptions, Timestamp};
/// let options = DriverOptions {
///     application_id: "counter".to_owned(),
///     partitions: 3,
///     wall_clock: Timestamp(1_700_000_000_000),
///     ..DriverOptions::default()
/// };
/// // Every update is forwarded at once, and stores are kept in memory.
/// assert_eq!((options.cache_bytes_max, options.state_dir), (0, None));
/// ```
pub struct DriverOptions {
    /// The application's id, with which the names of its own topics begin.
    pub application_id: String,
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
    /// A folder for persistent stores; without one all stores are kept in memory.
    pub state_dir: Option<PathBuf>,
    /// How many partitions every topic has, and so how many tasks there are. What is piped goes by the hash of its key's
    /// bytes, and to the first partition without one.
    pub partitions: i32,
    /// The topics that the log is said to have, for sources that read by a pattern.
    pub topics: Vec<String>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            application_id: "driver".to_owned(),
            cache_bytes_max: 0,
            wall_clock: Timestamp(0),
            process_handler: Arc::new(FailOnProcessError),
            decode_handler: Arc::new(FailOnDecodeError),
            dead_letter_topic: None,
            state_dir: None,
            partitions: 1,
            topics: Vec::new(),
        }
    }
}

/// All sub-topologies in one task with one partition of each topic, as the JVM's driver has it; `durable` is what a
/// former task left.
pub(super) fn open_task(
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
        let globals = Globals::open(topology, options)?.recorded();
        let open = |partition| Driven::open(topology, options, partition, &globals);
        let inner = Inner {
            tasks: (0..options.partitions.max(1)).map(Partition).map(open).collect::<Result<_, _>>()?,
            globals,
            outputs: BTreeMap::new(),
            wall: options.wall_clock,
            stores: topology
                .sub_topologies()
                .iter()
                .flat_map(|sub| sub.stores.iter().map(|store| Arc::clone(&store.name)))
                .collect(),
        };
        let driver = Self { inner: Rc::new(RefCell::new(inner)) };
        driver.inner.borrow_mut().settle()?;
        Ok(driver)
    }

    /// A typed way into a topic.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Produced, StreamsBuilder, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let input = driver.input_topic("in", StringSerde, I64Serde);
    /// let output = driver.output_topic("out", StringSerde, I64Serde);
    /// input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// assert_eq!(output.read_all(), [("k".to_owned(), 7, Timestamp(1))]);
    /// ```
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
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, Record};
    /// # use candlewick::*;
    /// use std::time::Duration;
    ///
    /// /// Says every second that it lives.
    /// struct Heartbeat;
    ///
    /// impl Processor<String, i64, String, i64> for Heartbeat {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
    ///         Ok(())
    ///     }
    /// #     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> { Ok(()) }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.forward(Record::new("alive".to_owned(), due.timestamp.as_millis(), due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| Heartbeat).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// driver.advance_wall_clock(Duration::from_secs(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1_000]);
    /// ```
    ///
    /// # Errors
    /// When a punctuator or what it forwards to fails.
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), TaskFault> {
        self.inner.borrow_mut().advance(by)
    }

    /// Runs `look` on a store, of the first task. `S` is the type it was built with, such as `KeyValueStore<String, i64>`.
    ///
    /// # Panics
    /// When there is no store of this name and type.
    pub fn with_store<S: 'static, R>(&self, name: &str, look: impl FnOnce(&mut S) -> R) -> R {
        self.with_store_of(Partition(0), name, look)
    }

    /// Runs `look` on a store of the task of this partition, or on a global one.
    ///
    /// ```
    /// use candlewick::{DriverOptions, KeyValueStore, TopologyTestDriver, partition_for_key};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { partitions: 3, ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// let partition = partition_for_key(b"k", 3);
    /// # driver.with_store_of(partition, "numbers", |numbers: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(numbers.get(&"k".to_owned())?.map(|entry| entry.value), Some(7));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Panics
    /// When there is no such partition, or no store of this name and type.
    pub fn with_store_of<S: 'static, R>(
        &self,
        partition: Partition,
        name: &str,
        look: impl FnOnce(&mut S) -> R,
    ) -> R {
        let mut inner = self.inner.borrow_mut();
        let place = inner.stores.iter().position(|store| &**store == name);
        let task = inner.place_of(partition);
        let store = match place {
            Some(place) => Some(&mut inner.tasks[task].task.env.state.stores_mut()[place]),
            None => inner.globals.store(name),
        };
        let store = store.unwrap_or_else(|| panic!("the topology has no store {name}")).as_any_mut();
        look(store.downcast_mut().unwrap_or_else(|| panic!("store {name} is of another type")))
    }

    /// Ends every task as a crash would, and starts others from what was committed: offsets, and the changelogs or, with a
    /// [`state_dir`](DriverOptions::state_dir), the stores on disk. `topology` and `options` are those the driver was made
    /// with. What was dropped before is no longer counted, and punctuators begin anew.
    ///
    /// ```
    /// use candlewick::{DriverOptions, TopologyTestDriver};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let counts = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).count(Materialized::named("counts"));
    /// # counts.to_stream().map_values(|count| count.unwrap_or(0)).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions::default();
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// driver.restart(&topology, &options).expect("its state is restored");
    /// # input.pipe("k".to_string(), 3, Timestamp(3)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Counts of two records before, and of one behind it:
    /// assert_eq!(values, [1, 2, 3]);
    /// ```
    ///
    /// # Errors
    /// When a store cannot be read or a processor's `init` fails.
    pub fn restart(&self, topology: &Topology, options: &DriverOptions) -> Result<(), TaskFault> {
        let mut inner = self.inner.borrow_mut();
        let Inner { tasks, globals, wall, .. } = &mut *inner;
        globals.reopen(topology, options)?;
        for (driven, partition) in tasks.iter_mut().zip((0..).map(Partition)) {
            // The engine allows one environment on a folder: the former one goes first.
            driven.task = open_task(topology, &DriverOptions::default(), partition, &Durable::default())?;
            let mut task = open_task(topology, options, partition, &driven.durable)?;
            task.env.globals = globals.tables();
            task.init(*wall)?;
            driven.task = task;
        }
        Ok(())
    }

    /// How many records were left out for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        let inner = self.inner.borrow();
        let dropped = inner.tasks.iter().flat_map(|driven| driven.task.env.dropped());
        let dropped = dropped.chain(inner.globals.dropped());
        dropped.filter(|(counted, _)| *counted == reason).map(|(_, count)| count).sum()
    }
}

impl Driven {
    fn open(
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

    fn place_of(&self, partition: Partition) -> usize {
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
    fn settle(&mut self) -> Result<(), TaskFault> {
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

    fn advance(&mut self, by: Duration) -> Result<(), TaskFault> {
        self.wall = self.wall.plus_millis(millis(by));
        self.globals.set_wall(self.wall);
        for driven in &mut self.tasks {
            driven.task.env.wall = self.wall;
            driven.task.punctuate(PunctuationType::WallClockTime, self.wall)?;
        }
        self.settle()
    }
}
