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
    ///
    /// ```
    /// use candlewick::JoinWindows;
    /// use std::time::Duration;
    /// let within = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    /// assert_eq!((within.size_ms(), within.grace_ms()), (20_000, 2_000));
    /// ```
    #[must_use]
    pub fn of_time_difference_and_grace(difference: Duration, grace: Duration) -> Self {
        let difference = millis(difference);
        Self { before: difference, after: difference, grace: millis(grace) }
    }

    /// Records match that are at most `difference` apart; windows close as soon as stream time passes them.
    ///
    /// ```
    /// use candlewick::JoinWindows;
    /// use std::time::Duration;
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// // Ten seconds before and ten seconds after.
    /// assert_eq!((within.size_ms(), within.grace_ms()), (20_000, 0));
    /// ```
    #[must_use]
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// The right record may be this much earlier, in milliseconds; negative: it must be at least so much later.
    ///
    /// ```
    /// use candlewick::JoinWindows;
    /// use std::time::Duration;
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// // The right record comes at least one second and at most ten seconds after the left one.
    /// assert_eq!(within.before_ms(-1_000).size_ms(), 9_000);
    /// ```
    ///
    /// # Panics
    /// When no time would be left between both ends.
    #[must_use]
    pub const fn before_ms(self, before: i64) -> Self {
        Self { before, ..self }.checked()
    }

    /// The right record may be this much later, in milliseconds; negative: it must be at least so much earlier.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, Produced, StreamJoined, StreamsBuilder};
    /// # use candlewick::*;
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let clicks = builder.stream("in", Consumed::<String, i64>::default());
    /// let views = builder.stream("views", Consumed::<String, i64>::default());
    /// // The view before the click, never one after it.
    /// let before = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10)).after_ms(0);
    /// clicks
    ///     .join_stream(views, |_, click, view| click - view, before, StreamJoined::named("time-to-click"))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let views = driver.input_topic("views", StringSerde, I64Serde);
    /// # for time in [5, 12] { views.pipe("k".to_string(), time, Timestamp(time)).expect("processed"); }
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [9] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of views at 5 and 12, and a click at 9:
    /// assert_eq!(values, [4]);
    /// ```
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
    ///
    /// ```
    /// # use {candlewick::JoinWindows, std::time::Duration};
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// assert_eq!(within.after_ms(0).size_ms(), 10_000);
    /// ```
    #[must_use]
    pub const fn size_ms(&self) -> i64 {
        self.before + self.after
    }

    /// Grace in milliseconds.
    ///
    /// ```
    /// # use {candlewick::JoinWindows, std::time::Duration};
    /// let within = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    /// assert_eq!(within.grace_ms(), 2_000);
    /// ```
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }
}
