//! A log on a leash: stops all threads of an instance between any two calls, for good, as `kill -9` would, or for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use candlewick::client::{
    Admin, ClientError, CommittedOffset, Consumer, ConsumerSettings, EmbeddedLog, Group, GroupEvent,
    GroupMetadata, Log, NewTopic, OutgoingRecord, PolledBatch, Producer, ProducerError, ProducerSettings,
    StartAt, TopicDescription, TopicHandle, Watermarks,
};
use candlewick::{Partition, Timestamp, TopicPartition};

/// Lets the threads of an instance run, holds them, or ends them.
#[derive(Default)]
pub(crate) struct Leash {
    state: Mutex<Pace>,
    changed: Condvar,
    trap: Mutex<Option<&'static str>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    #[default]
    Runs,
    Sleeps,
    Dead,
}

impl Leash {
    pub(crate) fn set(&self, pace: Pace) {
        *self.state.lock().expect("not poisoned") = pace;
        self.changed.notify_all();
    }

    /// From the next call of this name on, just before it, everything sleeps.
    pub(crate) fn sleep_before(&self, call: &'static str) {
        *self.trap.lock().expect("not poisoned") = Some(call);
    }

    fn enter(&self, call: &'static str) {
        let mut trap = self.trap.lock().expect("not poisoned");
        if *trap == Some(call) {
            *trap = None;
            self.set(Pace::Sleeps);
        }
        drop(trap);
        self.pass();
    }

    /// Whether a call is held up.
    pub(crate) fn is_asleep(&self) -> bool {
        *self.state.lock().expect("not poisoned") == Pace::Sleeps
    }

    /// Passes while the instance runs; a dead one comes back never.
    fn pass(&self) {
        let mut pace = self.state.lock().expect("not poisoned");
        while *pace != Pace::Runs {
            pace = self.changed.wait(pace).expect("not poisoned");
        }
    }
}

/// A client behind a leash. What a dead instance held is not dropped in good order.
struct Leashed<T: ?Sized> {
    leash: Arc<Leash>,
    client: Box<T>,
}

pub(crate) struct LeashedLog {
    pub(crate) leash: Arc<Leash>,
    pub(crate) log: Arc<EmbeddedLog>,
}

macro_rules! leashed {
    ($trait:ident { $(fn $name:ident($self:ident: $receiver:ty $(, $argument:ident: $type:ty)*) -> $result:ty;)* }) => {
        impl $trait for Leashed<dyn $trait> {
            $(fn $name($self: $receiver $(, $argument: $type)*) -> $result {
                $self.leash.enter(stringify!($name));
                let result = $self.client.$name($($argument),*);
                $self.leash.pass();
                result
            })*
        }
    };
}

type Client<T> = Result<T, ClientError>;
type Sent<T> = Result<T, ProducerError>;
type Offsets<'a> = &'a [(TopicPartition, CommittedOffset)];

leashed!(Consumer {
    fn assign(self: &mut Self, partitions: &[(TopicPartition, StartAt)]) -> Client<()>;
    fn seek(self: &mut Self, partition: &TopicPartition, to: StartAt) -> Client<()>;
    fn pause(self: &mut Self, partitions: &[TopicPartition]) -> Client<()>;
    fn resume(self: &mut Self, partitions: &[TopicPartition]) -> Client<()>;
    fn poll(self: &mut Self, records_max: usize, timeout: Duration, batch: &mut PolledBatch) -> Client<()>;
    fn position(self: &Self, partition: &TopicPartition) -> Option<i64>;
    fn known_end(self: &Self, partition: &TopicPartition) -> Option<i64>;
    fn committed(self: &mut Self, partitions: &[TopicPartition], timeout: Duration) -> Client<Vec<Option<CommittedOffset>>>;
    fn commit(self: &mut Self, offsets: Offsets<'_>, member: &GroupMetadata) -> Client<()>;
});

leashed!(Producer {
    fn topic(self: &mut Self, name: &str) -> Sent<TopicHandle>;
    fn send(self: &mut Self, record: OutgoingRecord<'_>) -> Sent<()>;
    fn poll(self: &mut Self) -> Sent<()>;
    fn flush(self: &mut Self, timeout: Duration) -> Sent<()>;
    fn acknowledged(self: &Self, topic: TopicHandle, partition: Partition) -> Option<i64>;
    fn init_transactions(self: &mut Self, timeout: Duration) -> Sent<()>;
    fn begin_transaction(self: &mut Self) -> Sent<()>;
    fn send_offsets(self: &mut Self, offsets: Offsets<'_>, member: &GroupMetadata, timeout: Duration) -> Sent<()>;
    fn commit_transaction(self: &mut Self, timeout: Duration) -> Sent<()>;
    fn abort_transaction(self: &mut Self, timeout: Duration) -> Sent<()>;
});

leashed!(Group {
    fn poll(self: &mut Self, timeout: Duration) -> Client<Vec<GroupEvent>>;
    fn metadata(self: &Self) -> Client<GroupMetadata>;
    fn leave(self: &mut Self, timeout: Duration) -> Client<()>;
});

leashed!(Admin {
    fn describe(self: &mut Self, topics: &[&str], timeout: Duration) -> Client<Vec<Option<TopicDescription>>>;
    fn topics(self: &mut Self, timeout: Duration) -> Client<Vec<String>>;
    fn topic_config(self: &mut Self, topic: &str, timeout: Duration) -> Client<BTreeMap<String, String>>;
    fn create(self: &mut Self, topics: &[NewTopic], timeout: Duration) -> Client<()>;
    fn delete(self: &mut Self, topics: &[&str], timeout: Duration) -> Client<()>;
    fn delete_records(self: &mut Self, before: &[(TopicPartition, i64)], timeout: Duration) -> Client<()>;
    fn watermarks(self: &mut Self, partition: &TopicPartition, timeout: Duration) -> Client<Watermarks>;
    fn offset_for_time(self: &mut Self, partition: &TopicPartition, time: Timestamp, timeout: Duration) -> Client<Option<i64>>;
    fn group_offsets(self: &mut Self, group: &str, timeout: Duration) -> Client<Vec<(TopicPartition, CommittedOffset)>>;
    fn group_members(self: &mut Self, group: &str, timeout: Duration) -> Client<Vec<String>>;
    fn set_group_offsets(self: &mut Self, group: &str, offsets: &[(TopicPartition, i64)], timeout: Duration) -> Client<()>;
    fn delete_group(self: &mut Self, group: &str, timeout: Duration) -> Client<()>;
});

impl Log for LeashedLog {
    fn consumer_with(&self, settings: &ConsumerSettings) -> Client<Box<dyn Consumer>> {
        self.leash.pass();
        let client = self.log.consumer_with(settings)?;
        Ok(Box::new(Leashed { leash: Arc::clone(&self.leash), client }))
    }

    fn producer(&self, settings: &ProducerSettings) -> Client<Box<dyn Producer>> {
        self.leash.pass();
        let client = self.log.producer(settings)?;
        Ok(Box::new(Leashed { leash: Arc::clone(&self.leash), client }))
    }

    fn admin(&self) -> Client<Box<dyn Admin>> {
        self.leash.pass();
        Ok(Box::new(Leashed { leash: Arc::clone(&self.leash), client: self.log.admin()? }))
    }

    fn group(&self, group: &str, topic: &str, session_timeout: Duration) -> Client<Box<dyn Group>> {
        self.leash.pass();
        let client = self.log.group(group, topic, session_timeout)?;
        Ok(Box::new(Leashed { leash: Arc::clone(&self.leash), client }))
    }
}
