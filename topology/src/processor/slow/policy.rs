//! How a slow node treats its records: how many at once, in which order results go on, how long one may take and how often
//! it is tried. Plain values.

use std::time::Duration;

/// In which order the results of [`KStream::async_map`](crate::KStream::async_map) go on.
///
/// ```
/// use candlewick::{AsyncOptions, AsyncOrder};
/// // Results of one key never overtake each other; those of different keys may.
/// assert_eq!(AsyncOptions::default().order, AsyncOrder::Key);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AsyncOrder {
    /// The results of one key in the order of its records.
    #[default]
    Key,
    /// All results of a task in the order of its records: one that takes long holds up all behind it.
    Partition,
    /// As they come.
    None,
}

/// How often a call is tried, and how long is waited in between.
///
/// ```
/// use std::time::Duration;
/// use candlewick::Retry;
/// let retry = Retry { attempts_max: 5, backoff: Duration::from_millis(100), backoff_max: Duration::from_millis(300) };
/// let waits: Vec<u128> = (1..5).map(|failed| retry.wait_after(failed).as_millis()).collect();
/// assert_eq!(waits, [100, 200, 300, 300]);
/// assert_eq!(Retry::NEVER.attempts_max, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a record is tried at most, the first time included.
    pub attempts_max: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Retry {
    /// One attempt.
    pub const NEVER: Self = Self { attempts_max: 1, backoff: Duration::ZERO, backoff_max: Duration::ZERO };

    /// How long to wait after so many failed attempts.
    ///
    /// ```
    /// use candlewick::Retry;
    /// assert_eq!(Retry::default().wait_after(1).as_millis(), 100);
    /// ```
    #[must_use]
    pub fn wait_after(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        self.backoff.saturating_mul(1 << doublings).min(self.backoff_max)
    }
}

impl Default for Retry {
    /// Three attempts, with 100 ms and 200 ms in between.
    fn default() -> Self {
        Self { attempts_max: 3, backoff: Duration::from_millis(100), backoff_max: Duration::from_secs(10) }
    }
}

/// What a slow node was told about its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Records of one task that may be unfinished before it takes no more.
    pub(crate) room: usize,
    pub(crate) order: AsyncOrder,
    /// How long one attempt may take.
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Retry,
}

impl Policy {
    /// How long a record may take with all its attempts; no bound where an attempt has none.
    pub(crate) fn longest(&self) -> Option<Duration> {
        let attempts = self.retry.attempts_max;
        let waits: Duration = (1..attempts).map(|failed| self.retry.wait_after(failed)).sum();
        Some(self.timeout?.saturating_mul(attempts).saturating_add(waits))
    }
}
