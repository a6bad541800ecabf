//! The application as its user holds it: configured, started, observed, stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::application::{Application, isolation_of};
use super::config::StreamsConfig;
use super::crew::Crew;
use super::departure::Departure;
use super::directory::LogDirectory;
use super::error::StreamsError;
use super::global::GlobalUpdater;
use super::global_stores::GlobalPlan;
use super::handlers::{DeserializationHandler, FailOnDecodeError};
use super::launch::{CrewEnds, Spawns, launch};
use super::shared::Shared;
use super::slow::{Workshop, check_calls};
use super::snapshots::SnapshotStore;
use super::status::{ApplicationState, Status, TopologyView};
use super::thread::Command;
use super::threads::{OsThreads, Threads};
use super::topology_view::view;
use crate::client::Log;
use crate::plan::Topology;
use crate::processor::{ErrorPolicy, FailOnProcessError, ProcessHandler, TopicDirectory};
use crate::state::{StateFolder, random_id};
use crate::time::{Clock, SystemClock};

type Listener = Box<dyn Fn(ApplicationState, ApplicationState) + Send + Sync>;

/// A topology with everything it needs to run; [`start`](Self::start) makes it a [`RunningStreams`].
///
/// ```
/// use candlewick::client::EmbeddedLog;
/// use candlewick::{Consumed, KafkaStreams, Produced, StreamsBuilder, StreamsConfig, StreamsError};
/// # use candlewick::client::{Log, NewTopic};
/// # fn main() -> Result<(), StreamsError> {
/// let builder = StreamsBuilder::new();
/// builder.stream("words", Consumed::<String, String>::default()).to("copies", Produced::default());
/// let topology = builder.build()?;
/// let log = EmbeddedLog::in_memory();
/// # let topic = |name: &str| NewTopic { name: name.into(), partitions: 1, replication: 1, config: Default::default() };
/// # log.admin()?.create(&[topic("words"), topic("copies")], std::time::Duration::from_secs(1))?;
/// let running = KafkaStreams::new(topology, StreamsConfig::new("copier"), log).start()?;
/// running.stop(std::time::Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
pub struct KafkaStreams {
    pub(super) topology: Arc<Topology>,
    pub(super) config: StreamsConfig,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) threads: Arc<dyn Threads>,
    process_handler: Arc<dyn ProcessHandler>,
    decode_handler: Arc<dyn DeserializationHandler>,
    listener: Option<Listener>,
    snapshots: Option<Arc<dyn SnapshotStore>>,
}

impl KafkaStreams {
    /// An application of `topology` on `log`.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let streams = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log);
    /// streams.start()?.stop(Duration::from_secs(10))?;
    /// # Ok::<(), StreamsError>(())
    /// ```
    pub fn new(topology: Topology, config: StreamsConfig, log: Arc<dyn Log>) -> Self {
        Self {
            topology: Arc::new(topology),
            config,
            log,
            clock: Arc::new(SystemClock::default()),
            threads: Arc::new(OsThreads),
            process_handler: Arc::new(FailOnProcessError),
            decode_handler: Arc::new(FailOnDecodeError),
            listener: None,
            snapshots: None,
        }
    }

    /// Keeps snapshots of tasks' stores there, so that an instance with an empty disk begins with one and reads only what
    /// came after it; see [`snapshot_interval_ms`](StreamsConfig::snapshot_interval_ms). Stores in memory have none.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let streams = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log);
    /// # let folder = tempfile::tempdir().expect("a temporary folder");
    /// let snapshots = std::sync::Arc::new(FolderSnapshots::new(folder.path()));
    /// streams.snapshots(snapshots).start()?.stop(Duration::from_secs(10))?;
    /// # Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn snapshots(mut self, store: Arc<dyn SnapshotStore>) -> Self {
        self.snapshots = Some(store);
        self
    }

    /// Decides about records that a processor refuses.
    ///
    /// ```
    /// use candlewick::{Context, FailedRecord, KafkaStreams, ProcessHandler, ProcessResponse};
    /// struct SkipTimeouts;
    /// impl ProcessHandler for SkipTimeouts {
    ///     fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
    ///         let is_timeout = failed.error.to_string().contains("timed out");
    ///         if is_timeout { ProcessResponse::Continue } else { ProcessResponse::Fail }
    ///     }
    /// }
    /// fn tolerant(streams: KafkaStreams) -> KafkaStreams {
    ///     streams.process_handler(SkipTimeouts)
    /// }
    /// # let _ = tolerant;
    /// ```
    #[must_use]
    pub fn process_handler(mut self, handler: impl ProcessHandler) -> Self {
        self.process_handler = Arc::new(handler);
        self
    }

    /// Decides about records that cannot be decoded.
    ///
    /// ```
    /// use candlewick::{KafkaStreams, SkipOnDecodeError};
    /// fn tolerant(streams: KafkaStreams) -> KafkaStreams {
    ///     streams.decode_handler(SkipOnDecodeError)
    /// }
    /// # let _ = tolerant;
    /// ```
    #[must_use]
    pub fn decode_handler(mut self, handler: impl DeserializationHandler) -> Self {
        self.decode_handler = Arc::new(handler);
        self
    }

    /// Is told of every change of state, as (before, after), on the thread that makes it.
    ///
    /// ```
    /// use std::{sync::mpsc, time::Duration};
    /// use candlewick::client::EmbeddedLog;
    /// use candlewick::{ApplicationState, KafkaStreams};
    /// # use candlewick::{*, client::*};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.stream("in", Consumed::<String, i64>::default());
    /// # let topic = NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], Duration::from_secs(1))?;
    /// let (told, states) = mpsc::channel();
    /// let streams = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log);
    /// let running = streams.state_listener(move |_, now| drop(told.send(now))).start()?;
    /// running.stop(Duration::from_secs(10))?;
    /// assert_eq!(states.iter().last(), Some(ApplicationState::NotRunning));
    /// # Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn state_listener(
        mut self,
        listener: impl Fn(ApplicationState, ApplicationState) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// Reads the time elsewhere than from the operating system.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let streams = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log);
    /// let running = streams.clock(std::sync::Arc::new(SystemClock::default())).start()?;
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Has its threads elsewhere than with the operating system: a simulation runs them in turns.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn threads(mut self, threads: Arc<dyn Threads>) -> Self {
        self.threads = threads;
        self
    }

    /// Locks the state folder, checks and makes topics, starts the threads and joins the group. Returns as soon as that
    /// is done; tasks are restored and run from then on.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_ne!(running.state(), ApplicationState::Created);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    ///
    /// # Errors
    /// Everything that keeps the application from starting, each as one sentence.
    pub fn start(self) -> Result<RunningStreams, StreamsError> {
        let folder = match &self.config.state_dir {
            Some(path) => Some(StateFolder::lock(path.join(&self.config.application_id))?),
            None => None,
        };
        let instance =
            // An instance without a state folder is a new one at every start.
            folder.as_ref().map_or_else(random_id, |folder| Ok(folder.instance_id().to_owned()))?;
        check_calls(&self.topology, &self.config)?;
        let prepared = self.take_over(folder.as_ref())?;
        let isolation = isolation_of(self.config.guarantee);
        let timeout = Duration::from_millis(self.config.request_timeout_ms);
        let directory: Arc<dyn TopicDirectory> = Arc::new(LogDirectory::new(Arc::clone(&self.log), timeout));
        let workshop = Workshop::new(Arc::clone(&self.clock), Arc::clone(&self.threads));
        let handler = |policy: ErrorPolicy| -> Arc<dyn ProcessHandler> { Arc::new(policy) };
        let process_handler = self.config.process_errors.map_or(self.process_handler, handler);
        let handler = |policy: ErrorPolicy| -> Arc<dyn DeserializationHandler> { Arc::new(policy) };
        let decode_handler = self.config.decode_errors.map_or(self.decode_handler, handler);
        let plan = GlobalPlan {
            topology: &self.topology,
            application: &self.config.application_id,
            partitions_of: &|topic| prepared.partitions.get(topic).copied().unwrap_or(0),
            process_handler: Arc::clone(&process_handler),
            decode_handler: Arc::clone(&decode_handler),
            directory: Arc::clone(&directory),
            workplace: Arc::<Workshop>::clone(&workshop),
        };
        let around = (&*self.threads, &self.clock);
        let global = GlobalUpdater::bootstrap(&plan, &self.log, isolation, timeout, around)?;
        let shared = Arc::new(Shared::new(self.config.threads, self.listener));
        let application = Arc::new(Application {
            topology: self.topology,
            config: self.config,
            log: self.log,
            clock: self.clock,
            threads: self.threads,
            folder,
            instance,
            process_handler,
            decode_handler,
            partitions: prepared.partitions,
            subscribed: prepared.subscribed,
            directory,
            tasks: prepared.tasks,
            since: prepared.since,
            globals: global.as_ref().map(GlobalUpdater::tables).unwrap_or_default(),
            snapshots: self.snapshots,
            workshop,
        });
        launch(application, shared, global)
    }
}

/// A running application. Dropping it stops it, without a deadline.
///
/// ```
/// use candlewick::ApplicationState;
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default());
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
/// # assert!(until(&|| running.state() == ApplicationState::Running));
/// assert_eq!(running.state(), ApplicationState::Running);
/// running.stop(Duration::from_secs(10))?;
/// assert_eq!(streams.state(), ApplicationState::NotRunning);
/// # Ok(())
/// # }
/// ```
pub struct RunningStreams {
    pub(super) handle: StreamsHandle,
    pub(super) commands: Vec<Sender<Command>>,
    pub(super) stop_control: Sender<Departure>,
    pub(super) crew: Sender<Crew>,
    /// Until it is shut down.
    pub(super) ends: Option<CrewEnds>,
    pub(super) threads: Option<Spawns>,
    pub(super) failed: AtomicBool,
}

/// A view of a running application that can be shared and kept.
///
/// ```
/// use candlewick::{ApplicationState, StreamsHandle};
/// /// For a health check, from any thread.
/// fn is_well(streams: &StreamsHandle) -> bool {
///     streams.error().is_none() && streams.state() == ApplicationState::Running
/// }
/// # let _ = is_well;
/// ```
#[derive(Clone)]
pub struct StreamsHandle {
    pub(super) application: Arc<Application>,
    pub(super) shared: Arc<Shared>,
    pub(super) started: Duration,
}

impl RunningStreams {
    /// A view to share.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// let handle = running.handle();
    /// let watcher = std::thread::spawn(move || handle.status().application);
    /// assert_eq!(watcher.join().expect("it ends"), "app");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> StreamsHandle {
        self.handle.clone()
    }

    /// The application's state.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert!(matches!(running.state(), ApplicationState::Rebalancing | ApplicationState::Running));
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> ApplicationState {
        self.handle.state()
    }

    /// Commits, closes every task, hands them over to other instances, leaves the group and ends. When the deadline passes first, what is open is left to
    /// the next start, which replays it.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// let handle = running.handle();
    /// running.stop(Duration::from_secs(10))?;
    /// assert_eq!(handle.state(), ApplicationState::NotRunning);
    /// # Ok::<(), StreamsError>(())
    /// ```
    ///
    /// # Errors
    /// What made the application fail, if it did.
    pub fn stop(mut self, deadline: Duration) -> Result<(), StreamsError> {
        self.shut_down(Some(deadline));
        match self.handle.shared.error() {
            Some(reason) if self.failed.load(Ordering::Relaxed) => {
                Err(crate::client::ClientError::Fatal { operation: "run", reason }.into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for RunningStreams {
    fn drop(&mut self) {
        self.shut_down(None);
    }
}

impl StreamsHandle {
    /// The application's state.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_ne!(running.handle().state(), ApplicationState::Error);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> ApplicationState {
        self.shared.state()
    }

    /// Why it failed, if it did.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_eq!(running.handle().error(), None);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn error(&self) -> Option<String> {
        self.shared.error()
    }

    /// The whole picture.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert_eq!(running.handle().status().application, "app");
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        let uptime = self.application.clock.monotonic().saturating_sub(self.started);
        let uptime_ms = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX);
        self.shared.status(&self.application.config.application_id, &self.application.instance, uptime_ms)
    }

    /// From now on, stream time follows the wall clock in every task whose input has been read to its end and silent
    /// for `after`: windows close although nothing comes any more. For inputs that end, such as a replay.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// running.handle().advance_when_idle(Duration::from_secs(1));
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    pub fn advance_when_idle(&self, after: Duration) {
        self.shared.advance_when_idle(after);
    }

    /// The topology in Kafka Streams' words.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert!(running.handle().describe().contains("Source: KSTREAM-SOURCE-0000000000 (topics: [in])"));
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        self.application.topology.describe()
    }

    /// The topology as a graph.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// assert!(running.handle().topology().nodes.iter().any(|node| node.name == "in"));
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn topology(&self) -> TopologyView {
        view(&self.application.topology)
    }
}
