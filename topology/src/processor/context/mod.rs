//! What a processor can do in its task: forward, use stores, and have itself called again. Must not know threads or
//! assignments.

mod task;

use std::marker::PhantomData;
use std::time::Duration;

use super::arena::Hop;
use super::env::Env;
use super::punctuation::{PunctuationType, PunctuatorId};
use crate::error::ProcessError;
use crate::record::Record;
use crate::state::{GlobalHandle, GlobalStore, StoreHandle};
use crate::time::Timestamp;

/// A processor's view of its task while it runs. `K` and `V` are what it forwards.
///
/// ```
/// use candlewick::{Context, ProcessError, Processor, Record};
/// # use candlewick::*;
///
/// /// Forwards each record with the time by which it came too late, in milliseconds.
/// struct Lateness;
///
/// impl Processor<String, i64, String, i64> for Lateness {
///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         // Stream time has this record in it already.
///         let late = cx.stream_time().as_millis() - record.timestamp.as_millis();
///         cx.forward(record.with_value(late))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// # numbers.process::<String, i64, _>(&[], |_| Lateness).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [5, 9, 6] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of records at 5, 9 and 6:
/// assert_eq!(values, [0, 0, 3]);
/// ```
pub struct Context<'a, K, V> {
    hop: Hop<'a>,
    types: PhantomData<fn(K, V)>,
}

/// A child to which a processor may forward alone; found once by name with [`Context::child`].
///
/// ```
/// use candlewick::{ChildHandle, Context, ProcessError, Processor, Record};
/// # use candlewick::*;
///
/// /// Large numbers to the child `large` alone, all others to every child.
/// struct Route { large: Option<ChildHandle> }
///
/// impl Processor<String, i64, String, i64> for Route {
///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         self.large = cx.child("large");
///         Ok(())
///     }
///
///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         match self.large.filter(|_| record.value >= 10) {
///             Some(large) => cx.forward_to(large, record),
///             None => cx.forward(record),
///         }
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// let routed = numbers.process::<String, i64, _>(&[], |_| Route { large: None });
/// routed.map_values(|n| n * 100).named("large").to("out", Produced::default());
/// routed.map_values(|n| n + 1).to("small", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [5, 20] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// # let small = driver.output_topic::<String, i64>("small", StringSerde, I64Serde);
/// // Of 5 and 20:
/// assert_eq!(values, [500, 2_000]);
/// assert_eq!(small.read_all().len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildHandle(usize);

impl<'a, K: Clone + 'static, V: Clone + 'static> Context<'a, K, V> {
    pub(crate) fn new(hop: Hop<'a>) -> Self {
        Self { hop, types: PhantomData }
    }

    /// Hands the record to every child; each has processed it to the end when this returns.
    ///
    /// ```
    /// # use candlewick::*;
    /// /// Every record twice.
    /// struct Twice;
    /// impl Processor<String, i64, String, i64> for Twice {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.forward(record.clone())?;
    ///         cx.forward(record)
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Twice).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// assert_eq!(out.len(), 2);
    /// ```
    ///
    /// # Errors
    /// The error of a node below that the processing handler did not skip.
    #[inline]
    pub fn forward(&mut self, record: Record<K, V>) -> Result<(), ProcessError> {
        self.hop.pass(&mut Some(record))
    }

    /// Hands the record to one child only.
    ///
    /// ```
    /// # use candlewick::*;
    /// /// Large numbers to one child, all others to every child.
    /// fn route(
    ///     large: ChildHandle,
    ///     record: Record<String, i64>,
    ///     cx: &mut Context<'_, String, i64>,
    /// ) -> Result<(), ProcessError> {
    ///     if record.value >= 10 { cx.forward_to(large, record) } else { cx.forward(record) }
    /// }
    /// # struct Route(Option<ChildHandle>);
    /// # impl Processor<String, i64, String, i64> for Route {
    /// #     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         self.0 = cx.child("large");
    /// #         Ok(())
    /// #     }
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         route(self.0.expect("there is one"), record, cx)
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # let routed = numbers.process::<String, i64, _>(&[], |_| Route(None));
    /// # routed.filter(|_, _| true).named("large");
    /// # routed.to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 20] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 5 and 20, what the other child got:
    /// assert_eq!([out.read_value(), out.read_value()], [Some(5), None]);
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_to(&mut self, child: ChildHandle, record: Record<K, V>) -> Result<(), ProcessError> {
        self.hop.pass_to(child.0, record)
    }

    /// The child of this name; look it up in `init`, not per record.
    ///
    /// ```
    /// # use candlewick::*;
    /// # struct Find(Option<ChildHandle>);
    /// impl Processor<String, i64, String, i64> for Find {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         self.0 = cx.child("large");
    ///         Ok(())
    ///     }
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         match self.0 { Some(large) => cx.forward_to(large, record), None => Ok(()) }
    /// #     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// let found = numbers.process::<String, i64, _>(&[], |_| Find(None));
    /// found.filter(|_, n| *n >= 10).named("large").to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [5, 20] { input.pipe("k".to_owned(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 5 and 20, by way of that child:
    /// assert_eq!(out.read_value(), Some(20));
    /// ```
    #[must_use]
    pub fn child(&self, name: &str) -> Option<ChildHandle> {
        self.hop.child_position(name).map(ChildHandle)
    }

    /// Calls the processor's `punctuate` every `interval` of stream time or of wall-clock time (see
    /// [`PunctuationType`] for when exactly).
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, Record};
    /// # use candlewick::{Consumed, I64Serde, Produced, StreamsBuilder, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    ///
    /// /// Tells every ten milliseconds of stream time how many records there were.
    /// struct Rate { seen: i64 }
    ///
    /// impl Processor<String, i64, String, i64> for Rate {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         self.seen += 1;
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let seen = std::mem::take(&mut self.seen);
    ///         cx.forward(Record::new("records".to_owned(), seen, due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Rate { seen: 0 }).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 5, 9, 12, 25] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let told: Vec<(i64, i64)> = out.read_all().into_iter().map(|(_, seen, time)| (seen, time.0)).collect();
    /// // Of records at 1, 5, 9, 12 and 25, as (records, time):
    /// assert_eq!(told, [(1, 1), (3, 12), (1, 25)]);
    /// ```
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuatorId {
        let (node, env) = (self.hop.node(), &mut *self.hop.env);
        env.punctuators.schedule(node, interval, kind, env.wall)
    }

    /// Calls the processor's `punctuate` at `start` and every `interval` after it, and at no other times: what is due
    /// before now is passed over. So all instances punctuate at the same full minute, say.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, Record, Timestamp};
    /// # use candlewick::*;
    /// use std::time::Duration;
    ///
    /// /// Tells that a full minute is over.
    /// struct Minutes;
    ///
    /// impl Processor<String, i64, String, i64> for Minutes {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.schedule_from(Timestamp(0), Duration::from_secs(60), PunctuationType::WallClockTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.forward(Record::new("minute".to_owned(), due.timestamp.as_millis(), due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Minutes).to("out", Produced::default());
    /// # let topology = builder.build().expect("valid");
    /// let options = DriverOptions { wall_clock: Timestamp(50_000), ..DriverOptions::default() };
    /// let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    /// driver.advance_wall_clock(Duration::from_secs(10)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [60_000]);
    /// ```
    pub fn schedule_from(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> PunctuatorId {
        let (node, env) = (self.hop.node(), &mut *self.hop.env);
        let now = match kind {
            PunctuationType::StreamTime => env.stream_time,
            PunctuationType::WallClockTime => env.wall,
        };
        env.punctuators.schedule_from(node, start, interval, kind, now)
    }

    /// Ends a punctuator.
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, Record};
    /// # use candlewick::*;
    /// use std::time::Duration;
    ///
    /// /// Punctuates once.
    /// struct Once;
    ///
    /// impl Processor<String, i64, String, i64> for Once {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.cancel(due.punctuator);
    ///         cx.forward(Record::new("once".to_owned(), due.timestamp.as_millis(), due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Once).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 15, 30] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 1, 15 and 30:
    /// assert_eq!(values, [1]);
    /// ```
    pub fn cancel(&mut self, punctuator: PunctuatorId) {
        self.hop.env.punctuators.cancel(punctuator);
    }
}

impl<K, V> Context<'_, K, V> {
    /// What the task's nodes share.
    pub(crate) fn env(&mut self) -> &mut Env {
        self.hop.env
    }

    /// A store that was connected to this processor when it was declared.
    ///
    /// ```
    /// use candlewick::{Context, KeyValueStore, ProcessError, Processor, Record, StoreHandle};
    /// # use candlewick::*;
    ///
    /// /// How often each key came.
    /// struct Count { counts: StoreHandle<KeyValueStore<String, i64>> }
    ///
    /// impl Processor<String, i64, String, i64> for Count {
    ///     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let count = cx.store(self.counts).update(&record.key, record.timestamp, |entry| {
    ///             let entry = entry.get_or_insert_default();
    ///             entry.value += 1;
    ///             entry.value
    ///         })?;
    ///         cx.forward(record.with_value(count))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # builder.add_store(Stores::key_value::<String, i64>("counts", StringSerde, I64Serde));
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # let counts = numbers.process(&["counts"], |stores| Count { counts: stores.get("counts") });
    /// # counts.to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [7, 8, 9] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of three records of one key:
    /// assert_eq!(values, [1, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// When the handle was made for another store; the supplier's wiring gives only matching ones.
    #[inline]
    pub fn store<S: 'static>(&mut self, handle: StoreHandle<S>) -> &mut S {
        self.hop.env.store(handle)
    }

    /// A global table or store: every processor may read any of them, by the handle of
    /// [`ProcessorStores::global`](crate::ProcessorStores::global).
    ///
    /// ```
    /// # use candlewick::*;
    /// /// How many euros a sum in a currency is.
    /// fn in_euros(
    ///     rates: &GlobalHandle<String, i64>,
    ///     sum: &Record<String, i64>,
    ///     cx: &mut Context<'_, String, i64>,
    /// ) -> Result<i64, StoreError> {
    ///     Ok(cx.global(rates).get(&sum.key)?.map_or(0, |rate| rate.value * sum.value))
    /// }
    /// # struct Convert(GlobalHandle<String, i64>);
    /// # impl Processor<String, i64, String, i64> for Convert {
    /// #     fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    /// #         let euros = in_euros(&self.0, &record, cx)?;
    /// #         cx.forward(record.with_value(euros))
    /// #     }
    /// # }
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("rates", Consumed::<String, Option<i64>>::default(), Materialized::named("rates"));
    /// # let sums = builder.stream("in", Consumed::<String, i64>::default());
    /// # sums.process(&[], |stores| Convert(stores.global("rates"))).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # let rates = driver.input_topic("rates", StringSerde, I64Serde);
    /// # rates.pipe("BTC".to_owned(), 90_000, Timestamp(0)).expect("processed");
    /// # input.pipe("BTC".to_owned(), 2, Timestamp(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of two bitcoins at 90,000:
    /// assert_eq!(out.read_value(), Some(180_000));
    /// ```
    #[inline]
    pub fn global<'g, A: 'static, B: 'static>(
        &'g mut self,
        handle: &'g GlobalHandle<A, B>,
    ) -> GlobalStore<'g, A, B> {
        self.hop.env.global(handle)
    }
}
