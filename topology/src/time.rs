//! Time: timestamps, durations of windows, and the injected clock. Owns every notion of "when".
//! Must not know records, stores or topics; nothing outside this file asks the operating system for the time.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, as Kafka counts them. May be negative only for "unknown" ([`Timestamp::UNKNOWN`]).
///
/// ```
/// use candlewick::Timestamp;
/// assert_eq!(Timestamp(1_500).max(Timestamp(2_000)), Timestamp(2_000));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// No time is known yet: stream time before the first record.
    pub const UNKNOWN: Self = Self(-1);

    /// Milliseconds since the Unix epoch.
    ///
    /// ```
    /// assert_eq!(candlewick::Timestamp(1_500).as_millis(), 1_500);
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time plus `ms` milliseconds, saturating at the ends of the range.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// assert_eq!(Timestamp(1_000).plus_millis(500).as_millis(), 1_500);
    /// assert_eq!(Timestamp(i64::MAX).plus_millis(1), Timestamp(i64::MAX));
    /// ```
    #[must_use]
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This time minus `ms` milliseconds, saturating at the ends of the range.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// assert_eq!(Timestamp(1_000).minus_millis(1_500), Timestamp(-500));
    /// ```
    #[must_use]
    pub const fn minus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Self(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A duration in whole milliseconds, saturating: windows and graces are counted so.
///
/// ```
/// use std::time::Duration;
/// use candlewick::millis;
/// assert_eq!(millis(Duration::from_micros(1_999)), 1);
/// assert_eq!(millis(Duration::MAX), i64::MAX);
/// ```
#[must_use]
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whole milliseconds as a duration; nothing for negative ones.
#[must_use]
pub(crate) fn duration(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Where the runtime reads the time: the wall clock for punctuators and records, a monotonic one for intervals.
///
/// The simulator and the test driver bring their own; the rest of the framework never asks the operating system.
///
/// ```
/// use std::time::Duration;
/// use candlewick::{Clock, SystemClock, Timestamp};
///
/// /// The system's clock, an hour ahead.
/// struct Ahead(SystemClock);
///
/// impl Clock for Ahead {
///     fn wall(&self) -> Timestamp {
///         self.0.wall().plus_millis(3_600_000)
///     }
///
///     fn monotonic(&self) -> Duration {
///         self.0.monotonic()
///     }
/// }
///
/// assert!(Ahead(SystemClock::default()).wall() > SystemClock::default().wall());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time: Unix milliseconds.
    fn wall(&self) -> Timestamp;

    /// Time since an arbitrary start that never goes backwards: for intervals and deadlines.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
///
/// ```
/// use candlewick::{Clock, SystemClock};
/// let clock = SystemClock::default();
/// let before = clock.monotonic();
/// assert!(clock.monotonic() >= before);
/// ```
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that moves only when told to: for tests, the driver and backtests.
///
/// ```
/// use candlewick::{Clock, ManualClock, Timestamp};
/// let clock = ManualClock::at(Timestamp(1_000));
/// clock.advance_millis(500);
/// assert_eq!(clock.wall(), Timestamp(1_500));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    ///
    /// ```
    /// use candlewick::{Clock, ManualClock, Timestamp};
    /// assert_eq!(ManualClock::at(Timestamp(1_000)).wall(), Timestamp(1_000));
    /// ```
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self { now: AtomicI64::new(start.0) }
    }

    /// Moves the clock forward by `ms` milliseconds.
    ///
    /// ```
    /// use candlewick::{Clock, ManualClock};
    /// use std::time::Duration;
    /// let clock = ManualClock::default();
    /// clock.advance_millis(500);
    /// assert_eq!(clock.monotonic(), Duration::from_millis(500));
    /// ```
    pub fn advance_millis(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        duration(self.now.load(Ordering::SeqCst))
    }
}
