//! The reads that each kind of store has. Owns what a row becomes; who is asked for it stands in `route`.

use super::ask::{Answer, Keys, Page, Times};
use super::error::QueryError;
use super::store::StoreQuery;
use crate::state::{Entry, KeyValueStore, Session, SessionStore, VersionedStore, WindowStore};
use crate::time::Timestamp;

impl<K: 'static, V: 'static> StoreQuery<KeyValueStore<K, V>> {
    /// The value of a key.
    ///
    /// ```
    /// use candlewick::KeyValueStore;
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
    /// # for (key, n, time) in [("a", 1, 0), ("a", 2, 1)] {
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
    /// assert_eq!(answer.value.map(|entry| (entry.value, entry.timestamp)), Some((2, Timestamp(1))));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (Timestamp(0), Timestamp(0)))
    }

    /// The values of many keys.
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
    /// let page = numbers.range(Keys::between("a".to_owned(), "b".to_owned()))?;
    /// let rows: Vec<(String, i64)> = page.rows.into_iter().map(|(key, entry)| (key, entry.value)).collect();
    /// assert_eq!(rows, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn range(&self, keys: Keys<K>) -> Result<Page<(K, Entry<V>)>, QueryError> {
        self.page(&keys, Times::all(), |key, _, _, value| Ok((key, self.codec.read(value)?)))
    }
}

impl<K: 'static, V: 'static> StoreQuery<WindowStore<K, V>> {
    /// The value of the window of a key that starts at `start`.
    ///
    /// ```
    /// use candlewick::{Timestamp, WindowStore};
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10))).count(Materialized::named("counts").retention(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (n, time) in [(1, 11), (1, 12)] { producer.send(OutgoingRecord { topic, partition, key: Some(b"a"), value: Some(&i64::to_be_bytes(n)), headers: &headers, timestamp: Timestamp(time) })?; }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!((0..5_000).any(|_| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2 || { std::thread::sleep(Duration::from_millis(2)); false }));
    /// let counts = streams.store::<WindowStore<String, i64>>("counts")?.staleness_max(Duration::ZERO);
    /// // Of records at 11 and 12, in windows of 10 ms:
    /// let count = counts.get(&"a".to_owned(), Timestamp(10))?.value;
    /// assert_eq!(count.map(|entry| entry.value), Some(2));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (start, start))
    }

    /// The windows of these keys that start in these times, each with its start; those that have expired are left out.
    ///
    /// ```
    /// use candlewick::{Keys, Times, Timestamp, WindowStore};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10))).count(Materialized::named("counts").retention(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 1, 0), ("a", 2, 15), ("a", 3, 18)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
    /// let counts = streams.store::<WindowStore<String, i64>>("counts")?.staleness_max(Duration::ZERO);
    /// // Of records at 0, 15 and 18, in windows of 10 ms:
    /// let page = counts.fetch(Keys::one("a".to_owned()), Times::from(Timestamp(10)))?;
    /// let (_, start, entry) = &page.rows[0];
    /// assert_eq!((*start, entry.value), (Timestamp(10), 2));
    /// assert_eq!(counts.get(&"a".to_owned(), Timestamp(0))?.value.map(|entry| entry.value), Some(1));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, starts: Times) -> Result<Page<(K, Timestamp, Entry<V>)>, QueryError> {
        self.page(&keys, starts, |key, start, _, value| Ok((key, start, self.codec.read(value)?)))
    }
}

impl<K: 'static, V: 'static> StoreQuery<SessionStore<K, V>> {
    /// The value of a key's session.
    ///
    /// ```
    /// use candlewick::{Session, SessionStore, Timestamp};
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(10))).count(Materialized::named("visits").retention(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (n, time) in [(1, 20), (1, 25)] { producer.send(OutgoingRecord { topic, partition, key: Some(b"a"), value: Some(&i64::to_be_bytes(n)), headers: &headers, timestamp: Timestamp(time) })?; }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!((0..5_000).any(|_| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2 || { std::thread::sleep(Duration::from_millis(2)); false }));
    /// let visits = streams.store::<SessionStore<String, i64>>("visits")?.staleness_max(Duration::ZERO);
    /// // Of records at 20 and 25, with gaps of 10 ms:
    /// let visit = Session { start: Timestamp(20), end: Timestamp(25) };
    /// assert_eq!(visits.get(&"a".to_owned(), visit)?.value.map(|entry| entry.value), Some(2));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K, session: Session) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (session.start, session.end))
    }

    /// The sessions of these keys that were open at any of these times; those that have expired are left out.
    ///
    /// ```
    /// use candlewick::{Keys, Session, SessionStore, Times, Timestamp};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_secs(60))).count(Materialized::named("visits"));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 1, 20), ("a", 2, 25), ("a", 3, 50)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 3));
    /// let visits = streams.store::<SessionStore<String, i64>>("visits")?.staleness_max(Duration::ZERO);
    /// // Of records at 20, 25 and 50, with gaps of 10 ms:
    /// let page = visits.fetch(Keys::all(), Times::to(Timestamp(30)))?;
    /// let (_, visit, entry) = &page.rows[0];
    /// assert_eq!((*visit, entry.value), (Session { start: Timestamp(20), end: Timestamp(25) }, 2));
    /// assert_eq!(visits.get(&"a".to_owned(), *visit)?.value.as_ref(), Some(entry));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, times: Times) -> Result<Page<(K, Session, Entry<V>)>, QueryError> {
        self.page(&keys, times, |key, start, end, value| {
            Ok((key, Session { start, end }, self.codec.read(value)?))
        })
    }
}

impl<K: 'static, V: 'static> StoreQuery<VersionedStore<K, V>> {
    /// The latest version of a key; `None` when it was deleted.
    ///
    /// ```
    /// use candlewick::VersionedStore;
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("prices").versioned(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (n, time) in [(100, 10), (120, 20)] { producer.send(OutgoingRecord { topic, partition, key: Some(b"a"), value: Some(&i64::to_be_bytes(n)), headers: &headers, timestamp: Timestamp(time) })?; }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!((0..5_000).any(|_| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2 || { std::thread::sleep(Duration::from_millis(2)); false }));
    /// let prices = streams.store::<VersionedStore<String, i64>>("prices")?.staleness_max(Duration::ZERO);
    /// // Of 100 at 10 and 120 at 20:
    /// assert_eq!(prices.get(&"a".to_owned())?.value.map(|entry| entry.value), Some(120));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Moved`] when another instance has the key, [`QueryError::Rebalancing`] when nobody has it just now.
    pub fn get(&self, key: &K) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.get_as_of(key, Timestamp(i64::MAX))
    }

    /// The version of a key that held at `time`. Of times before the history begins only the latest version is known.
    ///
    /// ```
    /// use candlewick::{Timestamp, VersionedStore};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("prices").versioned(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 100, 10), ("a", 120, 20)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2));
    /// let prices = streams.store::<VersionedStore<String, i64>>("prices")?.staleness_max(Duration::ZERO);
    /// // Of 100 at 10 and 120 at 20:
    /// let then = prices.get_as_of(&"a".to_owned(), Timestamp(15))?.value;
    /// let now = prices.get(&"a".to_owned())?.value;
    /// assert_eq!((then.map(|entry| entry.value), now.map(|entry| entry.value)), (Some(100), Some(120)));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_as_of(&self, key: &K, time: Timestamp) -> Result<Answer<Option<Entry<V>>>, QueryError> {
        self.point(key, (time, time))
    }

    /// The versions of these keys that begin in these times, deletions too: since when each holds, and its value.
    ///
    /// ```
    /// use candlewick::{Keys, Times, VersionedStore};
    /// # use candlewick::{*, client::*};
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let builder = StreamsBuilder::new();
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("prices").versioned(Duration::from_secs(60)));
    /// # let (topology, log) = (builder.build()?, EmbeddedLog::in_memory());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// # let mut producer = log.producer(&ProducerSettings::default())?;
    /// # let (topic, headers, partition) = (producer.topic("in")?, Headers::default(), Partition(0));
    /// # for (key, n, time) in [("a", 100, 10), ("a", 120, 20)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 2));
    /// let prices = streams.store::<VersionedStore<String, i64>>("prices")?.staleness_max(Duration::ZERO);
    /// let page = prices.fetch(Keys::one("a".to_owned()), Times::all())?;
    /// let (_, since, price) = &page.rows[0];
    /// assert_eq!((*since, *price, page.rows.len()), (Timestamp(10), Some(100), 2));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] when nobody has one of the tasks just now.
    pub fn fetch(&self, keys: Keys<K>, since: Times) -> Result<Page<(K, Timestamp, Option<V>)>, QueryError> {
        self.page(&keys, since, |key, since, _, value| {
            let value = if value.is_empty() { None } else { Some(self.codec.read(value)?.value) };
            Ok((key, since, value))
        })
    }
}
