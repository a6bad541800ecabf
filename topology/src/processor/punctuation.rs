//! Punctuators: when they are due, by stream time and by the wall clock. Pure arithmetic; fires nothing itself.

use std::time::Duration;

use crate::time::{Timestamp, millis};

/// Which time drives a punctuator.
///
/// ```
/// use candlewick::{Context, ProcessError, PunctuationType};
/// use std::time::Duration;
/// /// For the `init` of a processor.
/// fn every_second(cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///     // Of data that is replayed too, at the same places each time.
///     cx.schedule(Duration::from_secs(1), PunctuationType::StreamTime);
///     // Also when nothing comes.
///     cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
///     Ok(())
/// }
/// # let _ = every_second;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PunctuationType {
    /// The task's stream time: first due as soon as stream time is known, then at the first multiple of the interval
    /// after it; checked after each record; never without data.
    StreamTime,
    /// The wall clock: first due one interval after scheduling; checked between polls; missed intervals are skipped.
    WallClockTime,
}

/// Names a scheduled punctuator within its task.
///
/// ```
/// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, PunctuatorId, Record};
/// # use candlewick::*;
/// use std::time::Duration;
///
/// /// Counts three seconds down, and stops.
/// struct Countdown { tick: Option<PunctuatorId>, left: i64 }
///
/// impl Processor<String, i64, String, i64> for Countdown {
///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         self.tick = Some(cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime));
///         Ok(())
///     }
/// #     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> { Ok(()) }
///
///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         self.left -= 1;
///         if let Some(tick) = self.tick.take_if(|_| self.left == 0) {
///             cx.cancel(tick);
///         }
///         cx.forward(Record::new("left".to_owned(), self.left, due.timestamp))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&[], |_| Countdown { tick: None, left: 3 }).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # for _ in 0..5 { driver.advance_wall_clock(Duration::from_secs(1)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of five seconds:
/// assert_eq!(values, [2, 1, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PunctuatorId(u32);

/// A punctuator that is due.
///
/// ```
/// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, PunctuatorId, Record};
/// # use candlewick::*;
/// use std::time::Duration;
///
/// /// Two punctuators, told apart by their ids.
/// struct Ticks { fast: Option<PunctuatorId> }
///
/// impl Processor<String, i64, String, i64> for Ticks {
///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         self.fast = Some(cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime));
///         cx.schedule(Duration::from_secs(60), PunctuationType::WallClockTime);
///         Ok(())
///     }
///
///     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         Ok(())
///     }
///
///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
///         let name = if Some(due.punctuator) == self.fast { "second" } else { "minute" };
///         cx.forward(Record::new(name.to_owned(), 1, due.timestamp))
///     }
/// }
/// # let builder = StreamsBuilder::new();
/// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
/// # numbers.process::<String, i64, _>(&[], |_| Ticks { fast: None }).to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// driver.advance_wall_clock(Duration::from_secs(59)).expect("processed");
/// driver.advance_wall_clock(Duration::from_secs(1)).expect("processed");
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
/// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
/// assert_eq!(out, [("second", 1), ("second", 1), ("minute", 1)]);
/// ```
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
        let interval = millis(interval).max(1);
        let next = match kind {
            PunctuationType::StreamTime => 0,
            PunctuationType::WallClockTime => wall.0.saturating_add(interval),
        };
        self.add(node, kind, interval, next)
    }

    /// Schedules at `start` and at every `interval` after it, of which those before `now` are passed over.
    pub(crate) fn schedule_from(
        &mut self,
        node: u32,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
        now: Timestamp,
    ) -> PunctuatorId {
        let interval = millis(interval).max(1);
        let next = if start < now { after(start.0, interval, now.0) } else { start.0 };
        self.add(node, kind, interval, next)
    }

    fn add(&mut self, node: u32, kind: PunctuationType, interval: i64, next: i64) -> PunctuatorId {
        let id = PunctuatorId(self.next_id);
        self.next_id += 1;
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
        due.next = after(due.next, due.interval, now.0);
        Some((due.node, Punctuation { punctuator: due.id, kind, timestamp: now }))
    }
}

/// The first of `start` and its multiples of `interval` that is greater than `now`, where `start` is not.
fn after(start: i64, interval: i64, now: i64) -> i64 {
    start + (now - start) / interval * interval + interval
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

    #[test]
    fn anchored_ones_fire_at_multiples_of_the_interval_from_their_start_only() {
        let mut punctuators = Punctuators::default();
        let (kind, interval) = (PunctuationType::WallClockTime, Duration::from_millis(10));
        punctuators.schedule_from(0, Timestamp(103), interval, kind, Timestamp(118));
        assert_eq!(
            fired(&mut punctuators, kind, 122),
            0,
            "what was due before it was scheduled is passed over"
        );
        assert_eq!(fired(&mut punctuators, kind, 123), 1);
        assert_eq!(fired(&mut punctuators, kind, 132), 0);
        assert_eq!(fired(&mut punctuators, kind, 133), 1);
        let mut punctuators = Punctuators::default();
        punctuators.schedule_from(0, Timestamp(103), interval, kind, Timestamp(100));
        assert_eq!(fired(&mut punctuators, kind, 102), 0);
        assert_eq!(fired(&mut punctuators, kind, 103), 1, "the start itself is the first time");
    }
}
