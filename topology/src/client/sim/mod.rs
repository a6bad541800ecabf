//! The log of a simulation: the embedded log in memory, where a [`Scheduler`] decides before each call what becomes of it,
//! and who runs meanwhile. Owns what a fault does to the log; must not know when one strikes, nor who calls.

mod admin;
mod consumer;
mod group;
mod producer;

use std::sync::Arc;
use std::time::Duration;

use self::admin::SimAdmin;
use self::consumer::SimConsumer;
use self::group::SimGroup;
use self::producer::SimProducer;
use super::{
    Admin, ClientError, CommittedOffset, Consumer, ConsumerSettings, EmbeddedLog, Group, Log, Producer,
    ProducerSettings,
};
use crate::record::TopicPartition;

/// A call to the log, as far as faults tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// A client is made.
    Connect,
    /// A record goes into the local queue. Nobody else runs meanwhile.
    Send,
    /// A producer's housekeeping: a part of its queue is written.
    Deliver,
    /// `flush`.
    Flush,
    /// `init_transactions`.
    Register,
    /// `begin_transaction`.
    Begin,
    /// `send_offsets`.
    SendOffsets,
    /// `commit_transaction`.
    CommitTransaction,
    /// `abort_transaction`.
    AbortTransaction,
    /// `assign`, `seek`.
    Assign,
    /// A consumer's `poll`.
    Poll,
    /// `committed`.
    Committed,
    /// A consumer's `commit`.
    Commit,
    /// `watermarks`.
    Watermarks,
    /// `group_members`.
    Members,
    /// `delete_records`.
    DeleteRecords,
    /// Any other call of an administrator.
    Administer,
    /// A group's `poll`. Its caller holds a lock: nobody else may run meanwhile.
    GroupPoll,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is not done: the log is away, a queue is full, an answer does not come.
    Refused,
    /// It is done, and the caller does not hear of it.
    Unheard,
    /// The coordinator has aborted the transaction.
    Aborted,
    /// The group refuses the member.
    NotCurrent,
}

/// What happened in the log, for whoever checks it, at the moment when it happened.
#[derive(Debug)]
pub enum Seen<'a> {
    /// These offsets count from now on.
    Committed(&'a [(TopicPartition, CommittedOffset)]),
    /// Records below these offsets are deleted.
    Deleted(&'a [(TopicPartition, i64)]),
    /// A producer has this transactional id.
    Registered(&'a str),
}

/// Decides what happens to the calls of one instance, and when.
pub trait Scheduler: Send + Sync + 'static {
    /// Before a call: others may run, and time may pass. Does not return when the instance ends here.
    fn before(&self, call: Call) -> Fate;

    /// After a call, before the caller knows of it: as [`before`](Self::before).
    fn after(&self, call: Call);

    /// Rests until the log has changed or the time, by the clock that never goes backwards, has come.
    fn wait(&self, until: Duration);

    /// The time.
    fn now(&self) -> Duration;

    /// The log has changed.
    fn changed(&self);

    /// A number below `bound`, from the seed.
    fn chance(&self, bound: usize) -> usize;

    /// Something has happened.
    fn see(&self, seen: Seen<'_>);

    /// A membership whose holder was killed: it must be kept, for dropping it would leave the group in good order.
    /// Gives it back when its holder was not killed.
    fn bury(&self, group: Box<dyn Group>) -> Option<Box<dyn Group>>;
}

/// The log as one instance reaches it.
pub struct SimLog {
    log: Arc<EmbeddedLog>,
    scheduler: Arc<dyn Scheduler>,
}

impl SimLog {
    /// The same `log` is shared by all instances, each with a scheduler of its own.
    #[must_use]
    pub fn new(log: Arc<EmbeddedLog>, scheduler: Arc<dyn Scheduler>) -> Arc<Self> {
        Arc::new(Self { log, scheduler })
    }
}

impl Log for SimLog {
    fn consumer_with(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, ClientError> {
        self.scheduler.before(Call::Connect);
        Ok(Box::new(SimConsumer::new(self.log.consumer_with(settings)?, Arc::clone(&self.scheduler))))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, ClientError> {
        self.scheduler.before(Call::Connect);
        if let Some(id) = &settings.transactional_id {
            self.scheduler.see(Seen::Registered(id));
        }
        Ok(Box::new(SimProducer::new(self.log.producer(settings)?, Arc::clone(&self.scheduler))))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, ClientError> {
        self.scheduler.before(Call::Connect);
        Ok(Box::new(SimAdmin::new(self.log.admin()?, Arc::clone(&self.scheduler))))
    }

    fn group(
        &self,
        group: &str,
        topic: &str,
        session_timeout: Duration,
    ) -> Result<Box<dyn Group>, ClientError> {
        self.scheduler.before(Call::Connect);
        let inner = self.log.group(group, topic, session_timeout)?;
        Ok(Box::new(SimGroup::new(inner, Arc::clone(&self.scheduler))))
    }
}

/// The log did not answer.
fn away(operation: &'static str) -> ClientError {
    ClientError::Unavailable { operation, reason: "the simulation says so".to_owned() }
}
