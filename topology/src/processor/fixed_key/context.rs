//! What a processor that keeps keys sees of its task: all that [`Context`] offers but records with other keys.

use std::time::Duration;

use super::FixedKeyRecord;
use crate::error::ProcessError;
use crate::processor::context::{ChildHandle, Context};
use crate::processor::env::DropReason;
use crate::processor::punctuation::{PunctuationType, PunctuatorId};
use crate::record::{RecordMetadata, TaskId};
use crate::state::{GlobalHandle, GlobalStore, StoreHandle};
use crate::time::Timestamp;

/// What a [`FixedKeyProcessor`] sees of its task: everything that [`Context`] has but records with keys of one's own.
///
/// ```
/// use candlewick::{DropReason, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, ProcessError};
/// use candlewick::{KeyValueStore, StoreHandle};
/// # use candlewick::*;
///
/// /// By how much the number is greater than the one before it; smaller ones are left out.
/// struct Rise { last: StoreHandle<KeyValueStore<String, i64>> }
///
/// impl FixedKeyProcessor<String, i64, i64> for Rise {
///     fn process(
///         &mut self,
///         record: FixedKeyRecord<String, i64>,
///         cx: &mut FixedKeyContext<'_, '_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         let last = cx.store(self.last);
///         let before = last.get(record.key())?.map_or(0, |entry| entry.value);
///         if record.value < before {
///             cx.drop_record(DropReason::Process);
///             return Ok(());
///         }
///         last.put(record.key().clone(), record.value, record.timestamp)?;
///         let rise = record.value - before;
///         cx.forward(record.with_value(rise))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # builder.add_store(Stores::key_value::<String, i64>("last", StringSerde, I64Serde));
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// # numbers.process_values(&["last"], |stores| Rise { last: stores.get("last") }).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [3, 5, 4, 9] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 3, 5, 4 and 9:
/// assert_eq!(values, [3, 2, 4]);
/// ```
pub struct FixedKeyContext<'c, 'a, K, V> {
    pub(super) context: &'c mut Context<'a, K, V>,
}

impl<K: Clone + 'static, V: Clone + 'static> FixedKeyContext<'_, '_, K, V> {
    /// As [`Context::forward`].
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     cx.forward(record.clone())?;
    ///     cx.forward(record)
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8:
    /// assert_eq!(values, [7, 7, 8, 8]);
    /// ```
    ///
    /// # Errors
    /// The error of a node below that the processing handler did not skip.
    #[inline]
    pub fn forward(&mut self, record: FixedKeyRecord<K, V>) -> Result<(), ProcessError> {
        self.context.forward(record.into_record())
    }

    /// As [`Context::forward_to`].
    ///
    /// ```
    /// fn to_large_or_all(
    ///     large: ChildHandle,
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     if record.value >= 8 { cx.forward_to(large, record) } else { cx.forward(record) }
    /// }
    /// # use candlewick::*; struct P(Option<ChildHandle>); impl FixedKeyProcessor<String, i64, i64> for P { fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { self.0 = cx.child("large"); Ok(()) } fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { match self.0 { Some(large) => to_large_or_all(large, record, cx), None => cx.forward(record) } } }
    /// # let builder = StreamsBuilder::new(); let numbers = builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P(None)); numbers.filter(|_, _| true).named("large"); numbers.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8, what the other child got:
    /// assert_eq!(values, [7]);
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_to(
        &mut self,
        child: ChildHandle,
        record: FixedKeyRecord<K, V>,
    ) -> Result<(), ProcessError> {
        self.context.forward_to(child, record.into_record())
    }

    /// As [`Context::child`].
    ///
    /// ```
    /// fn large(cx: & FixedKeyContext<'_, '_, String, i64>) -> Option<ChildHandle> {
    ///     cx.child("large")
    /// }
    /// # use candlewick::*; struct P(bool); impl FixedKeyProcessor<String, i64, i64> for P { fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { self.0 = large(cx).is_some(); Ok(()) } fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { cx.forward(record.with_value(if self.0 { 10 } else { 0 })) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P(false)).filter(|_, n| *n > 7).named("large").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Where a node of this name is below:
    /// assert_eq!(values, [10, 10]);
    /// ```
    #[must_use]
    pub fn child(&self, name: &str) -> Option<ChildHandle> {
        self.context.child(name)
    }

    /// As [`Context::schedule`].
    ///
    /// ```
    /// use std::time::Duration;
    /// fn init(cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> {
    ///     cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
    ///     Ok(())
    /// }
    /// # use candlewick::*; struct P(Option<FixedKeyRecord<String, i64>>); impl FixedKeyProcessor<String, i64, i64> for P { fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { init(cx) } fn process(&mut self, record: FixedKeyRecord<String, i64>, _: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { self.0 = Some(record); Ok(()) } fn punctuate(&mut self, _: Punctuation, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { self.0.take().map_or(Ok(()), |last| cx.forward(last)) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P(None)).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); } driver.advance_wall_clock(Duration::from_secs(1)).expect("processed");
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8, and a second, by a processor that forwards the last one when it is due:
    /// assert_eq!(values, [8]);
    /// ```
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuatorId {
        self.context.schedule(interval, kind)
    }

    /// As [`Context::schedule_from`].
    pub fn schedule_from(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> PunctuatorId {
        self.context.schedule_from(start, interval, kind)
    }

    /// As [`Context::cancel`].
    pub fn cancel(&mut self, punctuator: PunctuatorId) {
        self.context.cancel(punctuator);
    }
}

impl<K, V> FixedKeyContext<'_, '_, K, V> {
    /// As [`Context::store`].
    ///
    /// ```
    /// fn process(
    ///     sums: StoreHandle<KeyValueStore<String, i64>>,
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let sum = cx.store(sums).get(record.key())?.map_or(0, |entry| entry.value) + record.value;
    ///     cx.store(sums).put(record.key().clone(), sum, record.timestamp)?;
    ///     cx.forward(record.with_value(sum))
    /// }
    /// # use candlewick::*; struct P(StoreHandle<KeyValueStore<String, i64>>); impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(self.0, record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.add_store(Stores::key_value::<String, i64>("sums", StringSerde, I64Serde)); builder.stream("in", Consumed::<String, i64>::default()).process_values(&["sums"], |stores| P(stores.get("sums"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8:
    /// assert_eq!(values, [7, 15]);
    /// ```
    ///
    /// # Panics
    /// When the handle was made for another store.
    #[inline]
    pub fn store<S: 'static>(&mut self, handle: StoreHandle<S>) -> &mut S {
        self.context.store(handle)
    }

    /// As [`Context::global`].
    #[inline]
    pub fn global<'g, A: 'static, B: 'static>(
        &'g mut self,
        handle: &'g GlobalHandle<A, B>,
    ) -> GlobalStore<'g, A, B> {
        self.context.global(handle)
    }

    /// As [`Context::stream_time`].
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let time = cx.stream_time().as_millis();
    ///     cx.forward(record.with_value(time))
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [8, 7] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of records at 8 and 7:
    /// assert_eq!(values, [8, 8]);
    /// ```
    #[must_use]
    pub fn stream_time(&self) -> Timestamp {
        self.context.stream_time()
    }

    /// As [`Context::wall_clock`].
    ///
    /// ```
    /// fn age(record: &FixedKeyRecord<String, i64>, cx: &FixedKeyContext<'_, '_, String, i64>) -> i64 {
    ///     cx.wall_clock().as_millis() - record.timestamp.as_millis()
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { let age = age(&record, cx); cx.forward(record.with_value(age)) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); driver.advance_wall_clock(std::time::Duration::from_millis(10)).expect("processed"); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of records at 7 and 8, at 10:
    /// assert_eq!(values, [3, 2]);
    /// ```
    #[must_use]
    pub fn wall_clock(&self) -> Timestamp {
        self.context.wall_clock()
    }

    /// As [`Context::metadata`].
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let offset = cx.metadata().map_or(-1, |origin| origin.offset);
    ///     cx.forward(record.with_value(offset))
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// assert_eq!(values, [0, 1]);
    /// ```
    #[must_use]
    pub fn metadata(&self) -> Option<RecordMetadata> {
        self.context.metadata()
    }

    /// As [`Context::task_id`].
    ///
    /// ```
    /// fn partition(cx: &FixedKeyContext<'_, '_, String, i64>) -> Partition {
    ///     cx.task_id().partition
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { let partition = partition(cx); cx.forward(record.with_value(partition.0.into())) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// assert_eq!(values, [0, 0]);
    /// ```
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.context.task_id()
    }

    /// As [`Context::request_commit`].
    pub fn request_commit(&mut self) {
        self.context.request_commit();
    }

    /// As [`Context::drop_record`].
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     if record.value < 8 {
    ///         cx.drop_record(DropReason::Late);
    ///         return Ok(());
    ///     }
    ///     cx.forward(record)
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// // Of 7 and 8:
    /// assert_eq!(driver.dropped(DropReason::Late), 1);
    /// ```
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.context.drop_record(reason);
    }
}
