//! What all threads of an instance share: the topology, its configuration, the log, the clock and the handlers, and the
//! partition counts found at start. Immutable once the instance runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::config::{Guarantee, StreamsConfig};
use super::handlers::DeserializationHandler;
use super::planted::{Bug, planted};
use super::slow::Workshop;
use super::snapshots::SnapshotStore;
use super::task::{Task, TaskPlan};
use super::threads::Threads;
use crate::client::{ConsumerSettings, Isolation, Log, ProducerSettings};
use crate::plan::{AutoOffsetReset, NodeRole, SubTopology, Topology, changelog_topic};
use crate::processor::{ProcessHandler, TopicDirectory};
use crate::record::{Partition, TaskId, TopicPartition};
use crate::state::{
    EngineChoice, GlobalTables, StateFolder, StoreDecl, StoreError, StoreKind, TaskSettings, TaskState,
};
use crate::time::Clock;

/// What one store of a task is restored from.
pub(crate) struct Changelog {
    /// The store's place in its task.
    pub(crate) store: usize,
    pub(crate) partition: TopicPartition,
    /// Whether it is a source topic, of which the store has what was processed.
    pub(crate) is_source: bool,
}

/// Shared by the threads of one instance.
pub(crate) struct Application {
    pub(crate) topology: Arc<Topology>,
    pub(crate) config: StreamsConfig,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) threads: Arc<dyn Threads>,
    pub(crate) folder: Option<StateFolder>,
    pub(crate) instance: String,
    pub(crate) process_handler: Arc<dyn ProcessHandler>,
    pub(crate) decode_handler: Arc<dyn DeserializationHandler>,
    /// Partition counts of every topic the application reads or writes, by resolved name.
    pub(crate) partitions: BTreeMap<Arc<str>, i32>,
    /// The topics that patterns matched at start.
    pub(crate) subscribed: Vec<Arc<str>>,
    /// Asked for the topics that records tell.
    pub(crate) directory: Arc<dyn TopicDirectory>,
    /// How many tasks each sub-topology has.
    pub(crate) tasks: Vec<i32>,
    pub(crate) globals: GlobalTables,
    /// Since when, by the wall clock, the rows of each sub-topology are of one lineage: snapshots of another one are not
    /// gone on with.
    pub(crate) since: Vec<i64>,
    /// Where copies of stores are kept outside of the cluster.
    pub(crate) snapshots: Option<Arc<dyn SnapshotStore>>,
    /// Where the slow nodes of all tasks have their work done.
    pub(crate) workshop: Arc<Workshop>,
}

impl Application {
    /// Every task of the application, in the order of their ids.
    pub(crate) fn task_ids(&self) -> Vec<TaskId> {
        let mut ids = Vec::new();
        for (sub, &count) in self.topology.sub_topologies().iter().zip(&self.tasks) {
            ids.extend((0..count).map(|n| TaskId { sub_topology: sub.id, partition: Partition(n) }));
        }
        ids
    }

    pub(crate) fn sub_topology(&self, task: TaskId) -> &SubTopology {
        &self.topology.sub_topologies()[task.sub_topology as usize]
    }

    pub(crate) fn isolation(&self) -> Isolation {
        if planted(Bug::InputUncommitted) {
            return Isolation::ReadUncommitted;
        }
        isolation_of(self.config.guarantee)
    }

    pub(crate) fn exactly_once(&self) -> bool {
        self.config.guarantee == Guarantee::ExactlyOnce
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.config.request_timeout_ms)
    }

    /// The consumer of a thread. Under exactly-once nothing is seen before the next commit: half of that time may go into
    /// gathering records.
    pub(crate) fn consumer_settings(&self) -> ConsumerSettings {
        let gather = match self.exactly_once() {
            true => (self.config.commit_interval() / 2).min(GATHER_MAX),
            false => Duration::ZERO,
        };
        let settings = ConsumerSettings::new(&self.config.application_id, self.isolation());
        let fetch_bytes_max = Some(self.buffer_share() * 2 / 3);
        ConsumerSettings { gather, fetch_bytes_max, ..settings }
    }

    /// The producer of a thread: transactional under exactly-once, by an id that is this instance's and thread's own.
    pub(crate) fn producer_settings(&self, thread: usize) -> ProducerSettings {
        let transactional_id =
            self.exactly_once().then(|| format!("{}-{}-{thread}", self.config.application_id, self.instance));
        ProducerSettings {
            transactional_id,
            transaction_timeout: Some(Duration::from_millis(self.config.transaction_timeout_ms)),
            linger: None,
            queue_bytes_max: Some(self.buffer_share() / 3),
        }
    }

    /// How the instance's memory is divided.
    pub(crate) fn budget(&self) -> Budget {
        Budget::of(&self.config, self.tasks.iter().map(|count| usize::try_from(*count).unwrap_or(0)).sum())
    }

    /// What the clients of one thread may hold, in bytes.
    fn buffer_share(&self) -> usize {
        self.budget().buffers / self.config.threads.max(1)
    }

    /// What the stores of a task are restored from.
    pub(crate) fn changelogs(&self, task: TaskId) -> Vec<Changelog> {
        let stores = self.sub_topology(task).stores.iter().enumerate();
        let changelog = |(store, decl): (usize, &StoreDecl)| {
            let is_source = decl.source.is_some();
            let topic = (decl.logged || is_source).then(|| self.changelog_topic(decl))?;
            let exists = !is_source || task.partition.0 < self.partitions.get(&topic).copied().unwrap_or(0);
            let partition = TopicPartition { topic, partition: task.partition };
            exists.then_some(Changelog { store, partition, is_source })
        };
        stores.filter_map(changelog).collect()
    }

    /// The topic that a store is restored from, of which its serdes are told.
    fn changelog_topic(&self, store: &StoreDecl) -> Arc<str> {
        match &store.source {
            Some(source) => Arc::clone(&source.topic),
            None => changelog_topic(&self.config.application_id, &store.name),
        }
    }

    /// Whether the log deletes from a store's changelog by age, so that its start moves on while a store rests.
    pub(crate) fn changelog_expires(&self, task: TaskId, store: usize) -> bool {
        let kind = &self.sub_topology(task).stores[store].kind;
        matches!(kind, StoreKind::Window { .. } | StoreKind::Session { .. })
    }

    /// Opens a task's stores, or a snapshot of them where there are none that can be trusted: what is missing is to be
    /// restored from the changelogs.
    pub(crate) fn open_state(&self, task: TaskId) -> Result<TaskState, StoreError> {
        self.fetch_snapshot(task);
        self.open_local_state(task, true)
    }

    /// Opens what there is of a task's stores on this machine.
    pub(crate) fn open_local_state(&self, task: TaskId, may_fetch: bool) -> Result<TaskState, StoreError> {
        let stores = &self.sub_topology(task).stores;
        let persistent = stores.iter().any(|store| store.persistent);
        let budget = self.budget();
        let engine = match &self.folder {
            Some(folder) if persistent => {
                let (folder, dirty_bytes_max) = (folder.task(task), budget.pages);
                EngineChoice::Lmdb { folder, map_bytes: INITIAL_MAP_BYTES, dirty_bytes_max }
            }
            Some(_) | None => EngineChoice::Memory,
        };
        let total: i32 = self.tasks.iter().sum();
        let share = budget.caches / usize::try_from(total.max(1)).unwrap_or(1);
        let settings = TaskSettings {
            engine,
            cache_bytes_max: share.max(MINIMAL_CACHE_BYTES),
            changelog_topics: stores.iter().map(|store| self.changelog_topic(store)).collect(),
        };
        match TaskState::open(stores, &settings) {
            Err(StoreError::Corrupt { reason, .. }) => {
                tracing::warn!(%task, reason, "the task's stores cannot be trusted and are restored");
                if let EngineChoice::Lmdb { folder, .. } = &settings.engine {
                    TaskState::wipe_folder(folder)?;
                }
                if may_fetch {
                    self.fetch_snapshot(task);
                }
                TaskState::open(stores, &settings)
            }
            other => other,
        }
    }

    /// Makes a task's nodes over its stores.
    pub(crate) fn make_task(&self, task: TaskId, state: TaskState) -> Task {
        let plan = TaskPlan {
            topology: &self.topology,
            sub_topology: self.sub_topology(task),
            partition: task.partition,
            application: &self.config.application_id,
            caching: self.budget().caches > 0,
            partitions_of: &|topic| self.partitions.get(topic).copied().unwrap_or(0),
            subscribed: &self.subscribed,
            directory: Arc::clone(&self.directory),
            dead_letter_topic: self.config.dead_letter_topic.as_deref(),
            process_handler: Arc::clone(&self.process_handler),
            decode_handler: Arc::clone(&self.decode_handler),
            workplace: Arc::<Workshop>::clone(&self.workshop),
        };
        let mut task = Task::new(&plan, state);
        task.env.globals = self.globals.clone();
        task
    }

    /// Where reading of a source topic starts without a committed offset. Repartition topics always start at their
    /// beginning: what is in them is work to do.
    pub(crate) fn offset_reset(&self, topic: &str) -> AutoOffsetReset {
        for sub in self.topology.sub_topologies() {
            for &id in &sub.nodes {
                if let NodeRole::Source { topics, reset: Some(reset), .. } = &self.topology.node(id).role
                    && topics.iter().any(|name| name.means(&self.config.application_id, topic))
                {
                    return *reset;
                }
            }
        }
        AutoOffsetReset::Earliest
    }
}

/// The longest time that records are gathered for.
const GATHER_MAX: Duration = Duration::from_millis(100);

/// Which records a guarantee lets the application see.
pub(crate) fn isolation_of(guarantee: Guarantee) -> Isolation {
    match guarantee {
        Guarantee::AtLeastOnce => Isolation::ReadUncommitted,
        Guarantee::ExactlyOnce => Isolation::ReadCommitted,
    }
}

/// Caches hold at least this much, or in-place updates lose their point.
const MINIMAL_CACHE_BYTES: usize = 64 << 10;

/// Address space of a task's engine at first; it is sparse and grows by itself.
const INITIAL_MAP_BYTES: usize = 64 << 20;
