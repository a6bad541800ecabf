//! What an application tells about itself: a snapshot of threads, tasks, partitions, stores and edges, for status pages
//! and tests. Plain data; gathers nothing itself.

use serde::Serialize;

/// The state of an application, as in Kafka Streams.
///
/// ```
/// use candlewick::ApplicationState;
/// /// Whether an instance will never process anything again.
/// fn is_over(state: ApplicationState) -> bool {
///     matches!(state, ApplicationState::NotRunning | ApplicationState::Error)
/// }
/// assert!(!is_over(ApplicationState::Rebalancing));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ApplicationState {
    /// Made, not started.
    Created,
    /// Tasks are being assigned or restored.
    Rebalancing,
    /// Every task of this instance runs.
    Running,
    /// Stopping in good order.
    PendingShutdown,
    /// Stopped.
    NotRunning,
    /// A thread failed and the application stops.
    PendingError,
    /// Stopped by an error.
    Error,
}

/// The whole picture at one moment.
///
/// ```
/// use candlewick::{ApplicationState, TaskPhase};
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).filter(|_, n| *n > 1).named("greater");
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
/// # assert!(until(&|| streams.state() == ApplicationState::Running));
/// let status = streams.status();
/// assert_eq!((status.application.as_str(), status.error), ("app", None));
/// let task = &status.tasks[0];
/// assert_eq!((task.id.as_str(), task.phase, task.stream_time_ms), ("0_0", TaskPhase::Running, 1));
/// assert_eq!(task.partitions[0].lag(), Some(0));
/// # running.stop(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The application's id.
    pub application: String,
    /// This instance's id.
    pub instance: String,
    /// Its state.
    pub state: ApplicationState,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Whether its processing is paused.
    pub is_paused: bool,
    /// The tasks that have had records to process for `task-stuck-after-ms` and have not moved.
    pub stalled: Vec<StalledTask>,
    /// The tasks this instance holds.
    pub tasks: Vec<TaskStatus>,
    /// The tasks of whose stores it keeps copies, to take them over.
    pub standbys: Vec<StandbyStatus>,
    /// Records that each node took in, summed over the tasks of this instance.
    pub nodes: Vec<NodeStatus>,
    /// Records left out, by reason.
    pub dropped: Vec<(String, u64)>,
}

/// What a task is doing.
///
/// ```
/// use candlewick::{Status, TaskPhase};
/// /// Whether every task of this instance is restored.
/// fn is_restored(status: &Status) -> bool {
///     status.tasks.iter().all(|task| task.phase != TaskPhase::Restoring)
/// }
/// # let _ = is_restored;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskPhase {
    /// Its stores are being restored from their changelogs.
    Restoring,
    /// It processes records.
    Running,
}

/// A task.
///
/// ```
/// use candlewick::{TaskPhase, TaskStatus};
/// /// How much of a task is restored, in percent.
/// fn restored(task: &TaskStatus) -> Option<i64> {
///     task.restored.map(|(restored, total)| 100 * restored / total.max(1))
/// }
/// let task = TaskStatus {
///     id: "0_3".to_owned(),
///     thread: 0,
///     phase: TaskPhase::Restoring,
///     processed: 0,
///     stream_time_ms: -1,
///     partitions: Vec::new(),
///     restored: Some((30, 120)),
/// };
/// assert_eq!(restored(&task), Some(25));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its id, such as `0_3`.
    pub id: String,
    /// The thread that owns it.
    pub thread: usize,
    /// What it is doing.
    pub phase: TaskPhase,
    /// Records processed since it was made.
    pub processed: u64,
    /// Stream time in milliseconds; -1 before the first record.
    pub stream_time_ms: i64,
    /// Its source partitions.
    pub partitions: Vec<PartitionStatus>,
    /// Restored and total records while restoring.
    pub restored: Option<(i64, i64)>,
}

/// A copy of the stores of a task that another instance runs.
///
/// ```
/// use candlewick::{StandbyStatus, Status};
/// /// Whether this instance could take any of them over without much to restore.
/// fn is_ready(status: &Status, records: i64) -> bool {
///     status.standbys.iter().all(|standby: &StandbyStatus| standby.lag <= records)
/// }
/// # let _ = is_ready;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StandbyStatus {
    /// The task's id, such as `0_3`.
    pub id: String,
    /// Records of its changelogs that the copy has not read yet.
    pub lag: i64,
}

/// A task that has records to process and does not move.
///
/// ```
/// use candlewick::{StalledTask, Status};
/// fn complaints(status: &Status) -> Vec<String> {
///     let told = |StalledTask { task, lag, for_ms }: &StalledTask| format!("{task}: {lag} behind for {for_ms} ms");
///     status.stalled.iter().map(told).collect()
/// }
/// # let _ = complaints;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StalledTask {
    /// The task.
    pub task: String,
    /// Records before it, as far as is known.
    pub lag: i64,
    /// Milliseconds since it moved last.
    pub for_ms: u64,
}

/// A source partition of a task.
///
/// ```
/// use candlewick::PartitionStatus;
/// let topic = "trades".to_owned();
/// // Nothing was read yet.
/// let partition = PartitionStatus { topic, partition: 3, position: None, end: Some(100), buffered: 0 };
/// assert_eq!(partition.lag(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartitionStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to process.
    pub position: Option<i64>,
    /// The end of the partition as far as it is known.
    pub end: Option<i64>,
    /// Records fetched and waiting.
    pub buffered: usize,
}

impl PartitionStatus {
    /// Records between the position and the end.
    ///
    /// ```
    /// use candlewick::PartitionStatus;
    /// let partition = PartitionStatus {
    ///     topic: "trades".to_owned(),
    ///     partition: 3,
    ///     position: Some(90),
    ///     end: Some(100),
    ///     buffered: 4,
    /// };
    /// assert_eq!(partition.lag(), Some(10));
    /// ```
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        Some((self.end? - self.position?).max(0))
    }
}

/// A node of the topology, with what it has done.
///
/// ```
/// use candlewick::NodeStatus;
/// let busiest = |nodes: &[NodeStatus]| nodes.iter().max_by_key(|node| node.processed).map(|node| node.name.clone());
/// let node = |name: &str, processed| NodeStatus { name: name.to_owned(), processed };
/// assert_eq!(busiest(&[node("read", 7), node("greater", 3)]).as_deref(), Some("read"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeStatus {
    /// The node's name.
    pub name: String,
    /// Records it took in.
    pub processed: u64,
}

/// The drawing of a topology: nodes by kind, and edges between nodes and topics.
///
/// ```
/// use candlewick::TopologyView;
/// # use candlewick::{*, client::*};
/// # use std::time::Duration;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default().named("read")).filter(|_, n| *n > 1).named("greater");
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
/// let graph: TopologyView = streams.topology();
/// let topics: Vec<&str> = graph.nodes.iter().filter(|node| node.kind == "topic").map(|node| &*node.name).collect();
/// assert_eq!(topics, ["in"]);
/// assert!(graph.edges.contains(&("read".to_owned(), "greater".to_owned())));
/// # running.stop(Duration::from_secs(10))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopologyView {
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// Edges by name; topics appear under their own names.
    pub edges: Vec<(String, String)>,
}

/// A node in the drawing.
///
/// ```
/// use candlewick::NodeView;
/// let name = "count".to_owned();
/// let node = NodeView { name, kind: "processor", sub_topology: Some(0), stores: vec!["counts".to_owned()] };
/// assert!(node.sub_topology.is_some(), "it is no topic");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// `source`, `processor`, `sink` or `topic`.
    pub kind: &'static str,
    /// Its sub-topology; topics have none.
    pub sub_topology: Option<u32>,
    /// The stores it uses.
    pub stores: Vec<String>,
}
