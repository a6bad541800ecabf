//! The Kafka engine of [`Group`]: a member subscribed to one control topic, through which all commits of the group go.
//!
//! A change of membership is acknowledged to the cluster while it is polled, under a gate that commits pass too: one
//! that is under way ends first, and one that comes later sees the new generation.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;

use super::errors::{client_error, from_rdkafka};
use super::ffi::{MemberSnapshot, pending};
use super::settings::KafkaSettings;
use super::signals::Signals;
use crate::client::error::ClientError;
use crate::client::traits::{Group, GroupEvent, GroupMetadata};
use crate::record::Partition;
use crate::time::{Clock, SystemClock};

/// What the rebalance callback leaves for the poll.
#[derive(Default)]
struct Changes {
    events: VecDeque<GroupEvent>,
    /// An assignment came since the member joined or was lost.
    joined: bool,
    failure: Option<String>,
}

struct GroupContext {
    signals: Arc<Signals>,
    changes: Mutex<Changes>,
    /// Held for reading by a commit, for writing while a change is acknowledged.
    gate: RwLock<()>,
}

impl GroupContext {
    fn changes(&self) -> std::sync::MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn assigned(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> Result<(), KafkaError> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions)?,
            _ => consumer.assign(partitions)?,
        }
        // The control topic is read by a consumer of its own: this one is here for the membership.
        consumer.pause(partitions)
    }

    fn revoked(
        &self,
        consumer: &BaseConsumer<Self>,
        partitions: &TopicPartitionList,
    ) -> Result<(), KafkaError> {
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
            _ => consumer.unassign(),
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.signals.log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.signals.failed(error.rdkafka_error_code().map_or(0, |code| code as i32), reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let numbers: Vec<Partition> =
            partitions.elements().iter().map(|place| Partition(place.partition())).collect();
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut changes = self.changes();
        let outcome = if kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            // A generation that changes nothing for this member is no news, unless it is its first.
            if !numbers.is_empty() || !changes.joined {
                changes.events.push_back(GroupEvent::Assigned(numbers));
            }
            changes.joined = true;
            self.assigned(consumer, partitions)
        } else {
            if consumer.assignment_lost() {
                changes.joined = false;
                changes.events.push_back(GroupEvent::Lost(numbers));
            } else if !numbers.is_empty() {
                changes.events.push_back(GroupEvent::Revoked(numbers));
            }
            self.revoked(consumer, partitions)
        };
        if let Err(error) = outcome {
            changes.failure = Some(error.to_string());
        }
    }
}

type Control = BaseConsumer<GroupContext>;

/// A member as commits need it: who it was, and the consumer that speaks for it while it lives.
pub(super) struct Membership {
    control: Weak<Control>,
    snapshot: MemberSnapshot,
}

impl Membership {
    /// The membership inside of `metadata`.
    pub(super) fn of(metadata: &GroupMetadata) -> Result<&Self, String> {
        let native = metadata.native.as_ref().and_then(|native| native.downcast_ref::<Self>());
        native.ok_or_else(|| "this member has not joined through this log".to_owned())
    }

    /// Whether `metadata` is of somebody who never joined: such commits count while the group has no members.
    pub(super) fn is_outsider(metadata: &GroupMetadata) -> bool {
        metadata.native.is_none() && metadata.member.is_empty() && metadata.generation < 0
    }

    pub(super) fn snapshot(&self) -> &MemberSnapshot {
        &self.snapshot
    }

    /// Commits in the member's name, if it still is who it was.
    pub(super) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), ClientError> {
        let gone = |reason: String| ClientError::NotCurrent { reason };
        let control = self.control.upgrade().ok_or_else(|| gone("the member has left".to_owned()))?;
        let context = control.context();
        let _gate = context.gate.read().unwrap_or_else(PoisonError::into_inner);
        let now = MemberSnapshot::of(control.client())
            .ok_or_else(|| gone("the member is in no group".to_owned()))?;
        let (was, is) = (self.snapshot.generation(), now.generation());
        if was != is || self.snapshot.member() != now.member() {
            return Err(gone(format!("the member was of generation {was} and is of {is}")));
        }
        match control.commit(offsets, CommitMode::Sync) {
            Ok(()) => Ok(()),
            Err(error) => Err(from_rdkafka("committing offsets", &error, &context.signals)),
        }
    }
}

/// Membership in a group over librdkafka.
pub(super) struct KafkaGroup {
    control: Option<Arc<Control>>,
    group: Arc<str>,
    topic: String,
    clock: SystemClock,
    /// Events of a call that had to end with them or with an error, not with both.
    error: Option<ClientError>,
}

impl KafkaGroup {
    pub(super) fn join(
        settings: &KafkaSettings,
        group: &str,
        topic: &str,
        session_timeout: Duration,
    ) -> Result<Self, ClientError> {
        let signals = Arc::new(Signals::new(settings));
        let context =
            GroupContext { signals: Arc::clone(&signals), changes: Mutex::default(), gate: RwLock::new(()) };
        let control: Control = settings
            .control(group, session_timeout)
            .create_with_context(context)
            .and_then(|control: Control| control.subscribe(&[topic]).map(|()| control))
            .map_err(|error| from_rdkafka("joining a group", &error, &signals))?;
        Ok(Self {
            control: Some(Arc::new(control)),
            group: group.into(),
            topic: topic.to_owned(),
            clock: SystemClock::default(),
            error: None,
        })
    }

    fn control(&self) -> Result<&Arc<Control>, ClientError> {
        let left = || ClientError::NotCurrent { reason: "the member has left".to_owned() };
        self.control.as_ref().ok_or_else(left)
    }

    /// Serves the member once.
    fn serve(&self, control: &Control, timeout: Duration) -> Result<(), ClientError> {
        let signals = &control.context().signals;
        match control.poll(timeout) {
            // A record of the control topic that was fetched before its partition was paused.
            None | Some(Ok(_)) => {}
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::PollExceeded) => {}
                Some(code) => {
                    let about = match code {
                        Code::GroupAuthorizationFailed => &*self.group,
                        _ => self.topic.as_str(),
                    };
                    let text = error.to_string();
                    return Err(client_error("polling the group", code, &text, Some(about), signals));
                }
                None => return Err(from_rdkafka("polling the group", &error, signals)),
            },
        }
        if let Some(reason) = control.context().changes().failure.take() {
            return Err(ClientError::Fatal { operation: "acknowledging a rebalance", reason });
        }
        Ok(())
    }
}

impl Group for KafkaGroup {
    fn poll(&mut self, timeout: Duration) -> Result<Vec<GroupEvent>, ClientError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let control = Arc::clone(self.control()?);
        let until = self.clock.monotonic() + timeout;
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            let served = self.serve(&control, left);
            let events: Vec<GroupEvent> = control.context().changes().events.drain(..).collect();
            match served {
                Err(error) if events.is_empty() => return Err(error),
                Err(error) => self.error = Some(error),
                Ok(()) => {}
            }
            if !events.is_empty() || left.is_zero() {
                return Ok(events);
            }
        }
    }

    fn metadata(&self) -> Result<GroupMetadata, ClientError> {
        let control = self.control()?;
        let refused = |reason: &str| ClientError::NotCurrent { reason: reason.to_owned() };
        {
            let changes = control.context().changes();
            if !changes.joined {
                return Err(refused("the member has not joined"));
            }
            if !changes.events.is_empty() {
                return Err(refused("a change of membership waits to be polled"));
            }
        }
        if pending(control.client()) > 0 {
            return Err(refused("a change of membership waits to be polled"));
        }
        let snapshot =
            MemberSnapshot::of(control.client()).ok_or_else(|| refused("the member is in no group"))?;
        let (member, generation) = (snapshot.member(), snapshot.generation());
        // Generations and epochs begin with one; the `consumer` protocol keeps the id and says 0 while it joins again.
        if member.is_empty() || generation <= 0 {
            return Err(refused("the member is joining again"));
        }
        let native: Arc<dyn Any + Send + Sync> =
            Arc::new(Membership { control: Arc::downgrade(control), snapshot });
        Ok(GroupMetadata {
            group: Arc::clone(&self.group),
            member: member.into(),
            generation,
            native: Some(native),
        })
    }

    fn leave(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let Some(control) = self.control.take() else { return Ok(()) };
        let signals = Arc::clone(&control.context().signals);
        control.unsubscribe();
        let until = self.clock.monotonic() + timeout;
        loop {
            let left = until.saturating_sub(self.clock.monotonic());
            // What happens to a member that leaves is nobody's business any more.
            let _ = control.poll(left.min(Duration::from_millis(20)));
            let gone = MemberSnapshot::of(control.client())
                .is_none_or(|now| now.generation() <= 0 || now.member().is_empty());
            if gone {
                return Ok(());
            }
            if left.is_zero() {
                let reason = signals.why("the coordinator did not answer");
                return Err(ClientError::Unavailable { operation: "leaving the group", reason });
            }
        }
    }
}
