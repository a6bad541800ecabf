//! Sliding windows: for each record the stretch of time that ends with it, and those that begin behind the ones before.

use std::time::Duration;

use super::windows::Window;
use crate::time::{Timestamp, millis};

/// Windows of one length that are there wherever a record begins or ends one; both ends are inside. Two records fall into
/// one window when they are at most `time_difference` apart.
///
/// ```
/// use candlewick::SlidingWindows;
/// use std::time::Duration;
/// let last_minute = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
/// assert_eq!(last_minute.time_difference_ms(), 60_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindows {
    difference: i64,
    grace: i64,
}

impl SlidingWindows {
    /// Windows of `difference`; a record whose window ended more than `grace` of stream time ago is dropped.
    ///
    /// ```
    /// use candlewick::SlidingWindows;
    /// use std::time::Duration;
    /// let last_minute = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// assert_eq!((last_minute.time_difference_ms(), last_minute.grace_ms()), (60_000, 5_000));
    /// ```
    #[must_use]
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        Self { difference: millis(difference), grace: millis(grace) }
    }

    /// Windows of `difference` that close as soon as stream time passes their end.
    ///
    /// ```
    /// # use {candlewick::SlidingWindows, std::time::Duration};
    /// let last_minute = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// assert_eq!((last_minute.time_difference_ms(), last_minute.grace_ms()), (60_000, 0));
    /// ```
    #[must_use]
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// How far apart records in one window may be, in milliseconds.
    ///
    /// ```
    /// # use {candlewick::SlidingWindows, std::time::Duration};
    /// let last_minute = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// assert_eq!(last_minute.time_difference_ms(), 60_000);
    /// ```
    #[must_use]
    pub const fn time_difference_ms(&self) -> i64 {
        self.difference
    }

    /// Grace in milliseconds.
    ///
    /// ```
    /// # use {candlewick::SlidingWindows, std::time::Duration};
    /// let last_minute = SlidingWindows::of_time_difference_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// assert_eq!(last_minute.grace_ms(), 5_000);
    /// ```
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }

    /// The window that starts at `start`.
    pub(crate) const fn window(self, start: Timestamp) -> Window {
        Window { start, end: start.plus_millis(self.difference) }
    }
}
