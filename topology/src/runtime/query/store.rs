//! Handles of stores for queries: found by name and type once, asked as often as one likes.

use std::sync::Arc;
use std::time::Duration;

use super::error::QueryError;
use crate::plan::changelog_topic;
use crate::record::Partition;
use crate::runtime::application::Application;
use crate::runtime::shared::Shared;
use crate::runtime::streams::StreamsHandle;
use crate::state::{Codec, QueryableStore, RowShape, StoreDecl, StoreKind};
use crate::time::duration;

/// What a store keeps, for those who list them.
///
/// ```
/// use candlewick::StoreType;
/// use std::time::Duration;
/// let minutes = StoreType::Window { size: Duration::from_secs(60) };
/// assert_ne!(minutes, StoreType::KeyValue);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreType {
    /// One value a key.
    KeyValue,
    /// Values by key and window.
    Window {
        /// The windows' size.
        size: Duration,
    },
    /// Values by key and session.
    Session,
    /// Versions of each key's value.
    Versioned,
    /// A global table: one value a key, all of it on every instance.
    Global,
}

/// A store that can be queried.
///
/// ```
/// use candlewick::{StoreInfo, StoreType};
/// let told = |store: &StoreInfo| format!("{}: {:?}, {} partitions", store.name, store.kind, store.partitions);
/// let store = StoreInfo { name: "counts".to_owned(), kind: StoreType::KeyValue, partitions: 6 };
/// assert_eq!(told(&store), "counts: KeyValue, 6 partitions");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its name.
    pub name: String,
    /// What it keeps.
    pub kind: StoreType,
    /// How many tasks share it.
    pub partitions: i32,
}

/// A store of a running application, for queries from any thread. Cheap to clone. Answers come from the last committed
/// state: what was processed since the last commit is not seen, unless [`staleness_max`](Self::staleness_max) asks for it.
///
/// A range is answered from the tasks of this instance; [`Page::elsewhere`](super::Page) names the others. A key is looked
/// up where the default partitioner puts it, and then in the other tasks here.
///
/// ```
/// use candlewick::{Keys, KeyValueStore, QueryError, StreamsHandle};
/// fn top(streams: &StreamsHandle) -> Result<(), QueryError> {
///     let counts = streams.store::<KeyValueStore<String, i64>>("counts")?;
///     if let Some(count) = counts.get(&"apple".to_string())?.value {
///         println!("{} apples, the last one at {}", count.value, count.timestamp);
///     }
///     for (word, count) in counts.range(Keys::prefix("a").limit(10))?.rows {
///         println!("{word}: {}", count.value);
///     }
///     Ok(())
/// }
/// ```
pub struct StoreQuery<S: QueryableStore> {
    pub(super) application: Arc<Application>,
    pub(super) shared: Arc<Shared>,
    pub(super) name: Arc<str>,
    pub(super) place: Place,
    pub(super) shape: RowShape,
    pub(super) codec: Arc<Codec<S::Key, S::Value>>,
    pub(super) staleness_max: Option<Duration>,
    pub(super) partition: Option<Partition>,
}

/// Who has a store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The tasks of a sub-topology, so many.
    Tasks { sub_topology: u32, count: i32 },
    /// Every instance.
    Global,
}

impl<S: QueryableStore> Clone for StoreQuery<S> {
    fn clone(&self) -> Self {
        Self {
            application: Arc::clone(&self.application),
            shared: Arc::clone(&self.shared),
            name: Arc::clone(&self.name),
            codec: Arc::clone(&self.codec),
            ..*self
        }
    }
}

impl<S: QueryableStore> StoreQuery<S> {
    /// How old an answer may be. Where the last commit is older, the task is asked for an early one, which is waited for:
    /// what was processed up to then is seen. Commits have their price: a bound far below the commit interval makes as
    /// many as there are queries.
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
    /// # for (key, n, time) in [("a", 1, 0)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 1));
    /// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?;
    /// // What was processed a moment ago is seen.
    /// let answer = numbers.staleness_max(Duration::ZERO).get(&"a".to_owned())?;
    /// assert_eq!(answer.value.map(|entry| entry.value), Some(1));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn staleness_max(mut self, age: Duration) -> Self {
        self.staleness_max = Some(age);
        self
    }

    /// Asks this partition alone: for keys that a custom partitioner has put there, and for ranges of one task.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, Keys, Partition};
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
    /// # for (key, n, time) in [("a", 1, 0)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 1));
    /// let numbers = streams.store::<KeyValueStore<String, i64>>("numbers")?.staleness_max(Duration::ZERO);
    /// let page = numbers.partition(Partition(0)).range(Keys::all())?;
    /// assert_eq!(page.rows.len(), 1);
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn partition(mut self, partition: Partition) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The store's name.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// let numbers = running.handle().store::<KeyValueStore<String, i64>>("numbers")?;
    /// assert_eq!(numbers.name(), "numbers");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl StreamsHandle {
    /// A store for queries: by the type that processors know it by, such as `KeyValueStore<String, i64>` for a table and
    /// `WindowStore<String, i64>` for counts by window.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, QueryError, WindowStore};
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
    /// # for (key, n, time) in [("a", 1, 0)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 1));
    /// assert!(streams.store::<KeyValueStore<String, i64>>("numbers").is_ok());
    /// let error = streams.store::<WindowStore<String, i64>>("numbers").err().expect("it has no windows");
    /// assert!(matches!(error, QueryError::WrongType { .. }));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no such store, or it is of another type.
    pub fn store<S: QueryableStore>(&self, name: &str) -> Result<StoreQuery<S>, QueryError> {
        let (decl, place) = self.declared().find(|(decl, _)| &*decl.name == name).ok_or_else(|| {
            let known = self.stores().into_iter().map(|store| store.name).collect();
            QueryError::UnknownStore { store: name.to_owned(), known }
        })?;
        let topic = changelog_topic(&self.application.config.application_id, name);
        let (shape, codec) = RowShape::of(decl.kind).zip(decl.types.codec::<S>(&topic)).ok_or_else(|| {
            let is = if decl.types.name.is_empty() { "buffer" } else { decl.types.name };
            let (is, asked) = (short(is), short(std::any::type_name::<S>()));
            QueryError::WrongType { store: name.to_owned(), is, asked }
        })?;
        Ok(StoreQuery {
            application: Arc::clone(&self.application),
            shared: Arc::clone(&self.shared),
            name: Arc::clone(&decl.name),
            place,
            shape,
            codec: Arc::new(codec),
            staleness_max: None,
            partition: None,
        })
    }

    /// The stores that can be queried.
    ///
    /// ```
    /// use candlewick::StoreType;
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
    /// # for (key, n, time) in [("a", 1, 0)] {
    /// #     let (value, timestamp) = (i64::to_be_bytes(n), Timestamp(time));
    /// #     producer.send(OutgoingRecord { topic, partition, key: Some(key.as_bytes()), value: Some(&value), headers: &headers, timestamp })?;
    /// # }
    /// # producer.flush(Duration::from_secs(1))?;
    /// # let until = |done: &dyn Fn() -> bool| (0..5_000).any(|_| done() || { std::thread::sleep(Duration::from_millis(2)); false });
    /// # let config = StreamsConfig { commit_interval_ms: Some(10), ..StreamsConfig::new("app") };
    /// # let running = KafkaStreams::new(topology, config, log).start()?;
    /// # let streams = running.handle();
    /// # assert!(until(&|| streams.status().tasks.iter().map(|task| task.processed).sum::<u64>() == 1));
    /// let stores = streams.stores();
    /// assert_eq!((&*stores[0].name, stores[0].kind, stores[0].partitions), ("numbers", StoreType::KeyValue, 1));
    /// # running.stop(Duration::from_secs(10))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stores(&self) -> Vec<StoreInfo> {
        let info = |(decl, place): (&StoreDecl, Place)| {
            let (kind, partitions) = match (decl.kind, place) {
                (_, Place::Global) => (StoreType::Global, 1),
                (StoreKind::KeyValue, Place::Tasks { count, .. }) => (StoreType::KeyValue, count),
                (StoreKind::Window { size_ms, .. }, Place::Tasks { count, .. }) => {
                    (StoreType::Window { size: duration(size_ms) }, count)
                }
                (StoreKind::Session { .. }, Place::Tasks { count, .. }) => (StoreType::Session, count),
                (StoreKind::Versioned { .. }, Place::Tasks { count, .. }) => (StoreType::Versioned, count),
                (StoreKind::Suppress | StoreKind::JoinBuffer, _) => return None,
            };
            Some(StoreInfo { name: decl.name.to_string(), kind, partitions })
        };
        self.declared().filter_map(info).collect()
    }

    fn declared(&self) -> impl Iterator<Item = (&StoreDecl, Place)> {
        let topology = &self.application.topology;
        let tasks = topology.sub_topologies().iter().zip(&self.application.tasks);
        let of_tasks = tasks.flat_map(|(sub, &count)| {
            let place = Place::Tasks { sub_topology: sub.id, count };
            sub.stores.iter().map(move |decl| (decl, place))
        });
        of_tasks.chain(topology.globals().iter().map(|global| (&global.store, Place::Global)))
    }
}

/// A type's name without the paths to it.
fn short(name: &str) -> String {
    let mut out = String::new();
    for part in name.split_inclusive(['<', '>', ',', ' ', '(', ')']) {
        out.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_lose_their_paths() {
        let name =
            "candlewick::state::KeyValueStore<alloc::string::String, (i64, core::option::Option<f64>)>";
        assert_eq!(short(name), "KeyValueStore<String, (i64, Option<f64>)>");
    }
}
