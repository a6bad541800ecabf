//! Whether the end of a producer's last transaction is known to be written everywhere. The coordinator answers as soon as the end
//! is decided; the markers in the partitions follow, and a broker that is killed between the two never writes them (what it
//! leaves open: `fetch::left_open`). A producer that went on would have its next transaction taken together with what is
//! open, and the end of that one would count for both. So the time from the end of one transaction to the first thing that
//! the next one has written, which the coordinator allows only behind the markers, must be without a lost connection. Must not
//! know how transactions are ended.

use std::time::Duration;

/// An idle producer's end is asked for after this time.
const IDLE: Duration = Duration::from_secs(5);

/// What a producer has seen so far: two counts that only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Connections to brokers that were closed.
    pub(super) closed: u64,
    /// Records that were acknowledged.
    pub(super) acknowledged: u64,
}

/// The end of the last transaction.
#[derive(Debug, Default)]
pub(super) enum Ending {
    /// Written everywhere, or there was none.
    #[default]
    Written,
    /// Asked for, with as many connections closed before.
    Asked { closed: u64 },
    /// Decided; the markers are on their way.
    Decided { at: Duration, seen: Seen },
}

impl Ending {
    /// An end is asked for, perhaps once more, perhaps while the one before is not known to be written.
    pub(super) fn ask(&mut self, closed: u64) {
        *self = match *self {
            Self::Written => Self::Asked { closed },
            Self::Asked { closed } | Self::Decided { seen: Seen { closed, .. }, .. } => {
                Self::Asked { closed }
            }
        };
    }

    /// The coordinator has said yes.
    pub(super) fn decide(&mut self, acknowledged: u64, at: Duration) {
        if let Self::Asked { closed } = *self {
            *self = Self::Decided { at, seen: Seen { closed, acknowledged } };
        }
    }

    /// Takes in what was seen since; says whether it will never be known any more.
    pub(super) fn is_lost(&mut self, now: Seen) -> bool {
        if self.was_cut(|| now.closed) {
            return true;
        }
        if matches!(self, Self::Decided { seen, .. } if seen.acknowledged != now.acknowledged) {
            *self = Self::Written;
        }
        false
    }

    /// Whether a connection was lost since it was decided: a look for before each record.
    pub(super) fn was_cut(&self, closed: impl FnOnce() -> u64) -> bool {
        matches!(self, Self::Decided { seen, .. } if seen.closed != closed())
    }

    /// The coordinator was asked, or has allowed what comes only behind the markers.
    pub(super) fn confirm(&mut self, closed: u64) {
        if matches!(self, Self::Decided { seen, .. } if seen.closed == closed) {
            *self = Self::Written;
        }
    }

    /// Whether it is time to ask the coordinator, because nothing follows.
    pub(super) fn is_idle(&mut self, now: Duration) -> bool {
        match self {
            Self::Decided { at, .. } if now.saturating_sub(*at) >= IDLE => {
                *at = now;
                true
            }
            _ => false,
        }
    }

    /// Whether it is decided and not known to be written.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Decided { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(closed: u64, acknowledged: u64) -> Seen {
        Seen { closed, acknowledged }
    }

    fn decided(closed: u64, acknowledged: u64) -> Ending {
        let mut ending = Ending::default();
        ending.ask(closed);
        ending.decide(acknowledged, Duration::ZERO);
        ending
    }

    #[test]
    fn what_follows_an_end_shows_that_it_is_written() {
        let mut ending = decided(1, 10);
        assert!(!ending.is_lost(seen(1, 10)));
        assert!(ending.is_open());
        assert!(!ending.is_lost(seen(1, 11)));
        assert!(!ending.is_open());
        assert!(!ending.is_lost(seen(2, 11)), "a connection that is lost later says nothing");
    }

    #[test]
    fn connection_that_is_lost_before_anything_follows_makes_it_unknown() {
        assert!(decided(1, 10).is_lost(seen(2, 10)));
        assert!(decided(1, 10).is_lost(seen(2, 11)), "which of the two was first is not known");
        let mut ending = decided(1, 10);
        ending.confirm(2);
        assert!(ending.is_lost(seen(2, 10)), "an answer over another connection is a restarted broker's");
        ending = decided(1, 10);
        ending.confirm(1);
        assert!(!ending.is_open());
    }

    #[test]
    fn end_that_is_asked_for_again_counts_from_the_first_time() {
        let mut ending = Ending::default();
        ending.ask(1);
        assert!(!ending.is_lost(seen(2, 10)), "it is still being asked for");
        ending.ask(2);
        ending.decide(10, Duration::ZERO);
        assert!(ending.is_lost(seen(2, 10)));
        let mut next = decided(1, 10);
        next.ask(2);
        next.decide(10, Duration::ZERO);
        assert!(next.is_lost(seen(2, 10)), "an end behind an unknown one leaves it unknown");
    }

    #[test]
    fn an_idle_end_is_asked_for_now_and_then() {
        let mut ending = decided(1, 10);
        let later = IDLE;
        assert!(!ending.is_idle(Duration::ZERO));
        assert!(ending.is_idle(later));
        assert!(!ending.is_idle(later), "not at once again");
        assert!(ending.is_idle(later + IDLE));
    }
}
