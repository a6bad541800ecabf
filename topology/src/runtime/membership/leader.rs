//! The leader's thread: sleeps until its instance owns partition 0 of the control topic, and keeps the task table while it
//! does. It may wait for the log as long as it must: the membership is polled elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use super::copies::CopyRules;
use super::journal::{Journal, write};
use super::records::{Key, Leadership, encode};
use super::table::{Circumstances, Decision, Memory, decide};
use crate::client::{Admin, ClientError, Producer, ProducerError, ProducerSettings, TopicHandle};
use crate::record::TaskId;
use crate::runtime::application::Application;
use crate::runtime::error::StreamsError;
use crate::runtime::planted::{Bug, planted};
use crate::runtime::shared::Shared;
use crate::runtime::threads::receive;

/// What the control thread tells the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Partition 0 is ours.
    Lead,
    /// It is ours no more.
    Rest,
    /// The group has changed: look who lives.
    Look,
}

/// The thread's own things.
pub(crate) struct Leader {
    pub(crate) application: Arc<Application>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) topic: String,
    pub(crate) instance: String,
    pub(crate) fingerprint: String,
    pub(crate) orders: Receiver<Order>,
}

/// How long one read of the control topic waits.
const POLL: Duration = Duration::from_millis(100);
/// How often the group's members are asked for when nothing happens.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// How long to wait with another try after the log was not reachable.
const BACKOFF: Duration = Duration::from_millis(100);

/// How long one that was fenced waits for the order to rest.
const LEAD_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The clients of a time of leading. They are connected while the group is still being joined.
struct Clients {
    journal: Journal,
    producer: Box<dyn Producer>,
    admin: Box<dyn Admin>,
}

/// One time of leading.
struct Reign<'a> {
    leader: &'a Leader,
    journal: Journal,
    producer: Box<dyn Producer>,
    handle: TopicHandle,
    admin: Box<dyn Admin>,
    tasks: Vec<TaskId>,
    copies: CopyRules,
    memory: Memory,
    looked: Option<Duration>,
    strangers: BTreeSet<String>,
}

impl Leader {
    /// Runs until the channel of orders is closed.
    pub(crate) fn run(self) {
        // What cannot be connected now is connected when it is needed, and told then.
        let mut ready = self.connect().ok();
        while let Ok(order) = receive(&*self.application.threads, &self.orders, None) {
            if order != Order::Lead {
                // Somebody else leads: a reader of the control topic that nobody listens to is of no use.
                ready = None;
                continue;
            }
            if let Err(error) = self.lead(ready.take()) {
                self.shared.fail("leader", &error);
                return;
            }
        }
    }

    /// Leads until told to rest, or until somebody else does.
    fn lead(&self, mut ready: Option<Clients>) -> Result<(), StreamsError> {
        let mut reign: Option<Reign<'_>> = None;
        let mut is_told_to_look = true;
        loop {
            loop {
                match self.orders.try_recv() {
                    Ok(Order::Lead | Order::Look) => is_told_to_look = true,
                    Ok(Order::Rest) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let turn = match &mut reign {
                Some(reign) => reign.turn(std::mem::take(&mut is_told_to_look)),
                None => Reign::begin(self, ready.take()).map(|begun| reign = Some(begun)),
            };
            match turn {
                Ok(()) => {}
                Err(StreamsError::Producer(ProducerError::Fenced)) => {
                    // Whoever owns partition 0 now; or one who owned it before, was slow and has not heard: then nobody
                    // would lead if this one did not again.
                    tracing::info!("another instance leads from now on");
                    reign = None;
                    is_told_to_look = true;
                    if self.is_replaced() {
                        return Ok(());
                    }
                    tracing::warn!(
                        "partition 0 of the control topic is still ours: this instance leads again"
                    );
                }
                Err(StreamsError::Producer(error @ ProducerError::Unsettled)) => {
                    tracing::info!(%error, "this instance leads anew");
                    reign = None;
                    is_told_to_look = true;
                }
                Err(
                    error @ (StreamsError::Client(ClientError::Unavailable { .. })
                    | StreamsError::Producer(
                        ProducerError::Timeout { .. } | ProducerError::Abortable { .. },
                    )),
                ) => {
                    tracing::warn!(%error, "the task table waits for the log");
                    // What has become of an open transaction only a new producer is sure of.
                    if matches!(error, StreamsError::Producer(_)) {
                        reign = None;
                    }
                    is_told_to_look = true;
                    self.application.threads.sleep(BACKOFF);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the order to rest comes before it is time to lead again.
    fn is_replaced(&self) -> bool {
        let Application { clock, threads, .. } = &*self.application;
        let until = clock.monotonic() + LEAD_AGAIN_AFTER;
        loop {
            let left = until.saturating_sub(clock.monotonic());
            match receive(&**threads, &self.orders, Some(left)) {
                Ok(Order::Rest) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(Order::Lead) | Err(RecvTimeoutError::Timeout) => return false,
                Ok(Order::Look) => {}
            }
        }
    }

    fn timeout(&self) -> Duration {
        self.application.request_timeout()
    }

    fn copy_rules(&self, tasks: &[TaskId]) -> CopyRules {
        let Application { config, .. } = &*self.application;
        let is_stateful = |task: &&TaskId| !self.application.changelogs(**task).is_empty();
        CopyRules {
            stateful: tasks.iter().filter(is_stateful).copied().collect(),
            standbys: config.standby_replicas,
            warm_ups_max: config.warmup_replicas_max,
            lag_max: config.acceptable_recovery_lag,
        }
    }

    fn connect(&self) -> Result<Clients, StreamsError> {
        let application = &self.application;
        let id = &application.config.application_id;
        let producer = application.log.producer(&ProducerSettings {
            transactional_id: Some(format!("{id}-leader")),
            transaction_timeout: Some(Duration::from_millis(application.config.transaction_timeout_ms)),
            ..ProducerSettings::default()
        })?;
        let journal = Journal::open(&*application.log, id, &self.topic)?;
        Ok(Clients { journal, producer, admin: application.log.admin()? })
    }
}

impl<'a> Reign<'a> {
    /// Becomes the only writer of the table, and then reads all that was ever written: nothing of an earlier leader can
    /// follow.
    fn begin(leader: &'a Leader, ready: Option<Clients>) -> Result<Self, StreamsError> {
        let Clients { mut journal, mut producer, mut admin } = ready.map_or_else(|| leader.connect(), Ok)?;
        producer.init_transactions(leader.timeout())?;
        let handle = producer.topic(&leader.topic)?;
        let end = admin.watermarks(journal.partition(), leader.timeout())?.high;
        while !journal.has_read_to(end) {
            journal.poll(POLL)?;
        }
        tracing::info!(instance = leader.instance, epoch = journal.view.epoch, "this instance leads");
        let tasks = leader.application.task_ids();
        let copies = leader.copy_rules(&tasks);
        let (memory, strangers) = (Memory::default(), BTreeSet::new());
        Ok(Self { leader, journal, producer, handle, admin, tasks, copies, memory, looked: None, strangers })
    }

    /// Reads what is new and does what follows from it.
    fn turn(&mut self, is_told_to_look: bool) -> Result<(), StreamsError> {
        // Whoever has just begun has work to do.
        let patience = if self.looked.is_none() { Duration::ZERO } else { POLL };
        let changes = self.journal.poll(patience)?;
        self.producer.poll()?;
        let now = self.leader.application.clock.monotonic();
        let is_due = self.looked.is_none_or(|at| now.saturating_sub(at) >= LOOK_AFTER);
        if changes.is_empty() && !is_told_to_look && !is_due {
            return Ok(());
        }
        loop {
            let decision = self.decide(now)?;
            if decision.fence.is_empty() {
                self.looked = Some(now);
                return self.write(decision);
            }
            for (incarnation, ids) in decision.fence {
                for id in ids.iter().filter(|_| !planted(Bug::GrantedUnfenced)) {
                    self.fence(id)?;
                }
                tracing::info!(instance = incarnation.instance, member = incarnation.member, fenced = ?ids,
                    "an instance is gone; its tasks go to others");
                self.memory.fenced.insert(incarnation);
            }
        }
    }

    fn decide(&mut self, now: Duration) -> Result<Decision, StreamsError> {
        let Leader { application, fingerprint, .. } = self.leader;
        // Asked for after the control topic was read: who has announced itself by then and is not here, is gone.
        let members = self.admin.group_members(&application.config.application_id, self.leader.timeout())?;
        let live: BTreeSet<String> = members.into_iter().collect();
        let facts = Circumstances {
            tasks: &self.tasks,
            fingerprint,
            live: &live,
            now,
            delay: Duration::from_millis(application.config.scheduled_rebalance_delay_ms),
            copies: &self.copies,
        };
        for (instance, member) in &self.journal.view.members {
            let is_stranger = member.fingerprint != *fingerprint && live.contains(&member.incarnation.member);
            if is_stranger && self.strangers.insert(format!("{instance} {}", member.fingerprint)) {
                tracing::warn!(
                    instance,
                    theirs = member.fingerprint,
                    ours = fingerprint,
                    "an instance runs another topology, or counts other partitions, than the one that leads: it gets no \
                     tasks, and keeps those it has, until an instance like it leads; replace the others to end this"
                );
            }
        }
        let decision = decide(&self.journal.view, &facts, &mut self.memory);
        let owners: BTreeSet<_> =
            self.journal.view.table.values().map(|row| row.owner.incarnation.clone()).collect();
        self.memory.fenced.retain(|incarnation| owners.contains(incarnation));
        Ok(decision)
    }

    /// Takes a transactional id over and lets it go: its owner can commit no more, and what it left open is aborted.
    fn fence(&self, id: &str) -> Result<(), StreamsError> {
        let settings =
            ProducerSettings { transactional_id: Some(id.to_owned()), ..ProducerSettings::default() };
        let mut producer = self.leader.application.log.producer(&settings)?;
        Ok(producer.init_transactions(self.leader.timeout())?)
    }

    /// Writes a decision in one transaction, and takes it for read.
    fn write(&mut self, decision: Decision) -> Result<(), StreamsError> {
        let ours = Leadership {
            instance: self.leader.instance.clone(),
            fingerprint: self.leader.fingerprint.clone(),
        };
        let mut records: BTreeMap<String, (Key, Option<Vec<u8>>)> = BTreeMap::new();
        let mut add = |key: Key, value| records.insert(key.encode(), (key, value));
        if self.journal.view.leader.as_ref() != Some(&ours) {
            add(Key::Leader, Some(encode(&ours)));
        }
        for (task, row) in &decision.rows {
            tracing::debug!(%task, epoch = row.epoch, phase = ?row.phase, owner = row.owner.incarnation.instance, "row");
            add(Key::Task(*task), Some(encode(row)));
        }
        for (task, copies) in &decision.copies {
            tracing::debug!(%task, instances = ?copies.instances, "copies");
            add(Key::Copies(*task), Some(encode(copies)));
        }
        for instance in decision.forget {
            add(Key::Member(instance), None);
        }
        if records.is_empty() {
            return Ok(());
        }
        let records: Vec<(Key, Option<Vec<u8>>)> = records.into_values().collect();
        tracing::debug!(records = records.len(), "writing the task table");
        // A refusal is mended by leading anew: the next producer aborts what is open, and it is decided again.
        self.commit(&records)?;
        tracing::debug!("the task table is written");
        for (key, value) in &records {
            self.journal.view.take(key.encode().as_bytes(), value.as_deref());
        }
        Ok(())
    }

    fn commit(&mut self, records: &[(Key, Option<Vec<u8>>)]) -> Result<(), ProducerError> {
        let now = self.leader.application.clock.wall();
        self.producer.begin_transaction()?;
        for (key, value) in records {
            write(&mut *self.producer, self.handle, key, value.as_deref(), now)?;
        }
        loop {
            match self.producer.commit_transaction(self.leader.timeout()) {
                Err(ProducerError::Timeout { .. }) => {
                    tracing::warn!("it is not known yet whether the task table was written; asking again");
                }
                outcome => return outcome,
            }
        }
    }
}
