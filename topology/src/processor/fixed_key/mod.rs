//! Processors that keep every record's key. The key is private to the record, so that a program that changes it does not
//! compile, and no repartition is needed below. Knows what [`Context`] offers and gives all of it but new keys.

mod context;
mod task;

pub use self::context::FixedKeyContext;
use super::context::Context;
use super::node::Processor;
use super::punctuation::Punctuation;
use crate::error::ProcessError;
use crate::record::{Headers, Record};
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
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// # numbers.process_values(&[], |_| KeyLength).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for (key, value, time) in [("a", 5, 0), ("abc", 5, 1)] {
/// #     input.pipe(key.to_string(), value, Timestamp(time)).expect("processed");
/// # }
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
