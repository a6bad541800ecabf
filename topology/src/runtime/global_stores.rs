//! The stores of global tables, and the processors that fill global stores: taken record by record by whoever reads the
//! topics, for an instance as for a test driver. Owns their order of commit, and what becomes of records that fail. Knows no
//! client.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::handlers::{DeserializationHandler, FailedBytes};
use super::task::TaskFault;
use crate::error::{Panicked, ProcessError};
use crate::plan::{SourceCell, Topology};
use crate::processor::{
    DropReason, Env, NodeArena, ProcessHandler, ProcessResponse, PunctuationType, SourceError,
    TopicDirectory, Workplace, blaming, take_blamed,
};
use crate::record::{Partition, RawRecord, RecordRun, TaskId, TopicPartition};
use crate::serde::SerdeError;
use crate::state::{EngineChoice, GlobalTables, StateStore, StoreError, TaskSettings, TaskState};
use crate::time::Timestamp;

/// What global stores are made from.
pub(crate) struct GlobalPlan<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) application: &'a str,
    /// Partition counts of their topics.
    pub(crate) partitions_of: &'a dyn Fn(&str) -> i32,
    pub(crate) process_handler: Arc<dyn ProcessHandler>,
    pub(crate) decode_handler: Arc<dyn DeserializationHandler>,
    pub(crate) directory: Arc<dyn TopicDirectory>,
    pub(crate) workplace: Arc<dyn Workplace>,
}

/// A partition of a global topic.
struct Read {
    partition: TopicPartition,
    store: usize,
    /// The greatest record time seen.
    time: Timestamp,
}

/// Where a record stands: its partition's place, and its offset.
type At = (usize, i64);

/// What became of a run of records.
pub(crate) enum Taken {
    Done,
    /// A record is to be tried again: all of the run was undone, and is to be taken once more after a rest.
    Again {
        run: RecordRun,
        after: Duration,
    },
}

/// The global tables and stores of an instance, in memory.
pub(crate) struct GlobalStores {
    env: Env,
    arena: NodeArena,
    /// By the place of the store that it fills; none of a table's, whose rows are its topic's records.
    sources: BTreeMap<usize, SourceCell>,
    reads: Vec<Read>,
    decode_handler: Arc<dyn DeserializationHandler>,
    /// How often records have failed that are tried again.
    failures: BTreeMap<At, u32>,
    /// Records that have panicked and were given up: what one left half done is undone with its run.
    left_out: BTreeSet<At>,
}

/// Bytes of cache of all global stores, while a run of records is taken.
const CACHE_BYTES_MAX: usize = 1 << 20;

impl GlobalStores {
    /// Opens the stores, empty, and starts the processors.
    pub(crate) fn open(plan: &GlobalPlan<'_>) -> Result<Self, TaskFault> {
        let globals = plan.topology.globals();
        let decls: Vec<_> = globals.iter().map(|global| global.store.clone()).collect();
        let settings = TaskSettings {
            engine: EngineChoice::Memory,
            cache_bytes_max: CACHE_BYTES_MAX,
            changelog_topics: globals.iter().map(|global| Arc::clone(global.topic.declared())).collect(),
        };
        let state = TaskState::open(&decls, &settings).map_err(fault)?;
        let mut reads = Vec::new();
        for (store, topic) in settings.changelog_topics.iter().enumerate() {
            reads.extend((0..(plan.partitions_of)(topic)).map(|number| Read {
                partition: TopicPartition { topic: Arc::clone(topic), partition: Partition(number) },
                store,
                time: Timestamp::UNKNOWN,
            }));
        }
        let (sources, arena) = plan.topology.instantiate_globals(plan.application);
        let tables = GlobalTables::of(&state);
        let partitions = reads.iter().map(|read| read.partition.clone()).collect();
        let (directory, workplace) = (Arc::clone(&plan.directory), Arc::clone(&plan.workplace));
        let handler = Arc::clone(&plan.process_handler);
        let topics = (Vec::new(), directory);
        let mut env = Env::new(TaskId::GLOBAL, state, topics, partitions, handler, workplace);
        env.globals = tables;
        let mut stores = Self {
            env,
            arena,
            sources: sources.into_iter().collect(),
            reads,
            decode_handler: Arc::clone(&plan.decode_handler),
            failures: BTreeMap::new(),
            left_out: BTreeSet::new(),
        };
        let started = stores.arena.init(&mut stores.env).and_then(|()| stores.refuse_punctuators());
        started.map_err(|error| TaskFault::Process { task: TaskId::GLOBAL, error })?;
        stores.commit()?;
        Ok(stores)
    }

    /// What tasks read.
    pub(crate) fn tables(&self) -> GlobalTables {
        self.env.globals.clone()
    }

    /// Every partition that is read.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.reads.iter().map(|read| &read.partition)
    }

    /// The stores themselves.
    pub(crate) fn stores_mut(&mut self) -> &mut [Box<dyn StateStore>] {
        self.env.state.stores_mut()
    }

    /// How many records were left out, by reason.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.env.dropped()
    }

    /// Sets the wall clock that processors see.
    pub(crate) fn set_wall(&mut self, wall: Timestamp) {
        self.env.wall = wall;
    }

    /// Takes a run of records of one partition. What it changes is seen by tasks when it is done, and of a table by the
    /// next [`settle`](Self::settle).
    pub(crate) fn take(&mut self, run: RecordRun) -> Result<Taken, TaskFault> {
        let Some(at) = self.reads.iter().position(|read| read.partition == run.source) else {
            return Ok(Taken::Done);
        };
        let store = self.reads[at].store;
        if !self.sources.contains_key(&store) {
            run.iter().filter(|raw| raw.key.is_none()).for_each(|_| self.env.count_drop(DropReason::NullKey));
            let next = run.iter().last().map_or(0, |record| record.offset + 1);
            self.env.state.restore(store, &run, next, usize::MAX).map_err(fault)?;
            return Ok(Taken::Done);
        }
        let time = self.reads[at].time;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.process(at, &run)));
        let after = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(TaskFault::Again { after, .. })) => Some(after),
            Ok(Err(fault)) => return Err(fault),
            Err(panic) => {
                let panic = Panicked::of(panic).unwrap_or_else(|panic| resume_unwind(panic));
                Some(self.panicked(store, panic)?)
            }
        };
        let Some(after) = after else {
            self.commit()?;
            return Ok(Taken::Done);
        };
        if let Some(at) = self.env.current() {
            *self.failures.entry(at).or_default() += 1;
        }
        self.reads[at].time = time;
        self.env.state.rollback().map_err(fault)?;
        Ok(Taken::Again { run, after })
    }

    /// Shows tasks what was taken of tables.
    pub(crate) fn settle(&mut self) -> Result<(), TaskFault> {
        self.env.state.finish_restore().map_err(fault)
    }

    fn commit(&mut self) -> Result<(), TaskFault> {
        let state = &mut self.env.state;
        state.flush(|_, _, _, _| ()).and_then(|()| state.commit(&[])).map_err(fault)?;
        self.failures.clear();
        self.left_out.clear();
        Ok(())
    }

    fn process(&mut self, at: usize, run: &RecordRun) -> Result<(), TaskFault> {
        for raw in run.iter() {
            if self.left_out.contains(&(at, raw.offset)) {
                self.env.count_drop(DropReason::Process);
                continue;
            }
            self.process_one(at, raw)?;
        }
        Ok(())
    }

    fn process_one(&mut self, at: usize, raw: RawRecord<'_>) -> Result<(), TaskFault> {
        let offset = raw.offset;
        let Self { env, arena, sources, reads, failures, .. } = self;
        let read = &mut reads[at];
        let Some(source) = sources.get_mut(&read.store) else { return Ok(()) };
        env.set_current(at, offset);
        env.failures = failures.get(&(at, offset)).copied().unwrap_or(0);
        env.record_time = Timestamp::UNKNOWN;
        source.processed += 1;
        let hop = arena.enter(&source.children, env);
        let SourceCell { name, node, .. } = source;
        let result = blaming(name, || node.process(&read.partition.topic, raw, read.time, hop));
        read.time = read.time.max(env.record_time);
        if let Some(error) = env.dead_letter.take() {
            let partition = &read.partition;
            tracing::error!(%partition, offset, %error, "what fills a global store writes no dead letters: the record is left out");
        }
        match result {
            Ok(()) => {}
            Err(SourceError::Process(error)) => return Err(process_fault(error)),
            Err(SourceError::Decode(SerdeError::Null { what: "key" })) => env.count_drop(DropReason::NullKey),
            Err(SourceError::Decode(error)) => return self.undecodable(at, raw, error),
        }
        let punctuators = self.refuse_punctuators();
        punctuators.map_err(|error| TaskFault::Process { task: TaskId::GLOBAL, error })
    }

    #[cold]
    fn undecodable(&mut self, at: usize, raw: RawRecord<'_>, error: SerdeError) -> Result<(), TaskFault> {
        let Read { partition, store, .. } = &self.reads[at];
        let failed =
            FailedBytes { source: partition, record: raw, error: &error, failures: self.env.failures };
        let policy = self.sources.get(store).and_then(|source| source.policy);
        let answer = match &policy {
            Some(policy) => DeserializationHandler::on_error(policy, &failed),
            None => self.decode_handler.on_error(&failed),
        };
        match answer {
            ProcessResponse::Continue | ProcessResponse::DeadLetter => {
                tracing::warn!(%partition, offset = raw.offset, %error, "a record of a global store is left out");
                self.env.count_drop(DropReason::Decode);
                Ok(())
            }
            ProcessResponse::Retry { after } => {
                Err(process_fault(ProcessError::from(error).into_retry(after)))
            }
            ProcessResponse::Fail => Err(TaskFault::Decode {
                task: TaskId::GLOBAL,
                partition: partition.clone(),
                offset: raw.offset,
                source: error,
            }),
        }
    }

    /// What to do about a record that panicked: how long to rest before its run is taken again, with it or without.
    #[cold]
    fn panicked(&mut self, store: usize, panic: Panicked) -> Result<Duration, TaskFault> {
        let mut error = ProcessError::from(panic);
        if let Some(node) = take_blamed() {
            error.name_node(&node);
        }
        let policy = self.sources.get(&store).and_then(|source| source.policy);
        match self.env.answer(&error, policy.as_ref()) {
            ProcessResponse::Retry { after } => Ok(after),
            ProcessResponse::Continue | ProcessResponse::DeadLetter => {
                tracing::error!(%error, "a record of a global store is left out");
                self.left_out.extend(self.env.current());
                Ok(Duration::ZERO)
            }
            ProcessResponse::Fail => {
                Err(TaskFault::Process { task: TaskId::GLOBAL, error: error.into_fatal() })
            }
        }
    }

    /// Nothing would ever call them.
    fn refuse_punctuators(&self) -> Result<(), ProcessError> {
        let kinds = [PunctuationType::StreamTime, PunctuationType::WallClockTime];
        if kinds.into_iter().any(|kind| self.env.punctuators.any(kind)) {
            return Err(ProcessError::fatal(
                "a processor that fills a global store runs for its records alone and cannot schedule punctuators; schedule them in a processor of a stream",
            ));
        }
        Ok(())
    }
}

fn fault(source: StoreError) -> TaskFault {
    TaskFault::Store { task: TaskId::GLOBAL, source }
}

fn process_fault(error: ProcessError) -> TaskFault {
    match error.retry_after() {
        Some(after) => TaskFault::Again { task: TaskId::GLOBAL, after, error },
        None => TaskFault::Process { task: TaskId::GLOBAL, error },
    }
}
