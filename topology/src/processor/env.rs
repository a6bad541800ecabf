//! What the nodes of one task share: stores, outputs, time, punctuators, counters and the processing handler.
//! Owned by the task and moved with it. Knows no thread and no client.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::output::OutputBuffer;
use super::policy::ErrorPolicy;
use super::punctuation::Punctuators;
use super::slow::{Unfinished, Workplace};
use crate::error::ProcessError;
use crate::record::{RecordMetadata, TaskId, TopicPartition};
use crate::state::{GlobalHandle, GlobalStore, GlobalTables, StoreHandle, TaskState};
use crate::time::Timestamp;

/// Why a record was left out. Each is counted apart (`dropped-records` in Kafka Streams counts them together).
///
/// ```
/// use candlewick::DropReason;
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # let counts = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
/// # counts.windowed_by(TimeWindows::of_size_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("counts"));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 15, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// // Of records at 1, 15 and 2, counted in windows of ten milliseconds without grace:
/// assert_eq!(driver.dropped(DropReason::Late), 1);
/// let names: Vec<&str> = DropReason::ALL.into_iter().map(DropReason::name).collect();
/// assert_eq!(names[..4], ["null_key", "null_value", "no_partition", "late"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A null key where the operation needs one.
    NullKey,
    /// A null value where the operation needs one.
    NullValue,
    /// No partition was chosen for it.
    NoPartition,
    /// Beyond its window's grace.
    Late,
    /// A negative time.
    NegativeTimestamp,
    /// Bytes that could not be decoded.
    Decode,
    /// Skipped by the processing handler.
    Process,
    /// Refused by the log and skipped by the production handler.
    Produce,
}

impl DropReason {
    /// All reasons, in the order in which they are counted.
    pub const ALL: [Self; 8] = [
        Self::NullKey,
        Self::NullValue,
        Self::NoPartition,
        Self::Late,
        Self::NegativeTimestamp,
        Self::Decode,
        Self::Process,
        Self::Produce,
    ];

    /// The reason's name in metrics.
    ///
    /// ```
    /// assert_eq!(candlewick::DropReason::NullKey.name(), "null_key");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullKey => "null_key",
            Self::NullValue => "null_value",
            Self::NoPartition => "no_partition",
            Self::Late => "late",
            Self::NegativeTimestamp => "negative_timestamp",
            Self::Decode => "decode",
            Self::Process => "process",
            Self::Produce => "produce",
        }
    }
}

/// What to do about a record that failed.
///
/// ```
/// use candlewick::{ProcessError, ProcessResponse};
/// /// What to do about an error, by its cause.
/// fn about(error: &ProcessError) -> ProcessResponse {
///     match error.cause().downcast_ref::<std::num::ParseIntError>() {
///         Some(_) => ProcessResponse::DeadLetter,
///         None => ProcessResponse::Fail,
///     }
/// }
/// let error = ProcessError::from("seven".parse::<i64>().expect_err("no digits"));
/// assert_eq!(about(&error), ProcessResponse::DeadLetter);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessResponse {
    /// Leave the record out, count it, and go on.
    Continue,
    /// End the task; the record is read again after a restart.
    Fail,
    /// Write the source record's raw bytes to the dead letter topic, then go on.
    DeadLetter,
    /// Go back to the last commit, rest, and process the record again.
    Retry {
        /// How long to rest.
        after: Duration,
    },
}

/// A record that failed, as the handlers see it.
///
/// ```
/// use candlewick::{FailedRecord, Partition, ProcessError, RecordMetadata, TaskId, TopicPartition};
/// /// One line for a log.
/// fn told(failed: &FailedRecord<'_>) -> String {
///     let (task, error) = (failed.task, failed.error);
///     match failed.origin {
///         Some(origin) => format!("task {task}, {}@{}: {error}", origin.source, origin.offset),
///         None => format!("task {task}: {error}"),
///     }
/// }
/// let error = ProcessError::new("the price is negative");
/// let origin = RecordMetadata { source: TopicPartition::new("trades", 3), offset: 17 };
/// let task = TaskId { sub_topology: 0, partition: Partition(3) };
/// let failed = FailedRecord { task, origin: Some(&origin), error: &error, failures: 0 };
/// assert_eq!(told(&failed), "task 0_3, trades-3@17: the price is negative");
/// ```
#[derive(Debug)]
pub struct FailedRecord<'a> {
    /// The task.
    pub task: TaskId,
    /// Where the source record came from, when one was in process.
    pub origin: Option<&'a RecordMetadata>,
    /// The error; it names the node.
    pub error: &'a ProcessError,
    /// How often this record has failed and was tried again before.
    pub failures: u32,
}

/// Decides about records that a processor refused (KIP-1033).
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{DriverOptions, DropReason, FailedRecord, ProcessHandler, ProcessResponse};
/// # use candlewick::*;
///
/// /// Leaves out what was written before a bug was mended, and fails on anything newer.
/// struct SkipUntil(i64);
///
/// impl ProcessHandler for SkipUntil {
///     fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
///         match failed.origin {
///             Some(origin) if origin.offset < self.0 => ProcessResponse::Continue,
///             Some(_) | None => ProcessResponse::Fail,
///         }
///     }
/// }
///
/// let options = DriverOptions { process_handler: Arc::new(SkipUntil(1)), ..DriverOptions::default() };
/// # struct Refuse;
/// # impl Processor<String, i64, String, i64> for Refuse {
/// #     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> { Err(ProcessError::new("no")) }
/// # }
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| Refuse);
/// # let driver = TopologyTestDriver::with_options(&builder.build().expect("valid"), &options).expect("started");
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// // Of a processor that refuses everything:
/// assert!(input.pipe("k".to_owned(), 1, Timestamp(0)).is_ok());
/// assert!(input.pipe("k".to_owned(), 1, Timestamp(0)).is_err());
/// assert_eq!(driver.dropped(DropReason::Process), 1);
/// ```
pub trait ProcessHandler: Send + Sync + 'static {
    /// Called on the failing record's thread.
    fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse;
}

/// Ends the task at the first error: the default.
///
/// ```
/// use candlewick::{FailOnProcessError, FailedRecord, Partition, ProcessHandler, ProcessResponse, TaskId};
/// # use candlewick::ProcessError;
/// let error = ProcessError::new("the price is negative");
/// let task = TaskId { sub_topology: 0, partition: Partition(3) };
/// let failed = FailedRecord { task, origin: None, error: &error, failures: 0 };
/// assert_eq!(FailOnProcessError.on_error(&failed), ProcessResponse::Fail);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FailOnProcessError;

impl ProcessHandler for FailOnProcessError {
    fn on_error(&self, _: &FailedRecord<'_>) -> ProcessResponse {
        ProcessResponse::Fail
    }
}

/// Leaves failing records out with a warning.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{DriverOptions, DropReason, SkipOnProcessError};
/// # use candlewick::*;
/// # struct OnlyEven;
/// # impl Processor<String, i64, String, i64> for OnlyEven {
/// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
/// #         if record.value % 2 == 0 { cx.forward(record) } else { Err(ProcessError::new("odd")) }
/// #     }
/// # }
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| OnlyEven).to("out", Produced::default());
/// # let topology = builder.build().expect("valid");
/// let options = DriverOptions { process_handler: Arc::new(SkipOnProcessError), ..DriverOptions::default() };
/// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 1, 2 and 3, where odd numbers are refused:
/// assert_eq!(values, [2]);
/// assert_eq!(driver.dropped(DropReason::Process), 2);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SkipOnProcessError;

impl ProcessHandler for SkipOnProcessError {
    fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
        tracing::warn!(task = %failed.task, error = %failed.error, "record skipped");
        ProcessResponse::Continue
    }
}

/// An output topic as the sinks of a task see it.
#[derive(Clone, Debug)]
pub(crate) struct OutputTopic {
    pub(crate) name: Arc<str>,
    pub(crate) partitions: i32,
    pub(crate) refusals: Refusals,
}

/// What becomes of records that a topic refuses.
#[derive(Clone, Debug, Default)]
pub(crate) enum Refusals {
    /// As the application says.
    #[default]
    Handled,
    /// As the sink of this name says.
    By(Arc<str>, ErrorPolicy),
    /// The task fails: changelogs must be whole, and dead letters are the last resort.
    Fatal,
}

/// Tells the topics of the log, for sinks whose records choose among them.
pub(crate) trait TopicDirectory: Send + Sync {
    /// How many partitions a topic has; `None` where there is none of this name. May wait for the log.
    fn partitions(&self, topic: &str) -> Result<Option<i32>, ProcessError>;
}

/// Under which the number of commits is remembered.
const COMMITS: &str = "commits";

/// The shared environment of a task's nodes.
pub(crate) struct Env {
    pub(crate) task: TaskId,
    pub(crate) state: TaskState,
    pub(crate) outputs: OutputBuffer,
    /// Only grows: records choose topics that were not known at first.
    pub(crate) topics: Vec<OutputTopic>,
    pub(crate) directory: Arc<dyn TopicDirectory>,
    pub(crate) punctuators: Punctuators,
    pub(crate) stream_time: Timestamp,
    /// The time of the record in process, as its extractor told it.
    pub(crate) record_time: Timestamp,
    pub(crate) wall: Timestamp,
    pub(crate) commit_requested: bool,
    /// Set when the handler asked for the record in process to become a dead letter.
    pub(crate) dead_letter: Option<ProcessError>,
    /// Records that slow nodes have taken and not yet forwarded.
    pub(crate) unfinished: Unfinished,
    /// The instance's global tables.
    pub(crate) globals: GlobalTables,
    /// Where keys of global tables are written to be looked up.
    global_key: Vec<u8>,
    /// How often the record in process has failed before.
    pub(crate) failures: u32,
    /// What operators must not forget, committed with the offsets.
    pub(crate) remembered: BTreeMap<Arc<str>, i64>,
    sources: Vec<TopicPartition>,
    current: Option<(usize, i64)>,
    dropped: [u64; DropReason::ALL.len()],
    handler: Arc<dyn ProcessHandler>,
}

impl Env {
    pub(crate) fn new(
        task: TaskId,
        state: TaskState,
        (topics, directory): (Vec<OutputTopic>, Arc<dyn TopicDirectory>),
        sources: Vec<TopicPartition>,
        handler: Arc<dyn ProcessHandler>,
        workplace: Arc<dyn Workplace>,
    ) -> Self {
        Self {
            task,
            state,
            outputs: OutputBuffer::default(),
            topics,
            directory,
            punctuators: Punctuators::default(),
            stream_time: Timestamp::UNKNOWN,
            record_time: Timestamp::UNKNOWN,
            wall: Timestamp(0),
            commit_requested: false,
            dead_letter: None,
            unfinished: Unfinished::new(workplace),
            globals: GlobalTables::default(),
            global_key: Vec::new(),
            failures: 0,
            remembered: BTreeMap::new(),
            sources,
            current: None,
            dropped: [0; DropReason::ALL.len()],
            handler,
        }
    }

    /// Numbers what operators remember, so that the latest of several commits is known.
    pub(crate) fn count_commit(&mut self) {
        if let Some(count) = self.remembered.get_mut(COMMITS) {
            *count += 1;
        } else if !self.remembered.is_empty() {
            self.remembered.insert(COMMITS.into(), 1);
        }
    }

    /// Takes up what operators remembered at one commit, unless that of a later one was taken up already.
    pub(crate) fn recall(&mut self, remembered: &BTreeMap<Arc<str>, i64>) {
        let age = remembered.get(COMMITS).cmp(&self.remembered.get(COMMITS));
        for (key, value) in remembered {
            let slot = self.remembered.entry(Arc::clone(key)).or_insert(*value);
            *slot = match age {
                Ordering::Less => *slot,
                // Written before commits were numbered.
                Ordering::Equal => (*slot).max(*value),
                Ordering::Greater => *value,
            };
        }
    }

    #[inline]
    pub(crate) fn store<S: 'static>(&mut self, handle: StoreHandle<S>) -> &mut S {
        handle.get(self.state.stores_mut())
    }

    /// A global table or store, to be read.
    #[inline]
    pub(crate) fn global<'a, K: 'static, V: 'static>(
        &'a mut self,
        handle: &'a GlobalHandle<K, V>,
    ) -> GlobalStore<'a, K, V> {
        self.globals.open(handle, &mut self.global_key)
    }

    #[inline]
    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    pub(crate) fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }

    /// The record that is now in process: its source (an index into the task's partitions) and offset.
    #[inline]
    pub(crate) fn set_current(&mut self, source: usize, offset: i64) {
        self.current = Some((source, offset));
        self.outputs.origin = self.current;
    }

    /// The source and offset of the record in process.
    pub(crate) fn current(&self) -> Option<(usize, i64)> {
        self.current
    }

    /// A record that came from there is in process again.
    pub(crate) fn set_origin(&mut self, origin: Option<(usize, i64)>) {
        self.current = origin;
    }

    pub(crate) fn metadata(&self) -> Option<RecordMetadata> {
        let (source, offset) = self.current?;
        Some(RecordMetadata { source: self.sources[source].clone(), offset })
    }

    /// Asks the node's own policy, or else the handler, about a failed record: `Ok` when it is left out.
    #[cold]
    pub(crate) fn skip(
        &mut self,
        error: ProcessError,
        policy: Option<&ErrorPolicy>,
    ) -> Result<(), ProcessError> {
        if error.is_fatal() {
            return Err(error);
        }
        match self.answer(&error, policy) {
            ProcessResponse::Continue => {
                self.count_drop(DropReason::Process);
                Ok(())
            }
            ProcessResponse::DeadLetter => {
                self.count_drop(DropReason::Process);
                self.dead_letter = Some(error);
                Ok(())
            }
            ProcessResponse::Retry { after } => Err(error.into_retry(after)),
            ProcessResponse::Fail => Err(error.into_fatal()),
        }
    }

    /// What is to be done about an error of the record in process.
    pub(crate) fn answer(&self, error: &ProcessError, policy: Option<&ErrorPolicy>) -> ProcessResponse {
        let origin = self.metadata();
        let failed =
            FailedRecord { task: self.task, origin: origin.as_ref(), error, failures: self.failures };
        match policy {
            Some(policy) => policy.on_error(&failed),
            None => self.handler.on_error(&failed),
        }
    }
}
