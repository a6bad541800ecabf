//! A member's side of one task, and of its own membership, as two small machines. Pure: what to do comes out as a word.
//!
//! ```text
//! Holding:   None ──Granted──► Held ──Revoked──► Releasing ──GivenUp──► None
//!                               └──Lost, Elsewhere──► Losing ──GivenUp──► None
//! Standing:  Outside ──Joined──► Member ──Lost──► Losing ──Emptied──► Outside         any ──Stopped──► Leaving
//! ```

/// Whether this instance may have something open for a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Nothing.
    #[default]
    None,
    /// A thread has it.
    Held,
    /// A thread was asked to commit it and give it up.
    Releasing,
    /// A thread was asked to forget it.
    Losing,
}

/// What happens to a task, as its member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskEvent {
    /// The table grants it to this incarnation.
    Granted,
    /// The table asks this incarnation for it.
    Revoked,
    /// The table names somebody else, or an earlier incarnation.
    Elsewhere,
    /// Membership is lost.
    Lost,
    /// The thread's commit or abort has returned, and its stores are closed.
    GivenUp,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskAction {
    Nothing,
    /// Give it to a thread.
    Start,
    /// Have it committed and given up.
    Revoke,
    /// Have it forgotten without a commit.
    Lose,
}

impl Holding {
    pub(crate) fn on(self, event: TaskEvent) -> (Self, TaskAction) {
        use TaskAction as A;
        use TaskEvent as E;
        match (self, event) {
            (Self::None, E::Granted) => (Self::Held, A::Start),
            (Self::Held, E::Revoked) => (Self::Releasing, A::Revoke),
            (Self::Held | Self::Releasing, E::Lost | E::Elsewhere) => (Self::Losing, A::Lose),
            (_, E::GivenUp) => (Self::None, A::Nothing),
            (
                Self::None | Self::Held | Self::Releasing | Self::Losing,
                E::Granted | E::Revoked | E::Elsewhere | E::Lost,
            ) => (self, A::Nothing),
        }
    }
}

/// What this instance is to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not announced.
    #[default]
    Outside,
    /// Announced under its present incarnation.
    Member,
    /// Membership is lost, and threads still have tasks of it.
    Losing,
    /// Takes nothing any more.
    Leaving,
}

/// What happens to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StandingEvent {
    /// The group has this member.
    Joined,
    /// The group has it no more.
    Lost,
    /// No thread has any task.
    Emptied,
    Stopped,
}

impl Standing {
    /// The next standing; `true` where it must be announced.
    pub(crate) fn on(self, event: StandingEvent) -> (Self, bool) {
        use StandingEvent as E;
        match (self, event) {
            (Self::Outside, E::Joined) => (Self::Member, true),
            (Self::Member, E::Lost) => (Self::Losing, false),
            (Self::Losing, E::Emptied) => (Self::Outside, false),
            (Self::Member | Self::Outside | Self::Losing, E::Stopped) => (Self::Leaving, true),
            (Self::Leaving, _)
            | (Self::Outside, E::Lost | E::Emptied)
            | (Self::Member, E::Joined | E::Emptied)
            | (Self::Losing, E::Joined | E::Lost) => (self, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_a_task_is_the_one_in_the_table() {
        use Holding as H;
        use TaskAction as A;
        use TaskEvent as E;
        let keeps = |state| (state, A::Nothing);
        let table = [
            (H::None, E::Granted, (H::Held, A::Start)),
            (H::None, E::Revoked, keeps(H::None)),
            (H::None, E::Elsewhere, keeps(H::None)),
            (H::None, E::Lost, keeps(H::None)),
            (H::None, E::GivenUp, keeps(H::None)),
            (H::Held, E::Granted, keeps(H::Held)),
            (H::Held, E::Revoked, (H::Releasing, A::Revoke)),
            (H::Held, E::Elsewhere, (H::Losing, A::Lose)),
            (H::Held, E::Lost, (H::Losing, A::Lose)),
            (H::Held, E::GivenUp, keeps(H::None)),
            (H::Releasing, E::Granted, keeps(H::Releasing)),
            (H::Releasing, E::Revoked, keeps(H::Releasing)),
            (H::Releasing, E::Elsewhere, (H::Losing, A::Lose)),
            (H::Releasing, E::Lost, (H::Losing, A::Lose)),
            (H::Releasing, E::GivenUp, keeps(H::None)),
            (H::Losing, E::Granted, keeps(H::Losing)),
            (H::Losing, E::Revoked, keeps(H::Losing)),
            (H::Losing, E::Elsewhere, keeps(H::Losing)),
            (H::Losing, E::Lost, keeps(H::Losing)),
            (H::Losing, E::GivenUp, keeps(H::None)),
        ];
        for (state, event, expected) in table {
            assert_eq!(state.on(event), expected, "{state:?} on {event:?}");
        }
    }

    #[test]
    fn every_step_of_a_membership_is_the_one_in_the_table() {
        use Standing as S;
        use StandingEvent as E;
        let table = [
            (S::Outside, E::Joined, (S::Member, true)),
            (S::Outside, E::Lost, (S::Outside, false)),
            (S::Outside, E::Emptied, (S::Outside, false)),
            (S::Outside, E::Stopped, (S::Leaving, true)),
            (S::Member, E::Joined, (S::Member, false)),
            (S::Member, E::Lost, (S::Losing, false)),
            (S::Member, E::Emptied, (S::Member, false)),
            (S::Member, E::Stopped, (S::Leaving, true)),
            (S::Losing, E::Joined, (S::Losing, false)),
            (S::Losing, E::Lost, (S::Losing, false)),
            (S::Losing, E::Emptied, (S::Outside, false)),
            (S::Losing, E::Stopped, (S::Leaving, true)),
            (S::Leaving, E::Joined, (S::Leaving, false)),
            (S::Leaving, E::Lost, (S::Leaving, false)),
            (S::Leaving, E::Emptied, (S::Leaving, false)),
            (S::Leaving, E::Stopped, (S::Leaving, false)),
        ];
        for (state, event, expected) in table {
            assert_eq!(state.on(event), expected, "{state:?} on {event:?}");
        }
    }
}
