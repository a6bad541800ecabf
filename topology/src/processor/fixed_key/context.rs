//! What a processor that keeps keys can do: all that [`Context`] offers but forward records with other keys. Must not know
//! what the task tells.

use std::time::Duration;

use super::FixedKeyRecord;
use crate::error::ProcessError;
use crate::processor::context::{ChildHandle, Context};
use crate::processor::punctuation::{PunctuationType, PunctuatorId};
use crate::time::Timestamp;

/// What a [`FixedKeyProcessor`](crate::FixedKeyProcessor) sees of its task: everything that [`Context`] has but records with keys of one's own.
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
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P;
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         process(record, cx)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
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
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P(Option<ChildHandle>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn init(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0 = cx.child("large");
    /// #         Ok(())
    /// #     }
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         match self.0 {
    /// #             Some(large) => to_large_or_all(large, record, cx),
    /// #             None => cx.forward(record),
    /// #         }
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # let numbers = numbers.process_values(&[], |_| P(None));
    /// # numbers.filter(|_, _| true).named("large");
    /// # numbers.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
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
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P(bool);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn init(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0 = large(cx).is_some();
    /// #         Ok(())
    /// #     }
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         cx.forward(record.with_value(if self.0 { 10 } else { 0 }))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P(false)).filter(|_, n| *n > 7).named("large").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
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
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P(Option<FixedKeyRecord<String, i64>>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn init(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         init(cx)
    /// #     }
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, _: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0 = Some(record);
    /// #         Ok(())
    /// #     }
    /// #     fn punctuate(&mut self, _: Punctuation, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0.take().map_or(Ok(()), |last| cx.forward(last))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P(None)).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # driver.advance_wall_clock(Duration::from_secs(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
    /// // Of 7 and 8, and a second, by a processor that forwards the last one when it is due:
    /// assert_eq!(values, [8]);
    /// ```
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuatorId {
        self.context.schedule(interval, kind)
    }

    /// As [`Context::schedule_from`].
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// fn init(cx: &mut FixedKeyContext<'_, '_, String, i64>) -> Result<(), ProcessError> {
    ///     cx.schedule_from(Timestamp(0), Duration::from_secs(60), PunctuationType::WallClockTime);
    ///     Ok(())
    /// }
    /// # struct P(Option<FixedKeyRecord<String, i64>>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn init(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         init(cx)
    /// #     }
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, _: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0 = Some(record);
    /// #         Ok(())
    /// #     }
    /// #     fn punctuate(&mut self, due: Punctuation, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         let at = due.timestamp.as_millis();
    /// #         self.0.take().map_or(Ok(()), |last| cx.forward(last.with_value(at)))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P(None)).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { wall_clock: Timestamp(50_000), ..DriverOptions::default() };
    /// # let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// driver.advance_wall_clock(Duration::from_secs(10)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of a processor that tells when it was called:
    /// assert_eq!(out.read_value(), Some(60_000));
    /// ```
    pub fn schedule_from(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> PunctuatorId {
        self.context.schedule_from(start, interval, kind)
    }

    /// As [`Context::cancel`].
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// fn punctuate(
    ///     last: Option<FixedKeyRecord<String, i64>>,
    ///     due: Punctuation,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     cx.cancel(due.punctuator);
    ///     last.map_or(Ok(()), |last| cx.forward(last))
    /// }
    /// # struct P(Option<FixedKeyRecord<String, i64>>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn init(&mut self, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
    /// #         Ok(())
    /// #     }
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, _: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         self.0 = Some(record);
    /// #         Ok(())
    /// #     }
    /// #     fn punctuate(&mut self, due: Punctuation, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         punctuate(self.0.take(), due, cx)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P(None)).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// for n in [7, 8] {
    ///     input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed");
    ///     driver.advance_wall_clock(Duration::from_secs(1)).expect("processed");
    /// }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [7]);
    /// ```
    pub fn cancel(&mut self, punctuator: PunctuatorId) {
        self.context.cancel(punctuator);
    }
}
