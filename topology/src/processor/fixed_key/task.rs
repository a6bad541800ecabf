//! What a processor that keeps keys learns of its task, and what it has the task count and commit: as `Context` has
//! it. Must not know how records are forwarded.

use super::FixedKeyContext;
use crate::processor::env::DropReason;
use crate::record::{RecordMetadata, TaskId};
use crate::state::{GlobalHandle, GlobalStore, StoreHandle};
use crate::time::Timestamp;

impl<K, V> FixedKeyContext<'_, '_, K, V> {
    /// As [`Context::store`](crate::Context::store).
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
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P(StoreHandle<KeyValueStore<String, i64>>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         process(self.0, record, cx)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.add_store(Stores::key_value::<String, i64>("sums", StringSerde, I64Serde));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&["sums"], |stores| P(stores.get("sums"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
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

    /// As [`Context::global`](crate::Context::global).
    ///
    /// ```
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// fn process(
    ///     factors: &GlobalHandle<String, i64>,
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let factor = cx.global(factors).get(record.key())?.map_or(1, |entry| entry.value);
    ///     let product = record.value * factor;
    ///     cx.forward(record.with_value(product))
    /// }
    /// # struct P(GlobalHandle<String, i64>);
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         process(&self.0, record, cx)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("factors", Consumed::<String, Option<i64>>::default(), Materialized::named("factors"));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |stores| P(stores.global("factors"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # driver.input_topic("factors", StringSerde, I64Serde).pipe("k".to_owned(), 10, Timestamp(0)).expect("processed");
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
    /// // Of 7 and 8, by 10:
    /// assert_eq!(values, [70, 80]);
    /// ```
    #[inline]
    pub fn global<'g, A: 'static, B: 'static>(
        &'g mut self,
        handle: &'g GlobalHandle<A, B>,
    ) -> GlobalStore<'g, A, B> {
        self.context.global(handle)
    }

    /// As [`Context::stream_time`](crate::Context::stream_time).
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let time = cx.stream_time().as_millis();
    ///     cx.forward(record.with_value(time))
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
    /// # for n in [8, 7] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 8 and 7:
    /// assert_eq!(values, [8, 8]);
    /// ```
    #[must_use]
    pub fn stream_time(&self) -> Timestamp {
        self.context.stream_time()
    }

    /// As [`Context::wall_clock`](crate::Context::wall_clock).
    ///
    /// ```
    /// fn age(record: &FixedKeyRecord<String, i64>, cx: &FixedKeyContext<'_, '_, String, i64>) -> i64 {
    ///     cx.wall_clock().as_millis() - record.timestamp.as_millis()
    /// }
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P;
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         let age = age(&record, cx);
    /// #         cx.forward(record.with_value(age))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process_values(&[], |_| P).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # driver.advance_wall_clock(std::time::Duration::from_millis(10)).expect("processed");
    /// # for n in [7, 8] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// # let values: Vec<i64> = out.into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 7 and 8, at 10:
    /// assert_eq!(values, [3, 2]);
    /// ```
    #[must_use]
    pub fn wall_clock(&self) -> Timestamp {
        self.context.wall_clock()
    }

    /// As [`Context::metadata`](crate::Context::metadata).
    ///
    /// ```
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     let offset = cx.metadata().map_or(-1, |origin| origin.offset);
    ///     cx.forward(record.with_value(offset))
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
    /// assert_eq!(values, [0, 1]);
    /// ```
    #[must_use]
    pub fn metadata(&self) -> Option<RecordMetadata> {
        self.context.metadata()
    }

    /// As [`Context::task_id`](crate::Context::task_id).
    ///
    /// ```
    /// fn partition(cx: &FixedKeyContext<'_, '_, String, i64>) -> Partition {
    ///     cx.task_id().partition
    /// }
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// # struct P;
    /// # impl FixedKeyProcessor<String, i64, i64> for P {
    /// #     fn process(&mut self, record: FixedKeyRecord<String, i64>, cx: &mut Cx<'_, '_>) -> Result<(), ProcessError> {
    /// #         let partition = partition(cx);
    /// #         cx.forward(record.with_value(partition.0.into()))
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
    /// assert_eq!(values, [0, 0]);
    /// ```
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.context.task_id()
    }

    /// As [`Context::request_commit`](crate::Context::request_commit).
    ///
    /// ```
    /// # use candlewick::*;
    /// # type Cx<'c, 'a> = FixedKeyContext<'c, 'a, String, i64>;
    /// /// Has large numbers committed at once.
    /// fn process(
    ///     record: FixedKeyRecord<String, i64>,
    ///     cx: &mut FixedKeyContext<'_, '_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     if record.value >= 8 {
    ///         cx.request_commit();
    ///     }
    ///     cx.forward(record)
    /// }
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
    /// assert_eq!(values, [7, 8]);
    /// ```
    pub fn request_commit(&mut self) {
        self.context.request_commit();
    }

    /// As [`Context::drop_record`](crate::Context::drop_record).
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
    /// // Of 7 and 8:
    /// assert_eq!(driver.dropped(DropReason::Late), 1);
    /// ```
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.context.drop_record(reason);
    }
}
