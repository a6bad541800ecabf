//! Bugs that the simulator's checkers are tested with: each breaks one rule of the runtime. Only builds with the feature
//! `planted-bugs` can switch one on, for the calling thread; in every other build [`planted`] is `false` when it is
//! compiled, and nothing is left of them. Must not know what finds them.

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "planted-bugs"),
    expect(unreachable_pub, reason = "only the simulator switches them on")
)]
pub enum Bug {
    /// At-least-once: offsets are committed before changelog and output are flushed.
    SkippedFlush,
    /// The engine has the changes before the log has accepted the commit.
    EngineBeforeCommit,
    /// A producer that was fenced is used again.
    FencedProducerReused,
    /// Offsets of what was read are committed, and not of what was processed.
    OffsetsOfUnprocessed,
    /// Tasks of a lost membership go on under the next one.
    LostTaskKept,
    /// After a refused commit nothing is read again.
    NoRewind,
    /// After a refused commit the stores keep what was not committed.
    NoRollback,
    /// A changelog is restored with what is not committed, to its very end.
    RestoredUncommitted,
    /// A task is said to be given up before its last commit.
    GivenUpBeforeCommit,
    /// Tasks of a crashed instance are granted without an end to what it left open.
    GrantedUnfenced,
    /// A commit of which nobody knows the outcome is taken for one that failed.
    UnknownTakenForFailed,
    /// Offsets are committed outside of the transaction, before it.
    OffsetsBeforeTransaction,
    /// The input is read with what is not committed.
    InputUncommitted,
    /// A task starts with its stores as they are, whatever its changelog says.
    NoRestoration,
    /// A copy of a task's stores is taken over as it is.
    CopyTakenForWhole,
    /// A commit does not wait for records that slow nodes work on, and its offsets pass them.
    UnfinishedCommitted,
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    impl Bug {
        /// All of them.
        pub const ALL: [Self; 16] = [
            Self::SkippedFlush,
            Self::EngineBeforeCommit,
            Self::FencedProducerReused,
            Self::OffsetsOfUnprocessed,
            Self::LostTaskKept,
            Self::NoRewind,
            Self::NoRollback,
            Self::RestoredUncommitted,
            Self::GivenUpBeforeCommit,
            Self::GrantedUnfenced,
            Self::UnknownTakenForFailed,
            Self::OffsetsBeforeTransaction,
            Self::InputUncommitted,
            Self::NoRestoration,
            Self::CopyTakenForWhole,
            Self::UnfinishedCommitted,
        ];

        /// Switches one on for this thread, and every other off.
        pub fn plant(bug: Option<Self>) {
            PLANTED.set(bug);
        }
    }

    /// Whether this bug is switched on.
    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub(crate) use switch::planted;

/// No bug is ever switched on.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
