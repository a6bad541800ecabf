//! How a topic is read. Must not know which records a source leaves out.

use std::sync::Arc;

use super::SharedSerde;
use crate::dsl::source::{FailOnInvalidTimestamp, TimestampExtractor};
use crate::plan::AutoOffsetReset;
use crate::processor::ErrorPolicy;
use crate::serde::Serde;

/// How a topic is read.
///
/// ```
/// use candlewick::{AutoOffsetReset, Consumed, I64Serde, Record, StringSerde, Timestamp};
/// # use candlewick::*;
/// // The value is the event time; the record's own is when it was written.
/// let consumed = Consumed::with(StringSerde, I64Serde)
///     .named("clicks")
///     .offset_reset(AutoOffsetReset::Latest)
///     .timestamps(|record: &Record<String, i64>, _: Timestamp| Timestamp(record.value));
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", consumed).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # driver.input_topic("in", StringSerde, I64Serde).pipe("k".to_owned(), 7, Timestamp(100)).expect("processed");
/// # let (_, _, time) = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all()[0];
/// // Of 7, written at 100:
/// assert_eq!(time, Timestamp(7));
/// ```
pub struct Consumed<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) reset: Option<AutoOffsetReset>,
    pub(crate) timestamps: Arc<dyn TimestampExtractor<K, V>>,
    pub(crate) policy: Option<ErrorPolicy>,
}

impl<K: 'static, V: 'static> Consumed<K, V> {
    /// Reads keys and values by these serdes.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Produced, StringSerde};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::with(StringSerde, I64Serde)).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// assert_eq!(out.read_value(), Some(7));
    /// ```
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        let timestamps = Arc::new(FailOnInvalidTimestamp);
        Self { key: Arc::new(key), value: Arc::new(value), name: None, reset: None, timestamps, policy: None }
    }

    /// Names the source node.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder.stream("in", Consumed::<String, i64>::default().named("clicks"));
    /// let topology = builder.build().expect("valid");
    /// assert!(topology.describe().contains("Source: clicks (topics: [in])"));
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What to do about records of these topics that cannot be decoded, whatever the application's handler says.
    ///
    /// ```
    /// use candlewick::{Consumed, DropReason, ErrorPolicy};
    /// # use candlewick::*;
    /// let numbers = Consumed::<String, i64>::default().on_error(ErrorPolicy::skip());
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("numbers", numbers).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("numbers", StringSerde, StringSerde);
    /// // A text among the numbers:
    /// input.pipe("k".to_owned(), "seven".to_owned(), Timestamp(1)).expect("left out");
    /// assert_eq!(driver.dropped(DropReason::Decode), 1);
    /// ```
    #[must_use]
    pub fn on_error(mut self, policy: ErrorPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Where to start on a partition without a committed offset.
    ///
    /// ```
    /// use candlewick::{AutoOffsetReset, Consumed, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// // Only what is written after the application has come to know the topic.
    /// builder.stream("in", Consumed::<String, i64>::default().offset_reset(AutoOffsetReset::Latest));
    /// assert!(builder.build().is_ok());
    /// ```
    #[must_use]
    pub fn offset_reset(mut self, reset: AutoOffsetReset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Where event time comes from; by default the record's own time.
    ///
    /// ```
    /// use candlewick::{Consumed, Record, Timestamp};
    /// # use candlewick::*;
    /// // In seconds, by its value.
    /// let seconds = |record: &Record<String, i64>, _: Timestamp| Timestamp(record.value * 1_000);
    /// let numbers = Consumed::<String, i64>::default().timestamps(seconds);
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", numbers).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # input.pipe("k".to_owned(), 7, Timestamp(100)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
    /// // Of 7, written at 100:
    /// assert_eq!(out, [("k".to_owned(), 7, Timestamp(7_000))]);
    /// ```
    #[must_use]
    pub fn timestamps(mut self, extractor: impl TimestampExtractor<K, V>) -> Self {
        self.timestamps = Arc::new(extractor);
        self
    }
}
