//! A backtest: a topology over recorded records, on the caller's thread, as fast as it goes and always the same. One
//! partition per topic, state in memory, commits by count instead of by time, outputs handed over as bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::{DriverOptions, PipedRecord, open_task};
use super::durable::Durable;
use super::globals::Globals;
use crate::plan::Topology;
use crate::record::{Headers, Partition, RecordRun};
use crate::runtime::{Task, TaskFault};
use crate::time::Timestamp;

/// Records between two commits: caches stay warm, outputs stay bounded.
const COMMIT_RECORDS: usize = 4_096;

/// A record that came out.
///
/// ```
/// use candlewick::{BacktestOutput, Serde, I64Serde, Timestamp};
/// /// A number that came out.
/// fn number(output: &BacktestOutput<'_>) -> Option<i64> {
///     I64Serde.deserialize(output.topic, output.value?).ok()
/// }
/// let seven = 7_i64.to_be_bytes();
/// let output = BacktestOutput { topic: "sums", key: None, value: Some(&seven), timestamp: Timestamp(0) };
/// assert_eq!(number(&output), Some(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BacktestOutput<'a> {
    /// The topic it was written to.
    pub topic: &'a str,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// The record's time.
    pub timestamp: Timestamp,
}

/// Runs a topology over recorded records.
///
/// ```
/// use candlewick::{Backtest, Consumed, DriverOptions, Produced, StreamsBuilder, Timestamp};
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("words", Consumed::<String, String>::default())
///     .map_values(|word| word.to_uppercase())
///     .to("shouts", Produced::default());
/// let topology = builder.build().expect("valid");
/// let mut shouts = Vec::new();
/// let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
/// backtest.pipe("words", Some(b"k"), Some(b"hi"), Timestamp(0)).expect("a topic of the topology");
/// backtest.finish(Timestamp(1), |output| shouts.push(output.value.map(<[u8]>::to_vec))).expect("processed");
/// assert_eq!(shouts, [Some(b"HI".to_vec())]);
/// ```
pub struct Backtest {
    task: Task,
    globals: Globals,
    /// What went wrong while a record was piped: told by the next drain.
    failed: Option<TaskFault>,
    /// Source topics by name.
    readers: BTreeMap<Arc<str>, Reader>,
    waiting: usize,
}

struct Reader {
    queue: usize,
    offset: i64,
    run: RecordRun,
}

impl Backtest {
    /// A backtest of `topology`.
    ///
    /// ```
    /// use candlewick::{Backtest, DriverOptions};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() };
    /// assert!(Backtest::new(&topology, &options).is_ok());
    /// ```
    ///
    /// # Errors
    /// When a processor's `init` fails.
    pub fn new(topology: &Topology, options: &DriverOptions) -> Result<Self, TaskFault> {
        let mut task = open_task(topology, options, Partition(0), &Durable::default())?;
        let globals = Globals::open(topology, options)?;
        task.env.globals = globals.tables();
        task.init(options.wall_clock)?;
        let queues = task.group.queues.iter().enumerate();
        let readers = queues
            .map(|(queue, source)| {
                let run = RecordRun::new(source.partition.clone());
                (Arc::clone(&source.partition.topic), Reader { queue, offset: 0, run })
            })
            .collect();
        Ok(Self { task, globals, failed: None, readers, waiting: 0 })
    }

    /// Adds a record to a topic. It is processed with those before it at the next [`drain`](Self::drain); gives whether
    /// that is due.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("words", Consumed::<String, String>::default()).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// # let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    /// // One record is too few for a commit.
    /// assert_eq!(backtest.pipe("words", Some(b"k"), Some(b"hi"), Timestamp(0)), Ok(false));
    /// assert_eq!(backtest.pipe("wrods", Some(b"k"), Some(b"hi"), Timestamp(0)), Err("wrods"));
    /// ```
    ///
    /// # Errors
    /// Gives back the name of a topic that the topology does not read.
    pub fn pipe<'t>(
        &mut self,
        topic: &'t str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<bool, &'t str> {
        if self.globals.reads(topic) {
            let (key, value) = (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
            let record = PipedRecord { key, value, timestamp, headers: Headers::default() };
            self.failed = self.failed.take().or(self.globals.put(&topic.into(), &record).err());
            return Ok(self.failed.is_some());
        }
        let reader = self.readers.get_mut(topic).ok_or(topic)?;
        reader.run.push(reader.offset, timestamp, key, value, Headers::default());
        reader.offset += 1;
        self.waiting += 1;
        Ok(self.waiting >= COMMIT_RECORDS)
    }

    /// Processes what waits, commits, and hands over what comes out, in order.
    ///
    /// ```
    /// use candlewick::{Backtest, Consumed, DriverOptions, Grouped, Materialized, Produced, StreamsBuilder, Timestamp};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("words", Consumed::<String, String>::default())
    ///     .group_by_key(Grouped::default())
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map_values(|count| count.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// let topology = builder.build().expect("valid");
    /// let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    /// let mut counts = Vec::new();
    /// for time in 0..10_000 {
    ///     let is_due = backtest.pipe("words", Some(b"k"), Some(b"word"), Timestamp(time)).expect("a source topic");
    ///     if is_due {
    ///         backtest.drain(|output| counts.push(output.value.map(<[u8]>::to_vec))).expect("processed");
    ///     }
    /// }
    /// backtest.finish(Timestamp(10_000), |output| counts.push(output.value.map(<[u8]>::to_vec))).expect("processed");
    /// assert_eq!(counts.last(), Some(&Some(10_000_i64.to_be_bytes().to_vec())));
    /// ```
    ///
    /// # Errors
    /// When a record fails and its handler does not skip it.
    pub fn drain(&mut self, mut output: impl FnMut(BacktestOutput<'_>)) -> Result<(), TaskFault> {
        self.waiting = 0;
        if let Some(fault) = self.failed.take() {
            return Err(fault);
        }
        loop {
            for reader in self.readers.values_mut().filter(|reader| !reader.run.is_empty()) {
                let source = reader.run.source.clone();
                let run = std::mem::replace(&mut reader.run, RecordRun::new(source));
                self.task.enqueue(reader.queue, run);
            }
            let mut moved = self.task.process(usize::MAX)? > 0;
            while self.task.is_blocked() {
                self.task.work_off()?;
                moved |= self.task.process(usize::MAX)? > 0;
            }
            self.commit(&mut output)?;
            if !moved && self.readers.values().all(|reader| reader.run.is_empty()) {
                return Ok(());
            }
        }
    }

    /// Processes what waits and moves stream time on to `time`, so that every window that ends by then closes.
    ///
    /// ```
    /// use candlewick::{Backtest, Consumed, DriverOptions, Grouped, Materialized, Produced, StreamsBuilder};
    /// use candlewick::{TimeWindows, Timestamp};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("words", Consumed::<String, String>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
    ///     .emit_on_window_close()
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map(|window, count| (window.key, count.unwrap_or(0)))
    ///     .to("out", Produced::<String, i64>::default());
    /// let topology = builder.build().expect("valid");
    /// let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    /// backtest.pipe("words", Some(b"k"), Some(b"word"), Timestamp(1)).expect("a source topic");
    /// let mut told = 0;
    /// backtest.drain(|_| told += 1).expect("processed");
    /// assert_eq!(told, 0, "the window is open");
    /// backtest.finish(Timestamp(60_000), |_| told += 1).expect("processed");
    /// assert_eq!(told, 1);
    /// ```
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    pub fn finish(
        mut self,
        time: Timestamp,
        mut output: impl FnMut(BacktestOutput<'_>),
    ) -> Result<(), TaskFault> {
        self.drain(&mut output)?;
        self.task.advance(time)?;
        self.drain(&mut output)
    }

    /// How many records were left out for this reason.
    ///
    /// ```
    /// use candlewick::{Backtest, Consumed, DriverOptions, DropReason, Grouped, Materialized, StreamsBuilder};
    /// # use candlewick::Timestamp;
    /// let builder = StreamsBuilder::new();
    /// let words = builder.stream("words", Consumed::<Option<String>, String>::default());
    /// words.group_by_key(Grouped::default()).count(Materialized::named("counts"));
    /// let topology = builder.build().expect("valid");
    /// let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    /// backtest.pipe("words", None, Some(b"word"), Timestamp(0)).expect("a source topic");
    /// backtest.drain(|_| ()).expect("processed");
    /// assert_eq!(backtest.dropped(DropReason::NullKey), 1);
    /// ```
    #[must_use]
    pub fn dropped(&self, reason: crate::processor::DropReason) -> u64 {
        let dropped = self.task.env.dropped().chain(self.globals.dropped());
        dropped.filter(|(counted, _)| *counted == reason).map(|(_, count)| count).sum()
    }

    fn commit(&mut self, output: &mut impl FnMut(BacktestOutput<'_>)) -> Result<(), TaskFault> {
        let task = &mut self.task;
        task.finish_slow_work()?;
        task.flush()?;
        let changelogs: Vec<u32> = task.changelogs().map(|(_, topic)| topic).collect();
        for at in 0..task.env.outputs.len() {
            let (entry, key, value) = task.env.outputs.get(at);
            if changelogs.contains(&entry.topic) {
                continue;
            }
            let topic = &task.env.topics[entry.topic as usize].name;
            if let Some(reader) = self.readers.get_mut(topic) {
                reader.run.push(reader.offset, entry.timestamp, key, value, entry.headers.clone());
                reader.offset += 1;
            } else {
                output(BacktestOutput { topic, key, value, timestamp: entry.timestamp });
            }
        }
        task.env.outputs.clear();
        task.committed(&[])
    }
}
