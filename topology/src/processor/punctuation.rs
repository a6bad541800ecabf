//! Punctuators: when they are due, by stream time and by the wall clock. Pure arithmetic; fires nothing itself.

use std::time::Duration;

use crate::time::{Timestamp, millis};

/// Which time drives a punctuator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PunctuationType {
    /// The task's stream time: first due as soon as stream time is known, then at the first multiple of the interval
    /// after it; checked after each record; never without data.
    StreamTime,
    /// The wall clock: first due one interval after scheduling; checked between polls; missed intervals are skipped.
    WallClockTime,
}

/// Names a scheduled punctuator within its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PunctuatorId(u32);

/// A punctuator that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punctuation {
    /// Which one.
    pub punctuator: PunctuatorId,
    /// Its kind.
    pub kind: PunctuationType,
    /// Stream time, or wall-clock time, now.
    pub timestamp: Timestamp,
}

#[derive(Debug)]
struct Scheduled {
    id: PunctuatorId,
    node: u32,
    kind: PunctuationType,
    interval: i64,
    next: i64,
}

/// A task's punctuators.
#[derive(Debug, Default)]
pub(crate) struct Punctuators {
    scheduled: Vec<Scheduled>,
    next_id: u32,
}

impl Punctuators {
    pub(crate) fn schedule(
        &mut self,
        node: u32,
        interval: Duration,
        kind: PunctuationType,
        wall: Timestamp,
    ) -> PunctuatorId {
        let id = PunctuatorId(self.next_id);
        self.next_id += 1;
        let interval = millis(interval).max(1);
        let next = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => wall.0.saturating_add(interval),
        };
        self.scheduled.push(Scheduled { id, node, kind, interval, next });
        id
    }

    pub(crate) fn cancel(&mut self, id: PunctuatorId) {
        self.scheduled.retain(|scheduled| scheduled.id != id);
    }

    /// Whether any punctuator of this kind exists: lets the task skip the check per record.
    pub(crate) fn any(&self, kind: PunctuationType) -> bool {
        self.scheduled.iter().any(|scheduled| scheduled.kind == kind)
    }

    /// The earliest punctuator of this kind that is due at `now`, rescheduled to the first multiple of its interval
    /// after `now`; called until it gives none.
    pub(crate) fn pop_due(&mut self, kind: PunctuationType, now: Timestamp) -> Option<(u32, Punctuation)> {
        let due = self
            .scheduled
            .iter_mut()
            .filter(|scheduled| scheduled.kind == kind && scheduled.next <= now.0)
            .min_by_key(|scheduled| scheduled.next)?;
        let missed = (now.0 - due.next) / due.interval;
        due.next = due.next + missed * due.interval + due.interval;
        Some((due.node, Punctuation { punctuator: due.id, kind, timestamp: now }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(punctuators: &mut Punctuators, kind: PunctuationType, now: i64) -> usize {
        std::iter::from_fn(|| punctuators.pop_due(kind, Timestamp(now))).count()
    }

    #[test]
    fn stream_time_fires_at_once_and_then_without_catching_up() {
        let mut punctuators = Punctuators::default();
        let kind = PunctuationType::StreamTime;
        punctuators.schedule(0, Duration::from_millis(10), kind, Timestamp(0));
        assert_eq!(fired(&mut punctuators, kind, 3), 1);
        assert_eq!(fired(&mut punctuators, kind, 9), 0);
        assert_eq!(fired(&mut punctuators, kind, 45), 1, "missed intervals are not made up for");
        assert_eq!(fired(&mut punctuators, kind, 49), 0);
        assert_eq!(fired(&mut punctuators, kind, 50), 1);
    }

    #[test]
    fn wall_clock_fires_one_interval_after_scheduling() {
        let mut punctuators = Punctuators::default();
        let kind = PunctuationType::WallClockTime;
        let id = punctuators.schedule(0, Duration::from_millis(10), kind, Timestamp(100));
        assert_eq!(fired(&mut punctuators, kind, 109), 0);
        assert_eq!(fired(&mut punctuators, kind, 110), 1);
        punctuators.cancel(id);
        assert_eq!(fired(&mut punctuators, kind, 200), 0);
    }
}
