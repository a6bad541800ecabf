//! How fast recorded trades are given out: when each is due. Pure arithmetic on times; it never sleeps or looks at a
//! clock, and knows no file.

use std::time::Duration;

use candlewick::Timestamp;

/// The speed of a replay.
///
/// ```
/// use candlewick_connectors::Pace;
/// assert_eq!(Pace::default(), Pace::Fast);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// As it was recorded: a minute takes a minute.
    Recorded,
    /// This many times as fast as it was recorded; must be positive.
    Times(f64),
    /// As fast as it goes.
    #[default]
    Fast,
}

/// Says when a trade is due, counted from the first one.
///
/// ```
/// use std::time::Duration;
/// use candlewick::Timestamp;
/// use candlewick_connectors::{Pace, Pacer};
/// let mut pacer = Pacer::new(Pace::Times(10.0));
/// assert_eq!(pacer.due(Timestamp(5_000)), Duration::ZERO);
/// assert_eq!(pacer.due(Timestamp(7_000)), Duration::from_millis(200));
/// ```
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: Pace,
    first: Option<Timestamp>,
}

impl Pacer {
    /// A pacer that has seen nothing yet.
    ///
    /// ```
    /// use candlewick_connectors::{Pace, Pacer};
    /// assert!(Pacer::new(Pace::Fast).due(candlewick::Timestamp(5_000)).is_zero());
    /// ```
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, first: None }
    }

    /// How long after the first trade the trade of this time is due. A trade older than the first is due at once.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// use candlewick_connectors::{Pace, Pacer};
    /// let mut pacer = Pacer::new(Pace::Recorded);
    /// assert_eq!([5_000, 7_000, 4_000].map(|ms| pacer.due(Timestamp(ms)).as_millis()), [0, 2_000, 0]);
    /// ```
    pub fn due(&mut self, time: Timestamp) -> Duration {
        let first = *self.first.get_or_insert(time);
        let since = u64::try_from(time.0.saturating_sub(first.0)).unwrap_or(0);
        match self.pace {
            Pace::Fast => Duration::ZERO,
            Pace::Recorded => Duration::from_millis(since),
            Pace::Times(times) if times > 0.0 => {
                Duration::try_from_secs_f64(since as f64 / 1_000.0 / times).unwrap_or(Duration::MAX)
            }
            Pace::Times(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_pace_keeps_the_distances_and_late_trades_are_due_at_once() {
        let mut pacer = Pacer::new(Pace::Recorded);
        let due: Vec<_> = [1_000, 1_500, 900, 4_000].into_iter().map(|ms| pacer.due(Timestamp(ms))).collect();
        assert_eq!(due, [0, 500, 0, 3_000].map(Duration::from_millis));
    }

    #[test]
    fn fast_pace_never_waits() {
        let mut pacer = Pacer::new(Pace::Fast);
        pacer.due(Timestamp(0));
        assert_eq!(pacer.due(Timestamp(i64::MAX)), Duration::ZERO);
    }
}
