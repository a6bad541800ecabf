//! How an instance goes: in good order, with its tasks handed over, or late. Owns the last rounds of the control thread.

use std::time::Duration;

use super::control::Control;
use super::error::StreamsError;
use super::former;
use super::membership::Standing;

/// How an instance goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// All threads have committed and ended.
    InGoodOrder,
    /// Something may still be open.
    Late,
}

/// How long a leaving instance waits for others to take its tasks over.
const HANDOVER_MAX: Duration = Duration::from_secs(3);

impl Control {
    /// A thread has failed, and the whole instance goes: the other threads commit and give up what they have. What the
    /// failed one had, the others fence.
    pub(super) fn wind_up(&mut self) {
        let until = self.now() + HANDOVER_MAX.min(self.application.request_timeout());
        let words = self.desk.revoke_all(self.now());
        self.tell(words);
        while self.desk.is_busy() && self.now() < until {
            if let Err(error) = self.turn() {
                tracing::warn!(%error, "the tasks of a failing instance were not given up in good order");
                return;
            }
        }
        // What was given up last is said as well.
        if let Err(error) = self.turn() {
            tracing::warn!(%error, "the others were not told in good order; they will notice by themselves");
        }
    }

    /// Hands over, as far as there is somebody to hand over to, and leaves the group.
    pub(super) fn depart(mut self, departure: Departure) {
        match departure {
            Departure::InGoodOrder => {
                self.desk.all_given_up();
                self.desk.stopped();
                if let Err(error) = self.hand_over() {
                    tracing::warn!(%error, "the others were not told in good order; they will notice by themselves");
                }
            }
            // Whatever is still open can be committed no more; the others fence it when they see that we are gone.
            Departure::Late => self.gate.shut(),
        }
        self.orders = None;
        if let Some(leader) = self.leader.take() {
            leader.join();
        }
        match self.gate.leave(self.application.request_timeout()) {
            Ok(()) => former::forget(&self.application),
            Err(error) => {
                tracing::warn!(%error, "the group was not left in good order; it will notice by the session timeout")
            }
        }
    }

    fn hand_over(&mut self) -> Result<(), StreamsError> {
        let until = self.now() + HANDOVER_MAX.min(self.application.request_timeout());
        // The first turn says it.
        self.turn()?;
        while self.now() < until {
            let is_said = self.said.as_ref().is_none_or(|(said, _, is_read)| said.is_leaving && *is_read);
            if self.desk.standing() == Standing::Leaving && is_said && !self.is_awaited() {
                return Ok(());
            }
            self.turn()?;
        }
        Ok(())
    }

    /// Whether tasks are still ours by the table and somebody could take them.
    fn is_awaited(&self) -> bool {
        let view = &self.journal.view;
        let ours = self.desk.incarnation();
        let has_heir = view.members.iter().any(|(instance, member)| {
            let is_alike =
                self.said.as_ref().is_some_and(|(said, _, _)| said.fingerprint == member.fingerprint);
            *instance != self.application.instance && !member.is_leaving && is_alike
        });
        has_heir && view.table.values().any(|row| row.owner.incarnation == *ours)
    }
}
