//! The embedded log's group membership, as a member sees it. Must not know how partitions are spread.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::coordination::Agreement;
use super::inner::Inner;
use super::waker::lock;
use crate::client::{ClientError, Group, GroupEvent, GroupMetadata};

/// A membership in a group of an embedded log. Joins at its first poll, and again after a loss.
pub(super) struct EmbeddedGroup {
    inner: Arc<Inner>,
    group: Arc<str>,
    topic: Arc<str>,
    session_timeout: Duration,
    member: Option<Arc<str>>,
    has_left: bool,
}

impl EmbeddedGroup {
    /// A membership that has not joined yet.
    pub(super) fn new(inner: Arc<Inner>, group: &str, topic: &str, session_timeout: Duration) -> Self {
        let (group, topic) = (group.into(), topic.into());
        Self { inner, group, topic, session_timeout, member: None, has_left: false }
    }

    /// One step of a poll: expire, join when not a member, answer and take events.
    fn step(&mut self, agreement: &mut Agreement) -> std::io::Result<Vec<GroupEvent>> {
        let now = self.inner.settings.clock.monotonic();
        agreement.expire_members(now)?;
        let topic = self.inner.topics.find(&self.topic);
        let count = topic.map_or(0, |topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
        let fresh_id = match &self.member {
            Some(_) => None,
            None => Some(Arc::from(agreement.next_member_id(&self.group))),
        };
        let members = agreement.group(&self.group);
        let before = members.generation;
        members.set_partitions(&self.topic, count);
        let mut events = Vec::new();
        if let Some(id) = fresh_id {
            members.join(Arc::clone(&id), Arc::clone(&self.topic), self.session_timeout, now);
            self.member = Some(id);
        }
        if let Some(id) = self.member.clone() {
            match members.poll(&id, now) {
                Some(mut taken) => events.append(&mut taken),
                None => {
                    events.push(GroupEvent::Lost(members.take_lost(&id).unwrap_or_default()));
                    self.member = None;
                }
            }
        }
        agreement.record_generation(&self.group, before)?;
        Ok(events)
    }

    fn set_polling(&self, agreement: &mut Agreement, is_polling: bool) {
        let now = self.inner.settings.clock.monotonic();
        if let Some(member) = &self.member {
            agreement.group(&self.group).set_polling(member, is_polling, now);
        }
    }
}

impl Group for EmbeddedGroup {
    fn poll(&mut self, timeout: Duration) -> Result<Vec<GroupEvent>, ClientError> {
        if self.has_left {
            return Ok(Vec::new());
        }
        let inner = Arc::clone(&self.inner);
        let coordination = &inner.coordination;
        let mut outcome = self.step(&mut lock(&coordination.state));
        coordination.changed.notify_all();
        if matches!(&outcome, Ok(events) if events.is_empty()) && !timeout.is_zero() {
            let waited =
                coordination.changed.wait_timeout_while(lock(&coordination.state), timeout, |agreement| {
                    outcome = self.step(agreement);
                    let goes_on = matches!(&outcome, Ok(events) if events.is_empty());
                    self.set_polling(agreement, goes_on);
                    goes_on
                });
            self.set_polling(&mut waited.unwrap_or_else(PoisonError::into_inner).0, false);
            coordination.changed.notify_all();
        }
        outcome.map_err(|source| ClientError::Io { operation: "polling a group", source })
    }

    fn metadata(&self) -> Result<GroupMetadata, ClientError> {
        let refuse = |reason: &str| Err(ClientError::NotCurrent { reason: reason.to_owned() });
        let Some(member) = &self.member else { return refuse("the member has not joined; poll the group") };
        let now = self.inner.settings.clock.monotonic();
        let mut agreement = lock(&self.inner.coordination.state);
        agreement
            .expire_members(now)
            .map_err(|source| ClientError::Io { operation: "reading a member's state", source })?;
        let members = agreement.group(&self.group);
        if !members.is_live(member) {
            return refuse("the member was silent for too long and was removed; poll the group");
        }
        if members.has_events(member) {
            return refuse("a change of membership waits to be polled");
        }
        let generation = members.generation;
        Ok(GroupMetadata {
            group: Arc::clone(&self.group),
            member: Arc::clone(member),
            generation,
            native: None,
        })
    }

    fn leave(&mut self, _timeout: Duration) -> Result<(), ClientError> {
        self.has_left = true;
        let Some(member) = self.member.take() else { return Ok(()) };
        let mut agreement = lock(&self.inner.coordination.state);
        let members = agreement.group(&self.group);
        let before = members.generation;
        members.leave(&member);
        let recorded = agreement.record_generation(&self.group, before);
        drop(agreement);
        self.inner.coordination.changed.notify_all();
        recorded.map_err(|source| ClientError::Io { operation: "leaving a group", source })
    }
}

impl Drop for EmbeddedGroup {
    fn drop(&mut self) {
        if let Err(error) = self.leave(Duration::ZERO) {
            tracing::warn!(group = &*self.group, %error, "a member could not leave its group in good order");
        }
    }
}
