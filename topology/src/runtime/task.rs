//! A task: one partition of one sub-topology, with its nodes, stores and waiting records. Runs on one thread at a time
//! and is moved between threads, never shared. Knows no client: what it writes waits in its output buffer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::failures::Failures;
use super::handlers::{DeserializationHandler, FailedBytes};
use super::look_ahead::LookAhead;
use super::offset_metadata::OffsetMetadata;
use super::partition_group::PartitionGroup;
use super::pulse::Pulse;
use crate::client::CommittedOffset;
use crate::error::ProcessError;
use crate::plan::{Instance, SourceCell, SubTopology, Topology};
use crate::processor::{
    DropReason, Env, ErrorPolicy, NodeArena, OutputTopic, ProcessHandler, ProcessResponse, PunctuationType,
    Refusals, SourceError, TopicDirectory, Workplace, blaming,
};
use crate::record::{Headers, Partition, RawRecord, RecordRun, TaskId, TopicPartition};
use crate::state::{StoreError, TaskState};
use crate::time::Timestamp;

/// Why a task cannot go on.
///
/// ```
/// use candlewick::{Consumed, StreamsBuilder, StringSerde, TaskFault, TopologyTestDriver};
/// let builder = StreamsBuilder::new();
/// builder.stream("prices", Consumed::<String, i64>::default());
/// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// let prices = driver.input_topic("prices", StringSerde, StringSerde);
/// let fault = prices.pipe("BTC".to_owned(), "high".to_owned(), 0.into()).expect_err("it is no number");
/// assert!(matches!(fault, TaskFault::Decode { offset: 0, .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskFault {
    /// A record failed and its handler chose to fail.
    #[error("task {task}: {error}")]
    Process {
        /// The task.
        task: TaskId,
        /// The cause; it names the node.
        error: ProcessError,
    },
    /// A record could not be decoded and its handler chose to fail.
    #[error(
        "task {task}: {partition} offset {offset}: {source}; set a deserialization handler to skip such records or to write them to a dead letter topic"
    )]
    Decode {
        /// The task.
        task: TaskId,
        /// The partition.
        partition: TopicPartition,
        /// The record's offset.
        offset: i64,
        /// The cause.
        source: crate::serde::SerdeError,
    },
    /// A record failed, and its handler chose to try it again: the task goes back to its last commit.
    #[error("task {task}: {error}; it is tried again after {after:?}")]
    Again {
        /// The task.
        task: TaskId,
        /// How long it rests before.
        after: Duration,
        /// The cause.
        error: ProcessError,
    },
    /// A store failed.
    #[error("task {task}: {source}")]
    Store {
        /// The task.
        task: TaskId,
        /// The cause.
        source: StoreError,
    },
}

/// Everything a task is made from.
pub(crate) struct TaskPlan<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) sub_topology: &'a SubTopology,
    pub(crate) partition: Partition,
    pub(crate) application: &'a str,
    pub(crate) caching: bool,
    /// Partition counts of the topics the task reads and writes, by resolved name.
    pub(crate) partitions_of: &'a dyn Fn(&str) -> i32,
    /// The topics that patterns may match.
    pub(crate) subscribed: &'a [Arc<str>],
    /// Asked for the topics that records tell.
    pub(crate) directory: Arc<dyn TopicDirectory>,
    pub(crate) dead_letter_topic: Option<&'a str>,
    pub(crate) process_handler: Arc<dyn ProcessHandler>,
    pub(crate) decode_handler: Arc<dyn DeserializationHandler>,
    /// Where its slow nodes have their work done.
    pub(crate) workplace: Arc<dyn Workplace>,
}

/// A running task.
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) env: Env,
    pub(crate) group: PartitionGroup,
    sources: Vec<SourceCell>,
    look_ahead: LookAhead,
    pub(super) arena: NodeArena,
    decode_handler: Arc<dyn DeserializationHandler>,
    /// Index of the dead letter topic among the outputs.
    pub(super) dead_letters: Option<u32>,
    /// For each store, the output topic of its changelog.
    pub(super) changelogs: Vec<Option<u32>>,
    /// The stores that are restored from a source topic, with its queue.
    sourced: Vec<(usize, usize)>,
    /// For each store, the headers its changelog's records carry.
    changelog_headers: Vec<Headers>,
    pub(crate) processed: u64,
    /// Of the thread that it runs on.
    pub(super) pulse: Arc<Pulse>,
    /// Records that are tried again.
    pub(super) failures: Failures,
}

impl Task {
    pub(crate) fn new(plan: &TaskPlan<'_>, state: TaskState) -> Self {
        let id = TaskId { sub_topology: plan.sub_topology.id, partition: plan.partition };
        let Instance { sources, arena } =
            plan.topology.instantiate(plan.sub_topology, plan.application, plan.subscribed, plan.caching);
        let mut topics: Vec<OutputTopic> = Vec::new();
        let mut add = |name: Arc<str>, partitions: i32, refusals| {
            topics.push(OutputTopic { name, partitions, refusals });
            u32::try_from(topics.len() - 1).expect("fewer than 2^32 topics")
        };
        for topic in &plan.sub_topology.outputs {
            let name = topic.resolve(plan.application);
            let partitions = (plan.partitions_of)(&name);
            add(name, partitions, plan.topology.refusals(plan.sub_topology, topic));
        }
        let changelogs = plan.sub_topology.stores.iter().map(|store| {
            store.logged.then(|| {
                add(crate::plan::changelog_topic(plan.application, &store.name), i32::MAX, Refusals::Fatal)
            })
        });
        let changelogs = changelogs.collect();
        let dead_letters = plan
            .dead_letter_topic
            .map(|topic| add(topic.into(), (plan.partitions_of)(topic), Refusals::Fatal));
        let mut partitions = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            for topic in &source.topics {
                if plan.partition.0 < (plan.partitions_of)(topic) {
                    partitions
                        .push((TopicPartition { topic: topic.clone(), partition: plan.partition }, index));
                }
            }
        }
        let names = partitions.iter().map(|(partition, _)| partition.clone()).collect();
        let queue_of = |topic: &str| partitions.iter().position(|(partition, _)| *partition.topic == *topic);
        let stores = plan.sub_topology.stores.iter().enumerate();
        let sourced =
            stores.filter_map(|(index, store)| Some((index, queue_of(&store.source.as_ref()?.topic)?)));
        let sourced = sourced.collect();
        let look_ahead = LookAhead::new(&sources, &state);
        Self {
            id,
            env: Env::new(
                id,
                state,
                (topics, Arc::clone(&plan.directory)),
                names,
                Arc::clone(&plan.process_handler),
                Arc::clone(&plan.workplace),
            ),
            group: PartitionGroup::new(partitions),
            look_ahead,
            sources,
            arena,
            decode_handler: Arc::clone(&plan.decode_handler),
            dead_letters,
            changelogs,
            sourced,
            changelog_headers: plan
                .sub_topology
                .stores
                .iter()
                .map(|store| store.kind.value_headers())
                .collect(),
            processed: 0,
            pulse: Arc::default(),
            failures: Failures::default(),
        }
    }

    /// Calls the processors' `init`. The stores must be restored by now.
    pub(crate) fn init(&mut self, wall: Timestamp) -> Result<(), TaskFault> {
        self.env.wall = wall;
        self.guarded(|task| task.arena.init(&mut task.env).map_err(|error| task.fault(error)))
    }

    pub(crate) fn enqueue(&mut self, queue: usize, run: RecordRun) {
        self.group.push(queue, run);
    }

    /// Processes at most `records_max` waiting records; gives how many.
    pub(crate) fn process(&mut self, records_max: usize) -> Result<usize, TaskFault> {
        self.guarded(|task| task.process_heads(records_max))
    }

    fn process_heads(&mut self, records_max: usize) -> Result<usize, TaskFault> {
        for done in 0..records_max {
            if self.env.unfinished.blocks() {
                return Ok(done);
            }
            let sources = &self.sources;
            let next = self.group.choose(|queue, raw| {
                sources[queue.source].node.time_of(&queue.partition.topic, raw, queue.partition_time)
            });
            let Some(queue) = next else { return Ok(done) };
            self.pulse.beat();
            self.process_head(queue)?;
            if self.env.commit_requested {
                return Ok(done + 1);
            }
        }
        Ok(records_max)
    }

    fn process_head(&mut self, index: usize) -> Result<(), TaskFault> {
        let queue = &self.group.queues[index];
        let raw = queue.head().expect("a chosen queue has a head");
        let offset = raw.offset;
        self.env.set_current(index, offset);
        if !self.failures.is_empty() && self.was_left_out(index, offset) {
            return Ok(());
        }
        let queue = &self.group.queues[index];
        self.look_ahead.before(queue, &self.env.state);
        let raw = queue.head().expect("a chosen queue has a head");
        let source = &mut self.sources[queue.source];
        source.processed += 1;
        // What is dropped for its time leaves it so, and the partition's time as it was.
        self.env.record_time = Timestamp::UNKNOWN;
        let hop = self.arena.enter(&source.children, &mut self.env);
        let SourceCell { name, node, .. } = source;
        let result = blaming(name, || node.process(&queue.partition.topic, raw, queue.partition_time, hop));
        if result.is_err() || self.env.dead_letter.is_some() {
            self.failed(index, result)?;
        }
        if self.env.unfinished.has_taken() {
            self.hold_for_dead_letter(index);
        }
        let queue = &mut self.group.queues[index];
        queue.partition_time = queue.partition_time.max(self.env.record_time);
        queue.advance(offset);
        self.processed += 1;
        self.punctuate(PunctuationType::StreamTime, self.env.stream_time)
    }

    /// Leaves a record out that is known to fail.
    #[cold]
    fn was_left_out(&mut self, index: usize, offset: i64) -> bool {
        self.look_up_failures(Some((index, offset)));
        let Some((answer, error)) = self.verdict((index, offset)) else { return false };
        self.env.count_drop(DropReason::Process);
        let queue = &self.group.queues[index];
        if answer == ProcessResponse::DeadLetter {
            let raw = queue.head().expect("a chosen queue has a head");
            let (cause, node) = (error.cause().to_string(), error.node());
            dead_letter(&mut self.env, self.dead_letters, &queue.partition, raw, &cause, node);
        }
        // It may come again, if what follows fails.
        self.leave_out((index, offset), answer, error);
        self.group.queues[index].advance(offset);
        self.processed += 1;
        true
    }

    /// Writes what a record was to the dead letter topic, or its own bytes where it is not known any more.
    pub(super) fn dead_letter(
        &mut self,
        source: &TopicPartition,
        raw: RawRecord<'_>,
        error: &str,
        node: &str,
    ) {
        dead_letter(&mut self.env, self.dead_letters, source, raw, error, Some(node));
    }

    /// The record that is being processed, by its queue and offset: it is still the head of the queue.
    pub(super) fn in_process(&self) -> Option<(usize, i64)> {
        let is_head = |&(queue, offset): &(usize, i64)| {
            self.group.queues[queue].head().is_some_and(|raw| raw.offset == offset)
        };
        self.env.current().filter(is_head)
    }

    /// What its user wants about errors of a node.
    pub(super) fn policy_of(&self, node: &str) -> Option<ErrorPolicy> {
        let sources = self.sources.iter().map(|source| (&source.name, source.policy));
        let mut all = sources.chain(self.arena.cells.iter().map(|cell| (&cell.name, cell.policy)));
        all.find(|(name, _)| &***name == node)?.1
    }

    /// The cold path of a record that failed: its handler's answer, and its dead letter.
    #[cold]
    fn failed(&mut self, index: usize, result: Result<(), SourceError>) -> Result<(), TaskFault> {
        let queue = &self.group.queues[index];
        let raw = queue.head().expect("the failed record is still the head");
        let error = match result {
            Ok(()) => {
                let error = self.env.dead_letter.take();
                let node = error.as_ref().and_then(|error| error.node().map(str::to_owned));
                let error = error.map(|error| error.cause().to_string()).unwrap_or_default();
                let node = node.as_deref();
                dead_letter(&mut self.env, self.dead_letters, &queue.partition, raw, &error, node);
                return Ok(());
            }
            Err(SourceError::Process(error)) => return Err(self.fault(error)),
            Err(SourceError::Decode(error)) => error,
        };
        let failures = self.env.failures;
        let failed = FailedBytes { source: &queue.partition, record: raw, error: &error, failures };
        let source = &self.sources[queue.source];
        let answer = match &source.policy {
            Some(policy) => DeserializationHandler::on_error(policy, &failed),
            None => self.decode_handler.on_error(&failed),
        };
        match answer {
            ProcessResponse::Continue => {}
            ProcessResponse::DeadLetter => {
                let (text, node) = (error.to_string(), Arc::clone(&source.name));
                dead_letter(&mut self.env, self.dead_letters, &queue.partition, raw, &text, Some(&node));
            }
            ProcessResponse::Retry { after } => {
                return Err(self.fault(ProcessError::from(error).into_retry(after)));
            }
            ProcessResponse::Fail => {
                let (partition, offset) = (queue.partition.clone(), raw.offset);
                return Err(TaskFault::Decode { task: self.id, partition, offset, source: error });
            }
        }
        self.env.count_drop(DropReason::Decode);
        Ok(())
    }

    /// Fires what is due at `now`.
    #[inline]
    pub(crate) fn punctuate(&mut self, kind: PunctuationType, now: Timestamp) -> Result<(), TaskFault> {
        if !self.env.punctuators.any(kind) || now.0 < 0 {
            return Ok(());
        }
        self.env.outputs.origin = None;
        self.guarded(|task| {
            while let Some((node, due)) = task.env.punctuators.pop_due(kind, now) {
                task.arena.punctuate(node, due, &mut task.env).map_err(|error| task.fault(error))?;
            }
            Ok(())
        })
    }

    /// Moves stream time on without a record. The partitions count as moved, so that the next commit keeps it.
    pub(crate) fn advance(&mut self, time: Timestamp) -> Result<(), TaskFault> {
        if time <= self.env.stream_time {
            return Ok(());
        }
        self.env.stream_time = time;
        for queue in self.group.queues.iter_mut().filter(|queue| queue.position.is_some()) {
            queue.moved = true;
        }
        self.guarded(|task| task.arena.advance(time, &mut task.env).map_err(|error| task.fault(error)))?;
        self.punctuate(PunctuationType::StreamTime, time)
    }

    /// Forwards what caches gathered and puts every change of the stores into the outputs, for their changelogs.
    pub(crate) fn flush(&mut self) -> Result<(), TaskFault> {
        let task = self.id;
        self.env.outputs.origin = None;
        self.guarded(|task| task.arena.flush(&mut task.env).map_err(|error| task.fault(error)))?;
        self.env.count_commit();
        let Env { state, outputs, .. } = &mut self.env;
        let (changelogs, headers, partition) = (&self.changelogs, &self.changelog_headers, self.id.partition);
        let sink = |store: usize, key: &[u8], value: Option<&[u8]>, timestamp| {
            if let Some(topic) = changelogs[store] {
                let headers = if value.is_some() { headers[store].clone() } else { Headers::default() };
                outputs.push_bytes(topic, partition, Some(key), value, timestamp, headers);
            }
        };
        state.flush(sink).map_err(|source| TaskFault::Store { task, source })
    }

    /// Applies what was flushed to the engine: the changelog is durable up to `positions` (store, next offset).
    pub(crate) fn committed(&mut self, positions: &[(usize, i64)]) -> Result<(), TaskFault> {
        for (index, queue) in self.group.queues.iter_mut().enumerate() {
            // What is held back is committed when it is finished.
            queue.moved &= self.env.unfinished.lowest(index).is_some();
            if !self.failures.is_empty() {
                self.failures.forget_below(index, queue.position.unwrap_or(0));
            }
        }
        self.env.unfinished.drain(false);
        self.env.commit_requested = false;
        self.env.failures = 0;
        self.env.state.commit(positions).map_err(|source| TaskFault::Store { task: self.id, source })
    }

    /// The stores' changelogs among the outputs.
    pub(crate) fn changelogs(&self) -> impl Iterator<Item = (usize, u32)> {
        self.changelogs.iter().enumerate().filter_map(|(store, topic)| Some((store, (*topic)?)))
    }

    /// The stores that are restored from what this queue brings.
    pub(crate) fn sourced_by(&self, queue: usize) -> impl Iterator<Item = usize> {
        self.sourced.iter().filter(move |(_, of)| *of == queue).map(|(store, _)| *store)
    }

    /// How far the stores are that are restored from source topics: as far as these were processed.
    pub(crate) fn source_positions(&self) -> impl Iterator<Item = (usize, i64)> {
        let position = |&(store, queue): &(usize, usize)| Some((store, self.group.queues[queue].position?));
        self.sourced.iter().filter_map(position)
    }

    /// The offsets to commit: of each partition that moved.
    pub(crate) fn offsets(&self) -> Vec<(TopicPartition, CommittedOffset)> {
        let moved = self.group.queues.iter().enumerate().filter(|(_, queue)| queue.moved);
        moved
            .filter_map(|(index, queue)| {
                let metadata = OffsetMetadata {
                    partition_time: queue.partition_time,
                    processor: self.env.remembered.clone(),
                };
                let offset = self.finished_up_to(index, queue.position?);
                let offset = CommittedOffset { offset, metadata: metadata.encode() };
                Some((queue.partition.clone(), offset))
            })
            .collect()
    }

    /// Takes up what a former owner committed for `partition`: how far it was, and what stands beside the offset. Each
    /// partition has all of it as of its own last commit: the latest holds.
    pub(crate) fn recall(&mut self, partition: &TopicPartition, committed: &CommittedOffset) {
        let Some(queue) = self.group.index_of(partition) else { return };
        let queue = &mut self.group.queues[queue];
        queue.position = Some(committed.offset);
        let Some(metadata) = OffsetMetadata::decode(&committed.metadata) else { return };
        queue.partition_time = metadata.partition_time;
        self.env.recall(&metadata.processor);
    }

    /// The stores, when the nodes are to be made anew or the task ends.
    pub(crate) fn into_state(self) -> TaskState {
        self.env.state
    }

    /// Whether a commit would have something to do.
    pub(crate) fn needs_commit(&self) -> bool {
        self.group.queues.iter().any(|queue| queue.moved)
    }

    /// Records that each node took in, by name: sources first.
    pub(crate) fn processed_by_node(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        let sources = self.sources.iter().map(|source| (&source.name, source.processed));
        sources.chain(self.arena.cells.iter().map(|cell| (&cell.name, cell.processed)))
    }
}

/// Puts the raw record into the dead letter topic, with headers that tell what happened (KIP-1034). Where the JVM writes
/// its stack trace stands the node that failed.
pub(super) fn dead_letter(
    env: &mut Env,
    topic: Option<u32>,
    source: &TopicPartition,
    raw: RawRecord<'_>,
    error: &str,
    node: Option<&str>,
) {
    let Some(topic) = topic else {
        tracing::error!(%source, offset = raw.offset, error, "no dead letter topic is configured: the record is left out");
        return;
    };
    let mut headers = raw.headers.clone();
    let text = |text: String| Some(Bytes::from(text));
    headers.push("__streams.errors.message", text(error.to_owned()));
    if let Some(node) = node {
        headers.push("__streams.errors.stacktrace", text(format!("at {node}")));
    }
    headers.push("__streams.errors.topic", text(source.topic.to_string()));
    headers.push("__streams.errors.partition", text(source.partition.to_string()));
    headers.push("__streams.errors.offset", text(raw.offset.to_string()));
    let partitions = env.topics[topic as usize].partitions.max(1);
    let partition = Partition(source.partition.0 % partitions);
    env.outputs.push_bytes(topic, partition, raw.key, raw.value, raw.timestamp, headers);
}
