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
    /// Somebody else answered under this membership: the next poll takes it for a loss.
    is_another: bool,
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
        Self(Arc::new(Mutex::new(Membership {
            group,
            member: None,
            losses: 0,
            is_shut: false,
            is_another: false,
        })))
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
        let mut membership = self.hold();
        if membership.is_shut {
            return refuse("this instance has given its tasks up");
        }
        if counts.any(|count| count != membership.losses) {
            return refuse("the member was lost since it got the tasks");
        }
        let found = membership.group.metadata()?;
        match &membership.member {
            Some(member) if *member == found.member => Ok(found),
            Some(_) => {
                membership.is_another = true;
                refuse("the member has joined anew since it got the tasks")
            }
            None => refuse("the member has just joined"),
        }
    }

    /// Takes what happened to the membership, without waiting. A loss counts from the moment it is taken: what was granted
    /// before passes the gate no more.
    pub(crate) fn poll(&self) -> Result<Polled, ClientError> {
        let mut membership = self.hold();
        let mut events = membership.group.poll(Duration::ZERO)?;
        let is_lost = |event: &GroupEvent| matches!(event, GroupEvent::Lost(_));
        if std::mem::take(&mut membership.is_another) && !events.iter().any(is_lost) {
            // Somebody else by now: whatever the engine said or did not say, the old member is gone.
            events.insert(0, GroupEvent::Lost(Vec::new()));
        }
        if events.iter().any(is_lost) {
            membership.losses += 1;
            membership.member = None;
        }
        if membership.member.is_none() {
            membership.member = membership.group.metadata().ok().map(|found| found.member);
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

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::client::{EmbeddedLog, EmbeddedSettings, Log, NewTopic};
    use crate::time::{ManualClock, Timestamp};

    #[test]
    fn what_was_granted_before_a_loss_passes_no_more_though_the_member_is_current_again() {
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        let settings = EmbeddedSettings {
            clock: Arc::clone(&clock) as Arc<dyn crate::time::Clock>,
            ..EmbeddedSettings::default()
        };
        let log = EmbeddedLog::in_memory_with(settings);
        let topic =
            NewTopic { name: "control".into(), partitions: 4, replication: 1, config: Default::default() };
        log.admin().unwrap().create(&[topic], Duration::ZERO).unwrap();
        let gate = Gate::new(log.group("app", "control", Duration::from_secs(1)).unwrap());
        assert!(gate.metadata(once(0)).is_err(), "not joined yet");
        let joined = gate.poll().unwrap();
        assert_eq!(joined.losses, 0);
        assert!(gate.metadata(once(0)).is_ok());

        clock.advance_millis(2_000);
        assert!(gate.metadata(once(0)).is_err(), "silent for too long");
        let lost = gate.poll().unwrap();
        assert!(lost.events.iter().any(|event| matches!(event, GroupEvent::Lost(_))));
        let again = gate.poll().unwrap();
        assert_eq!(again.losses, 1);
        assert_ne!(again.member, joined.member);
        assert!(gate.metadata(once(1)).is_ok());
        assert!(gate.metadata([1, 0].into_iter()).is_err(), "granted before the loss");

        gate.shut();
        assert!(gate.metadata(once(1)).is_err());
    }
}
