//! Typed ends of a driver's topics, and what a driver says about topics.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::driver::{Inner, PipedRecord};
use crate::error::ProcessError;
use crate::processor::TopicDirectory;
use crate::record::{Headers, Record};
use crate::runtime::TaskFault;
use crate::serde::{Serde, read};
use crate::time::Timestamp;

/// Pipes typed records into a topic of a driver.
///
/// ```
/// use candlewick::{I64Serde, Nullable, StringSerde, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers")).to_stream().to("out", Produced::with(StringSerde, Nullable(I64Serde)));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// let input = driver.input_topic("in", StringSerde, Nullable(I64Serde));
/// input.pipe("a".to_owned(), Some(1), Timestamp(0)).expect("processed");
/// // A null value: a tombstone.
/// input.pipe("a".to_owned(), None, Timestamp(1)).expect("processed");
/// # let out = driver.output_topic::<String, Option<i64>>("out", StringSerde, Nullable(I64Serde)).read_all();
/// assert_eq!(out[1], ("a".to_owned(), None, Timestamp(1)));
/// ```
pub struct TestInputTopic<K, V> {
    driver: Rc<RefCell<Inner>>,
    topic: Arc<str>,
    key: Box<dyn Serde<K>>,
    value: Box<dyn Serde<V>>,
}

/// Reads typed records out of a topic of a driver.
///
/// ```
/// use candlewick::{I64Serde, StringSerde, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 2, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// let out = driver.output_topic("out", StringSerde, I64Serde);
/// // Of 1, 2 and 3, each at its own time:
/// assert_eq!(out.read_value(), Some(1));
/// assert_eq!(out.read_all(), [("k".to_owned(), 2, Timestamp(2)), ("k".to_owned(), 3, Timestamp(3))]);
/// assert!(out.is_empty());
/// ```
pub struct TestOutputTopic<K, V> {
    driver: Rc<RefCell<Inner>>,
    topic: Arc<str>,
    key: Box<dyn Serde<K>>,
    value: Box<dyn Serde<V>>,
}

impl<K: 'static, V: 'static> TestInputTopic<K, V> {
    pub(crate) fn new(
        driver: Rc<RefCell<Inner>>,
        topic: Arc<str>,
        key: Box<dyn Serde<K>>,
        value: Box<dyn Serde<V>>,
    ) -> Self {
        Self { driver, topic, key, value }
    }

    /// Pipes a record; everything that follows from it is processed when this returns.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let input = driver.input_topic("in", StringSerde, I64Serde);
    /// input.pipe("k".to_owned(), 7, Timestamp(1)).expect("processed");
    /// assert_eq!(driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_value(), Some(7));
    /// ```
    ///
    /// # Errors
    /// When the task fails.
    ///
    /// # Panics
    /// When the topology does not read the topic, or the serde refuses the record.
    pub fn pipe(&self, key: K, value: V, timestamp: Timestamp) -> Result<(), TaskFault> {
        self.pipe_record(Record { key, value, timestamp, headers: Headers::default() })
    }

    /// Pipes a record with headers.
    ///
    /// ```
    /// use candlewick::{I64Serde, Record, StringSerde, Timestamp};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).map_values(|n| n * 10).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// let mut record = Record::new("k".to_owned(), 7, Timestamp(0));
    /// record.headers.push("trace", Some(b"1".as_slice().into()));
    /// driver.input_topic("in", StringSerde, I64Serde).pipe_record(record).expect("processed");
    /// // Headers go along.
    /// let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_record().expect("one came out");
    /// assert_eq!((out.value, out.headers.iter().count()), (70, 1));
    /// ```
    ///
    /// # Errors
    /// When the task fails.
    ///
    /// # Panics
    /// As [`pipe`](Self::pipe).
    pub fn pipe_record(&self, record: Record<K, V>) -> Result<(), TaskFault> {
        let piped = PipedRecord {
            key: bytes(&*self.key, &self.topic, &record.key),
            value: bytes(&*self.value, &self.topic, &record.value),
            timestamp: record.timestamp,
            headers: record.headers,
        };
        self.driver.borrow_mut().pipe(&self.topic, piped)
    }
}

fn bytes<T: 'static>(serde: &dyn Serde<T>, topic: &str, value: &T) -> Option<Vec<u8>> {
    if serde.is_null(value) {
        return None;
    }
    let mut out = Vec::new();
    serde.serialize(topic, value, &mut out).expect("the test's record serializes");
    Some(out)
}

impl<K: 'static, V: 'static> TestOutputTopic<K, V> {
    pub(crate) fn new(
        driver: Rc<RefCell<Inner>>,
        topic: Arc<str>,
        key: Box<dyn Serde<K>>,
        value: Box<dyn Serde<V>>,
    ) -> Self {
        Self { driver, topic, key, value }
    }

    /// The next record of the topic.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 1 and 2:
    /// assert_eq!(out.read_record(), Some(Record::new("k".to_owned(), 1, Timestamp(1))));
    /// ```
    ///
    /// # Panics
    /// When it cannot be decoded.
    #[must_use]
    pub fn read_record(&self) -> Option<Record<K, V>> {
        let record = self.driver.borrow_mut().outputs.get_mut(&self.topic)?.pop_front()?;
        let key = read(&*self.key, &self.topic, "key", record.key.as_deref());
        let value = read(&*self.value, &self.topic, "value", record.value.as_deref());
        Some(Record {
            key: key.expect("the key is readable by the serde of the test"),
            value: value.expect("the value is readable by the serde of the test"),
            timestamp: record.timestamp,
            headers: record.headers,
        })
    }

    /// The next record's value.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 1 and 2:
    /// assert_eq!((out.read_value(), out.read_value(), out.read_value()), (Some(1), Some(2), None));
    /// ```
    #[must_use]
    pub fn read_value(&self) -> Option<V> {
        self.read_record().map(|record| record.value)
    }

    /// All records that wait, as key, value and time.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of 1 and 2, each at its own time:
    /// assert_eq!(out.read_all(), [("k".to_owned(), 1, Timestamp(1)), ("k".to_owned(), 2, Timestamp(2))]);
    /// ```
    #[must_use]
    pub fn read_all(&self) -> Vec<(K, V, Timestamp)> {
        std::iter::from_fn(|| self.read_record())
            .map(|record| (record.key, record.value, record.timestamp))
            .collect()
    }

    /// Whether nothing waits.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// assert!(!out.is_empty());
    /// let _ = out.read_all();
    /// assert!(out.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.driver.borrow().outputs.get(&self.topic).is_none_or(std::collections::VecDeque::is_empty)
    }
}

/// A log that has every topic, with so many partitions.
pub(super) struct EveryTopic(pub(super) i32);

impl TopicDirectory for EveryTopic {
    fn partitions(&self, _: &str) -> Result<Option<i32>, ProcessError> {
        Ok(Some(self.0))
    }
}
