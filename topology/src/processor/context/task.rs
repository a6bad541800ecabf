//! What a processor learns of its task, time and where records are from, and what it has the task count, commit and
//! remember. Must not know how records are forwarded.

use super::Context;
use crate::processor::env::DropReason;
use crate::record::{RecordMetadata, TaskId};
use crate::time::Timestamp;

impl<K, V> Context<'_, K, V> {
    /// The greatest record time this task has seen; [`Timestamp::UNKNOWN`] before the first record.
    ///
    /// ```
    /// # use candlewick::*;
    /// /// Whether a record is older than one that came before it.
    /// fn is_late(record: &Record<String, i64>, cx: &Context<'_, String, i64>) -> bool {
    ///     record.timestamp < cx.stream_time()
    /// }
    /// # struct Late;
    /// # impl Processor<String, i64, String, i64> for Late {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         if is_late(&record, cx) { cx.forward(record) } else { Ok(()) }
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Late).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [9, 7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// // Of records at 9 and 7:
    /// assert_eq!(out, [("k".to_owned(), 7, Timestamp(7))]);
    /// ```
    #[must_use]
    pub fn stream_time(&self) -> Timestamp {
        self.hop.env.stream_time
    }

    /// Wall-clock time as of the last poll.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Record};
    /// # use candlewick::*;
    ///
    /// /// How old each record is when it is processed, in milliseconds.
    /// struct Age;
    ///
    /// impl Processor<String, i64, String, i64> for Age {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let age = cx.wall_clock().as_millis() - record.timestamp.as_millis();
    ///         cx.forward(record.with_value(age))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Age).to("out", Produced::default());
    /// # let options = DriverOptions { wall_clock: Timestamp(100), ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&builder.build().expect("valid"), &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [40, 90] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 40 and 90, at 100:
    /// assert_eq!(values, [60, 10]);
    /// ```
    #[must_use]
    pub fn wall_clock(&self) -> Timestamp {
        self.hop.env.wall
    }

    /// Where the record in process came from; `None` inside a wall-clock punctuator before the first record.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Record};
    /// # use candlewick::*;
    ///
    /// /// Each record's offset.
    /// struct Offsets;
    ///
    /// impl Processor<String, i64, String, i64> for Offsets {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let offset = cx.metadata().map_or(-1, |origin| origin.offset);
    ///         cx.forward(record.with_value(offset))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Offsets).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [70, 80] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [0, 1]);
    /// ```
    #[must_use]
    pub fn metadata(&self) -> Option<RecordMetadata> {
        self.hop.env.metadata()
    }

    /// The task this processor belongs to.
    ///
    /// ```
    /// # use candlewick::*;
    /// /// Each record with the partition of its task.
    /// struct Tasks;
    /// impl Processor<String, i64, String, i64> for Tasks {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let partition = cx.task_id().partition;
    ///         cx.forward(record.with_value(partition.0.into()))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Tasks).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// assert_eq!(out, [("k".to_owned(), 0, Timestamp(7))]);
    /// ```
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.hop.env.task
    }

    /// Asks for a commit after this record instead of at the end of the commit interval.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Record};
    ///
    /// /// Has every hundredth record committed with those before it.
    /// struct Careful(u64);
    ///
    /// impl Processor<String, i64, String, i64> for Careful {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         self.0 += 1;
    ///         if self.0.is_multiple_of(100) {
    ///             cx.request_commit();
    ///         }
    ///         cx.forward(record)
    ///     }
    /// }
    /// ```
    pub fn request_commit(&mut self) {
        self.hop.env.commit_requested = true;
    }

    /// What this operator remembered under `key` with the last committed offsets.
    pub(crate) fn recall(&self, key: &str) -> Option<i64> {
        self.hop.env.remembered.get(key).copied()
    }

    /// Has `value` committed with the offsets, so that a restarted task goes on from it.
    pub(crate) fn remember(&mut self, key: &std::sync::Arc<str>, value: i64) {
        match self.hop.env.remembered.get_mut(key) {
            Some(slot) => *slot = value,
            None => drop(self.hop.env.remembered.insert(std::sync::Arc::clone(key), value)),
        }
    }

    /// Counts a record that the processor leaves out, under `reason`, so that it shows in the metrics.
    ///
    /// ```
    /// use candlewick::{Context, DropReason, ProcessError, Processor, Record};
    /// # use candlewick::*;
    ///
    /// /// Takes only what is not late.
    /// struct InOrder;
    ///
    /// impl Processor<String, i64, String, i64> for InOrder {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         if record.timestamp < cx.stream_time() {
    ///             cx.drop_record(DropReason::Late);
    ///             return Ok(());
    ///         }
    ///         cx.forward(record)
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| InOrder);
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 9, 6] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// // Of records at 5, 9 and 6:
    /// assert_eq!(driver.dropped(DropReason::Late), 1);
    /// ```
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.hop.env.count_drop(reason);
    }
}
