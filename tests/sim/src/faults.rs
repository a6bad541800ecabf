//! What goes wrong with single calls, how often, and how long calls take: drawn from the seed. Owns the count of
//! everything that struck; must not know when instances come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::client::{Call, Fate};

use crate::chance::Chance;
use crate::stage::Stage;

/// The temper of a seed.
pub(crate) struct Faults {
    /// No call fails after this.
    pub(crate) until: Duration,
    /// Until then the log is away for everybody.
    pub(crate) away_until: Duration,
    /// A call fails once in so many times; 0 for never.
    refused: u64,
    unheard: u64,
    aborted: u64,
    not_current: u64,
    poll_refused: u64,
    queue_full: u64,
    /// Ending a transaction takes long once in so many times.
    slow_commit: u64,
    slow_restore: bool,
    counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(crate) fn draw(chance: &mut Chance, until: Duration) -> Self {
        let mut often = |from: u64, to: u64| if chance.once_in(3) { 0 } else { chance.between(from, to) };
        Self {
            until,
            away_until: Duration::ZERO,
            refused: often(8, 60),
            unheard: often(6, 40),
            aborted: often(10, 80),
            not_current: often(10, 80),
            poll_refused: often(100, 1_000),
            queue_full: often(1, 4),
            slow_commit: often(4, 30),
            slow_restore: chance.once_in(3),
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn count(&mut self, fault: &'static str) {
        *self.counts.entry(fault).or_default() += 1;
    }

    pub(crate) fn add(&mut self, fault: &'static str, times: u64) {
        *self.counts.entry(fault).or_default() += times;
    }

    pub(crate) fn into_counts(self) -> BTreeMap<&'static str, u64> {
        self.counts
    }

    /// What becomes of a call.
    pub(crate) fn fate(stage: &mut Stage, call: Call) -> Fate {
        let faults = &mut stage.faults;
        if stage.now >= faults.until {
            return Fate::Done;
        }
        let name = stage.current.map_or("", |id| stage.actors[id].name.as_str());
        // What an instance asks at its start is asked of a log that answers: it ends with a sentence otherwise.
        let is_starting = name == "main";
        let chance = &mut stage.chance;
        let mut hits = |times: u64| times > 0 && chance.once_in(times);
        let is_away = stage.now < faults.away_until;
        use Call as C;
        let (fate, fault) = match call {
            C::Connect | C::Begin | C::Assign | C::Administer | C::DeleteRecords => return Fate::Done,
            C::Poll | C::Watermarks | C::Members if is_starting => return Fate::Done,
            C::Deliver if is_away => (Fate::Refused, "log away"),
            C::GroupPoll if is_away => (Fate::Refused, "log away"),
            // What the members tell each other is little, and its queue never full.
            C::Send if name.starts_with("stream") && hits(faults.queue_full) => (Fate::Refused, "queue full"),
            C::Send | C::GroupPoll => return Fate::Done,
            _ if is_away => (Fate::Refused, "log away"),
            C::Poll | C::Watermarks | C::Members if hits(faults.poll_refused) => {
                (Fate::Refused, "request refused")
            }
            C::Poll | C::Watermarks | C::Members => return Fate::Done,
            C::SendOffsets | C::Commit if hits(faults.not_current) => (Fate::NotCurrent, "member refused"),
            C::SendOffsets | C::CommitTransaction | C::Deliver if hits(faults.aborted) => {
                (Fate::Aborted, "transaction aborted by its coordinator")
            }
            C::Deliver => return Fate::Done,
            // Registering again is as good as the first time.
            _ if call != C::Register && hits(faults.unheard) => (Fate::Unheard, "acknowledgement lost"),
            _ if hits(faults.refused) => (Fate::Refused, "request lost"),
            _ => return Fate::Done,
        };
        faults.count(fault);
        fate
    }

    /// How long a call takes.
    pub(crate) fn pause(stage: &mut Stage, call: Call, fate: Fate) -> Duration {
        let is_restoring = stage.current.is_some_and(|id| stage.actors[id].name == "restore");
        let (chance, faults) = (&mut stage.chance, &mut stage.faults);
        let may_fail = stage.now < faults.until;
        let micros = match call {
            _ if fate == Fate::Refused => chance.between(5_000, 200_000),
            Call::CommitTransaction | Call::AbortTransaction | Call::SendOffsets | Call::Commit
                if may_fail && faults.slow_commit > 0 && chance.once_in(faults.slow_commit) =>
            {
                faults.count("slow commit");
                chance.between(20_000, 700_000)
            }
            Call::Poll if is_restoring && faults.slow_restore && may_fail => {
                faults.count("slow restore");
                chance.between(5_000, 80_000)
            }
            _ if chance.once_in(64) => chance.between(1_000, 20_000),
            Call::CommitTransaction | Call::Commit => chance.between(200, 4_000),
            _ => chance.between(20, 400),
        };
        Duration::from_micros(micros)
    }
}
