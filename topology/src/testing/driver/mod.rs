//! The test driver: a whole topology as one task for each partition, one unless more are asked for, on the caller's
//! thread, with a commit after every record. Internal topics are looped back; nothing is sent anywhere.

mod options;
mod tasks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub use self::options::DriverOptions;
use self::tasks::Driven;
pub(crate) use self::tasks::{Inner, PipedRecord, open_task};
use super::durable::Durable;
use super::globals::Globals;
use super::topics::{TestInputTopic, TestOutputTopic};
use crate::plan::Topology;
use crate::processor::DropReason;
use crate::record::Partition;
use crate::runtime::TaskFault;
use crate::serde::Serde;

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

impl TopologyTestDriver {
    /// A driver with default options.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default());
    /// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// assert!(driver.advance_wall_clock(std::time::Duration::from_secs(1)).is_ok());
    /// ```
    ///
    /// # Panics
    /// When a processor's `init` fails.
    #[must_use]
    pub fn new(topology: Topology) -> Self {
        Self::with_options(&topology, &DriverOptions::default()).expect("every processor starts")
    }

    /// A driver with these options.
    ///
    /// ```
    /// use candlewick::{DriverOptions, SkipOnDecodeError, TopologyTestDriver};
    /// # use {candlewick::*, std::sync::Arc};
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { decode_handler: Arc::new(SkipOnDecodeError), ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// // A text where numbers are read:
    /// let input = driver.input_topic("in", StringSerde, StringSerde);
    /// assert!(input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).is_ok());
    /// ```
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
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// let output = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// assert_eq!(output.read_value(), Some(7));
    /// assert_eq!(output.read_value(), None);
    /// ```
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
    /// #     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         Ok(())
    /// #     }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.forward(Record::new("alive".to_owned(), due.timestamp.as_millis(), due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Heartbeat).to("out", Produced::default());
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
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// numbers.group_by_key(Grouped::default()).count(Materialized::named("counts"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// let count = driver.with_store("counts", |counts: &mut KeyValueStore<String, i64>| {
    ///     counts.get(&"k".to_owned()).expect("in memory").map(|entry| entry.value)
    /// });
    /// // Of two records:
    /// assert_eq!(count, Some(2));
    /// ```
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
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # let counts = numbers.group_by_key(Grouped::default()).count(Materialized::named("counts"));
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
    ///
    /// ```
    /// use candlewick::{DropReason, Grouped, Materialized, TimeWindows};
    /// # use {candlewick::*, std::time::Duration};
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10));
    /// numbers.windowed_by(windows).count(Materialized::named("counts"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for time in [5, 15, 6] { input.pipe("k".to_owned(), 7, Timestamp(time)).expect("processed"); }
    /// // Of records at 5, 15 and 6:
    /// assert_eq!(driver.dropped(DropReason::Late), 1);
    /// ```
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        let inner = self.inner.borrow();
        let dropped = inner.tasks.iter().flat_map(|driven| driven.task.env.dropped());
        let dropped = dropped.chain(inner.globals.dropped());
        dropped.filter(|(counted, _)| *counted == reason).map(|(_, count)| count).sum()
    }
}
