//! How far apart two records of joined streams may be.

use std::time::Duration;

use crate::time::millis;

/// Records of two streams match when the right one's time lies between `before` the left one's and `after` it, both ends
/// included.
///
/// ```
/// use candlewick::JoinWindows;
/// use std::time::Duration;
/// let within = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
/// let only_later = within.before_ms(0);
/// assert_eq!(only_later.size_ms(), 10_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinWindows {
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) grace: i64,
}

impl JoinWindows {
    /// Records match that are at most `difference` apart. A record that comes late is still matched while stream time is
    /// at most `grace` behind the end of its window.
    #[must_use]
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference = millis(difference);
        Self { before: difference, after: difference, grace: millis(grace) }
    }

    /// Records match that are at most `difference` apart; windows close as soon as stream time passes them.
    #[must_use]
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// The right record may be this much earlier, in milliseconds; negative: it must be at least so much later.
    ///
    /// # Panics
    /// When no time would be left between both ends.
    #[must_use]
    pub const fn before_ms(self, before: i64) -> Self {
        Self { before, ..self }.checked()
    }

    /// The right record may be this much later, in milliseconds; negative: it must be at least so much earlier.
    ///
    /// # Panics
    /// When no time would be left between both ends.
    #[must_use]
    pub const fn after_ms(self, after: i64) -> Self {
        Self { after, ..self }.checked()
    }

    const fn checked(self) -> Self {
        assert!(self.before + self.after >= 0, "a join window must not end before it begins");
        self
    }

    /// How far apart its ends are, in milliseconds.
    #[must_use]
    pub const fn size_ms(&self) -> i64 {
        self.before + self.after
    }

    /// Grace in milliseconds.
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }
}
