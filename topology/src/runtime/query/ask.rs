//! What is asked of a store and what comes back: keys, times, pages, positions. Plain data; reads nothing.

use std::collections::BTreeMap;

use crate::record::TaskId;
use crate::state::{Codec, KeyBytes, StoreError, Wanted};
use crate::time::Timestamp;

/// Rows of a page that asked for no number.
const LIMIT_DEFAULT: usize = 1_000;

/// Which keys are asked for, in which order, and how many rows of them at once. Keys are ordered by their bytes, as their
/// serde writes them: numbers of one sign by size, text alphabetically.
///
/// ```
/// use candlewick::Keys;
/// let last_ten = Keys::between("a".to_string(), "m".to_string()).reverse().limit(10);
/// # let _ = last_ten;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Keys<K> {
    which: Which<K>,
    reverse: bool,
    limit: usize,
    after: Option<Cursor>,
}

#[derive(Clone, Debug)]
enum Which<K> {
    One(K),
    Prefix(Vec<u8>),
    Between(Option<K>, Option<K>),
}

impl<K> Keys<K> {
    fn new(which: Which<K>) -> Self {
        Self { which, reverse: false, limit: LIMIT_DEFAULT, after: None }
    }

    /// All keys.
    ///
    /// ```
    /// let keys = candlewick::Keys::<String>::all().limit(100);
    /// # let _ = keys;
    /// ```
    pub fn all() -> Self {
        Self::new(Which::Between(None, None))
    }

    /// One key: of use where it has many rows, in stores of windows, sessions and versions.
    ///
    /// ```
    /// let visits_of_ada = candlewick::Keys::one("ada".to_owned());
    /// # let _ = visits_of_ada;
    /// ```
    pub fn one(key: K) -> Self {
        Self::new(Which::One(key))
    }

    /// This key and those behind it.
    ///
    /// ```
    /// let on = candlewick::Keys::from("m".to_owned()).limit(10);
    /// # let _ = on;
    /// ```
    pub fn from(key: K) -> Self {
        Self::new(Which::Between(Some(key), None))
    }

    /// The keys up to this one, which is included.
    ///
    /// ```
    /// let first_half = candlewick::Keys::to("m".to_owned());
    /// # let _ = first_half;
    /// ```
    pub fn to(key: K) -> Self {
        Self::new(Which::Between(None, Some(key)))
    }

    /// The keys between these, both included.
    ///
    /// ```
    /// let some = candlewick::Keys::between("a".to_owned(), "m".to_owned());
    /// # let _ = some;
    /// ```
    pub fn between(from: K, to: K) -> Self {
        Self::new(Which::Between(Some(from), Some(to)))
    }

    /// The keys whose bytes begin so.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, Keys};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("BTC-EUR", 1, 0), ("BTC-USD", 2, 1), ("ETH-USD", 3, 2)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
    /// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
    /// # let keys = |asked| Ok::<_, QueryError>(numbers.range(asked)?.rows.into_iter().map(|row| row.0).collect::<Vec<_>>());
    /// assert_eq!(keys(Keys::prefix("BTC-"))?, ["BTC-EUR", "BTC-USD"]);
    /// assert_eq!(keys(Keys::from("BTC-USD".to_owned()).reverse())?, ["ETH-USD", "BTC-USD"]);
    /// assert_eq!(keys(Keys::to("BTC-EUR".to_owned()))?, ["BTC-EUR"]);
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prefix(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Which::Prefix(bytes.into()))
    }

    /// The last ones first.
    ///
    /// ```
    /// let last = candlewick::Keys::<String>::all().reverse().limit(1);
    /// # let _ = last;
    /// ```
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most this many rows in one page; 1,000 unless told. Less than one is one.
    ///
    /// ```
    /// let ten = candlewick::Keys::<String>::all().limit(10);
    /// # let _ = ten;
    /// ```
    pub fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }

    /// Goes on behind a page: what is asked for stays the same otherwise.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, Keys};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 1, 0), ("b", 2, 1), ("c", 3, 2)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
    /// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
    /// let two = Keys::all().limit(2);
    /// let page = numbers.range(two.clone())?;
    /// assert_eq!(page.rows.len(), 2);
    /// let rest = numbers.range(two.after(page.next.expect("there is a third")))?;
    /// assert_eq!(rest.rows[0].0, "c");
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    pub(super) fn limit_of(&self) -> usize {
        self.limit.max(1)
    }

    /// The same in bytes.
    pub(super) fn wanted<V: 'static>(&self, codec: &Codec<K, V>, times: Times) -> Result<Wanted, StoreError>
    where
        K: 'static,
    {
        let bytes = |key: &K| {
            let mut out = Vec::new();
            codec.append_key(key, &mut out).map(|()| out)
        };
        let keys = match &self.which {
            Which::One(key) => KeyBytes::One(bytes(key)?),
            Which::Prefix(prefix) => KeyBytes::Prefix(prefix.clone()),
            Which::Between(from, to) => {
                KeyBytes::Between(from.as_ref().map(bytes).transpose()?, to.as_ref().map(bytes).transpose()?)
            }
        };
        Ok(Wanted {
            keys,
            times: (times.from, times.to),
            after: self.after.as_ref().map(|cursor| cursor.0.to_vec()),
            reverse: self.reverse,
            limit: self.limit_of(),
        })
    }
}

/// Which times are asked for, both ends included: of windows when they start, of sessions any moment between their first
/// and last record, of versions since when they hold.
///
/// ```
/// use candlewick::{Timestamp, Times};
/// let morning = Times::between(Timestamp(6 * 3_600_000), Timestamp(12 * 3_600_000));
/// # let _ = (morning, Times::all(), Times::from(Timestamp(0)), Times::to(Timestamp(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Times {
    /// All there is.
    ///
    /// ```
    /// use candlewick::{Times, Timestamp};
    /// assert_eq!(Times::all(), Times::from(Timestamp(0)));
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self { from: Timestamp(0), to: Timestamp(i64::MAX) }
    }

    /// From then on.
    ///
    /// ```
    /// use candlewick::{Times, Timestamp};
    /// assert_eq!(Times::from(Timestamp(7)), Times::between(Timestamp(7), Timestamp(i64::MAX)));
    /// ```
    #[must_use]
    pub const fn from(from: Timestamp) -> Self {
        Self { from, ..Self::all() }
    }

    /// Until then.
    ///
    /// ```
    /// use candlewick::{Times, Timestamp};
    /// assert_eq!(Times::to(Timestamp(7)), Times::between(Timestamp(0), Timestamp(7)));
    /// ```
    #[must_use]
    pub const fn to(to: Timestamp) -> Self {
        Self { to, ..Self::all() }
    }

    /// Between the two.
    ///
    /// ```
    /// use candlewick::{Times, Timestamp};
    /// assert_ne!(Times::between(Timestamp(1), Timestamp(7)), Times::to(Timestamp(7)));
    /// ```
    #[must_use]
    pub const fn between(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }
}

/// A place between two rows, to go on from: the bytes of the row before it.
///
/// ```
/// use candlewick::{Cursor, Keys};
/// // A cursor can leave the process, and come back with the next question.
/// let cursor = Cursor::from(b"row".to_vec());
/// let sent = cursor.as_bytes().to_vec();
/// let keys = Keys::<String>::all().after(Cursor::from(sent));
/// # let _ = keys;
/// assert_eq!(cursor, Cursor::from(b"row".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(super) Box<[u8]>);

impl Cursor {
    /// Its bytes, to be kept or sent.
    ///
    /// ```
    /// assert_eq!(candlewick::Cursor::from(b"row".to_vec()).as_bytes(), b"row");
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Cursor {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// How far the state was that an answer comes from: for each task that was read the offset behind its store's changelog,
/// where it has one. Between two answers of one task with the same offset nothing has changed.
///
/// ```
/// use candlewick::{KeyValueStore, Partition, TaskId};
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
/// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
/// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
/// # for (key, n, time) in [("a", 1, 0), ("b", 2, 1)] {
/// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
/// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
/// # }
/// # producer.flush(Duration::from_secs(1))?;
/// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
/// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
/// # let running = KafkaStreams::new(topology, config, log).start()?;
/// # let streams = running.handle();
/// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2));
/// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
/// let answer = numbers.get(&"a".to_owned())?;
/// // Two changes are in the changelog.
/// assert_eq!(answer.position.of(TaskId { sub_topology: 0, partition: Partition(0) }), Some(2));
/// # running.stop(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub(super) BTreeMap<TaskId, i64>);

impl Position {
    /// The changelog offset of a task.
    ///
    /// ```
    /// use candlewick::{Partition, Position, TaskId};
    /// let task = TaskId { sub_topology: 0, partition: Partition(0) };
    /// assert_eq!(Position::default().of(task), None, "no task was read");
    /// ```
    #[must_use]
    pub fn of(&self, task: TaskId) -> Option<i64> {
        self.0.get(&task).copied()
    }

    /// All of them.
    ///
    /// ```
    /// assert_eq!(candlewick::Position::default().iter().count(), 0, "no task was read");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (TaskId, i64)> {
        self.0.iter().map(|(task, offset)| (*task, *offset))
    }
}

/// What was found, and as of when.
///
/// ```
/// use candlewick::{Answer, Position};
/// let answer = Answer { value: Some(7), position: Position::default() };
/// assert_eq!(answer.value, Some(7));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// What was found.
    pub value: T,
    /// How far the state was.
    pub position: Position,
}

/// Rows of a range. Those of one task are as of one commit; between tasks, and between pages, there is no common moment.
///
/// ```
/// use candlewick::{KeyValueStore, Keys};
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
/// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
/// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
/// # let mut producer = log.producer(&ProducerSettings::default())?;
/// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
/// # for (key, n, time) in [("a", 1, 0), ("b", 2, 1), ("c", 3, 2)] {
/// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
/// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
/// # }
/// # producer.flush(Duration::from_secs(1))?;
/// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
/// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
/// # let running = KafkaStreams::new(topology, config, log).start()?;
/// # let streams = running.handle();
/// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
/// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
/// let (mut found, mut asked) = (Vec::new(), Keys::all().limit(2));
/// loop {
///     let page = numbers.range(asked)?;
///     found.extend(page.rows.into_iter().map(|(key, _)| key));
///     match page.next {
///         Some(next) => asked = Keys::all().limit(2).after(next),
///         None => break,
///     }
/// }
/// assert_eq!(found, ["a", "b", "c"]);
/// # running.stop(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, in the order of their keys' bytes and then of time.
    pub rows: Vec<T>,
    /// Where to go on: `None` when this was all. A page may be shorter than its limit and still not the last.
    pub next: Option<Cursor>,
    /// How far the state of each task was.
    pub position: Position,
    /// The tasks whose rows are missing, because other instances run them; with where those answer, if they say so.
    pub elsewhere: Vec<(TaskId, Option<String>)>,
    pub(super) cursors: Vec<Cursor>,
}

impl<T> Page<T> {
    /// The place behind each row. Cursors are ordered as rows are: pages of several instances can be merged by them.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, Keys};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 1, 0), ("b", 2, 1), ("c", 3, 2)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
    /// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
    /// let page = numbers.range(Keys::all())?;
    /// // Once more behind the first row.
    /// let behind = numbers.range(Keys::all().after(page.cursors()[0].clone()))?;
    /// assert_eq!(behind.rows[..], page.rows[1..]);
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cursors(&self) -> &[Cursor] {
        &self.cursors
    }
}
