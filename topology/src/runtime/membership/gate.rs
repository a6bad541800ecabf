//! The gate that every commit passes: who this member is right now, and whether what a task was granted under still holds.
//! Owns the membership itself. The mutex is held for moments only: the group is polled without waiting, so a commit never
//! waits for a poll.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::{ClientError, Group, GroupEvent, GroupMetadata};

/// Shared by the control thread and the stream threads.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Mutex<Membership>>);

struct Membership {
    group: Box<dyn Group>,
    /// The id under which the member is in the group, once it is.
    member: Option<Arc<str>>,
    /// How many times membership was lost.
    losses: u64,
    is_shut: bool,
}

/// Where the member stands after a poll.
pub(crate) struct Polled {
    pub(crate) events: Vec<GroupEvent>,
    /// Its id; nothing while it is not in the group.
    pub(crate) member: Option<Arc<str>>,
    pub(crate) losses: u64,
}

impl Gate {
    pub(crate) fn new(group: Box<dyn Group>) -> Self {
        Self(Arc::new(Mutex::new(Membership { group, member: None, losses: 0, is_shut: false })))
    }

    fn hold(&self) -> MutexGuard<'_, Membership> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a commit must say about this member, fetched anew. Refused when any of `counts`, the incarnations of the tasks
    /// in the commit, is not the present one.
    pub(crate) fn metadata(
        &self,
        mut counts: impl Iterator<Item = u64>,
    ) -> Result<GroupMetadata, ClientError> {
        let refuse = |reason: &str| Err(ClientError::NotCurrent { reason: reason.to_owned() });
        let membership = self.hold();
        if membership.is_shut {
            return refuse("this instance has given its tasks up");
        }
        if counts.any(|count| count != membership.losses) {
            return refuse("the member was lost since it got the tasks");
        }
        let found = membership.group.metadata()?;
        match &membership.member {
            Some(member) if *member == found.member => Ok(found),
            Some(_) | None => refuse("the member has joined anew since it got the tasks"),
        }
    }

    /// Takes what happened to the membership, without waiting. A loss counts from the moment it is taken: what was granted
    /// before passes the gate no more.
    pub(crate) fn poll(&self) -> Result<Polled, ClientError> {
        let mut membership = self.hold();
        let mut events = membership.group.poll(Duration::ZERO)?;
        let found = membership.group.metadata().ok().map(|found| found.member);
        let is_lost = |event: &GroupEvent| matches!(event, GroupEvent::Lost(_));
        let is_another = found.is_some() && membership.member.is_some() && found != membership.member;
        if is_another && !events.iter().any(is_lost) {
            // Somebody else by now: whatever the engine said or did not say, the old member is gone.
            events.insert(0, GroupEvent::Lost(Vec::new()));
        }
        if events.iter().any(is_lost) {
            membership.losses += 1;
            membership.member = None;
        }
        if membership.member.is_none() {
            membership.member = found;
        }
        Ok(Polled { events, member: membership.member.clone(), losses: membership.losses })
    }

    /// No commit passes from now on.
    pub(crate) fn shut(&self) {
        self.hold().is_shut = true;
    }

    pub(crate) fn leave(&self, timeout: Duration) -> Result<(), ClientError> {
        let mut membership = self.hold();
        membership.is_shut = true;
        membership.group.leave(timeout)
    }
}
