//! Processors that keep every record's key. The key is private to the record, so that a program that changes it does not
//! compile, and no repartition is needed below. Knows what [`Context`] offers and gives all of it but new keys.

use std::time::Duration;

use super::context::{ChildHandle, Context};
use super::env::DropReason;
use super::node::Processor;
use super::punctuation::{Punctuation, PunctuationType, PunctuatorId};
use crate::error::ProcessError;
use crate::record::{Headers, Record, RecordMetadata, TaskId};
use crate::state::{GlobalHandle, GlobalStore, StoreHandle};
use crate::time::Timestamp;

/// A record whose key can be read and not changed.
///
/// ```
/// use candlewick::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, ProcessError};
/// # use candlewick::*;
///
/// /// How long the key is.
/// struct KeyLength;
///
/// impl FixedKeyProcessor<String, i64, i64> for KeyLength {
///     fn process(
///         &mut self,
///         record: FixedKeyRecord<String, i64>,
///         cx: &mut FixedKeyContext<'_, '_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         let length = record.key().len() as i64;
///         cx.forward(record.with_value(length))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| KeyLength).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("a", 5, 0), ("abc", 5, 1)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
/// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
/// // Of a and abc:
/// assert_eq!(out, [("a", 1), ("abc", 3)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FixedKeyRecord<K, V> {
    key: K,
    /// The value.
    pub value: V,
    /// The record's event time.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl<K, V> FixedKeyRecord<K, V> {
    /// The key.
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let length = record.key().len() as i64;
    ///     cx.forward(record.with_value(length))
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8, whose key is k:
    /// assert_eq!(values, [1, 1]);
    /// ```
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The same record with another value.
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let ten_times = record.value * 10;
    ///     cx.forward(record.with_value(ten_times))
    /// }
    /// # use candlewick::*; struct P; impl FixedKeyProcessor<String, i64, i64> for P { fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> { process(record, cx) } }
    /// # let builder = StreamsBuilder::new(); builder.stream("in", Consumed::<String, i64>::default()).process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid")); let input = driver.input_topic("in", StringSerde, I64Serde); for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let values: Vec<i64> = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all().into_iter().map(|out| out.1).collect();
    /// // Of 7 and 8:
    /// assert_eq!(values, [70, 80]);
    /// ```
    pub fn with_value<V2>(self, value: V2) -> FixedKeyRecord<K, V2> {
        FixedKeyRecord { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    fn into_record(self) -> Record<K, V> {
        Record { key: self.key, value: self.value, timestamp: self.timestamp, headers: self.headers }
    }
}

/// As [`Processor`], for operations that keep every record's key: made by the supplier that is given to
/// [`KStream::process_values`](crate::KStream::process_values).
///
/// ```
/// use candlewick::{FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, ProcessError};
///
/// /// Numbers the records.
/// struct Numbered { seen: u64 }
///
/// impl FixedKeyProcessor<String, i64, (u64, i64)> for Numbered {
///     fn process(
///         &mut self,
///         record: FixedKeyRecord<String, i64>,
///         cx: &mut FixedKeyContext<'_, '_, String, (u64, i64)>,
///     ) -> Result<(), ProcessError> {
///         self.seen += 1;
///         let value = (self.seen, record.value);
///         cx.forward(record.with_value(value))
///     }
/// }
/// ```
///
/// What changes the key is refused by the compiler:
///
/// ```compile_fail,E0616
/// use candlewick::FixedKeyRecord;
/// fn rename(mut record: FixedKeyRecord<String, i64>) -> FixedKeyRecord<String, i64> {
///     record.key = "another".to_string();
///     record
/// }
/// ```
///
/// and so is a record that was made and not given:
///
/// ```compile_fail,E0451
/// use candlewick::{FixedKeyRecord, Headers, Timestamp};
/// let _ = FixedKeyRecord { key: "another", value: 1, timestamp: Timestamp(0), headers: Headers::default() };
/// ```
pub trait FixedKeyProcessor<K, VI, VO>: Send + 'static {
    /// As [`Processor::init`].
    ///
    /// # Errors
    /// An error here ends the task.
    fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, K, VO>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// As [`Processor::process`].
    ///
    /// # Errors
    /// Goes to the processing handler, which skips the record or ends the task.
    fn process(
        &mut self,
        record: FixedKeyRecord<K, VI>,
        cx: &mut FixedKeyContext<'_, '_, K, VO>,
    ) -> Result<(), ProcessError>;

    /// As [`Processor::punctuate`]. Only records that were kept can be forwarded: there is none whose key could be made.
    ///
    /// # Errors
    /// Goes to the processing handler.
    fn punctuate(
        &mut self,
        due: Punctuation,
        cx: &mut FixedKeyContext<'_, '_, K, VO>,
    ) -> Result<(), ProcessError> {
        let _ = (due, cx);
        Ok(())
    }
}

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
    context: &'c mut Context<'a, K, V>,
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

/// Runs a [`FixedKeyProcessor`] as a [`Processor`].
pub(crate) struct FixedKey<P>(pub(crate) P);

impl<P, K, VI, VO> Processor<K, VI, K, VO> for FixedKey<P>
where
    P: FixedKeyProcessor<K, VI, VO>,
{
    fn init(&mut self, context: &mut Context<'_, K, VO>) -> Result<(), ProcessError> {
        self.0.init(&mut FixedKeyContext { context })
    }

    #[inline]
    fn process(
        &mut self,
        record: Record<K, VI>,
        context: &mut Context<'_, K, VO>,
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, headers } = record;
        self.0.process(FixedKeyRecord { key, value, timestamp, headers }, &mut FixedKeyContext { context })
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Context<'_, K, VO>) -> Result<(), ProcessError> {
        self.0.punctuate(due, &mut FixedKeyContext { context })
    }
}
