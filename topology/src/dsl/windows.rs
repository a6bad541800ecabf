//! Windows: how time is cut, the windowed key, and its bytes. Pure arithmetic.

use std::sync::Arc;
use std::time::Duration;

use crate::serde::{Serde, SerdeError};
use crate::time::{Timestamp, millis};

/// A stretch of time, `[start, end)` in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First millisecond inside.
    pub start: Timestamp,
    /// First millisecond behind (inclusive last one for sessions and sliding windows).
    pub end: Timestamp,
}

/// A key within a window: what windowed aggregations are keyed by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Window,
}

/// Tumbling and hopping windows: epoch-aligned, `[start, end)`.
///
/// ```
/// use candlewick::TimeWindows;
/// use std::time::Duration;
/// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
/// let hopping = minutes.advance_by(Duration::from_secs(10));
/// assert_eq!(hopping.advance_ms(), 10_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    size: i64,
    advance: i64,
    grace: i64,
    /// The start of the only window there is.
    only: Option<i64>,
}

impl TimeWindows {
    /// Tumbling windows of `size`; a record later than its window's end by more than `grace` of stream time is dropped.
    ///
    /// # Panics
    /// When `size` is shorter than a millisecond.
    #[must_use]
    pub fn of_size_and_grace(size: Duration, grace: Duration) -> Self {
        let size = millis(size);
        assert!(size > 0, "a window must be at least one millisecond long");
        Self { size, advance: size, grace: millis(grace), only: None }
    }

    /// One window from `start` on, which never ends: Kafka's `UnlimitedWindows`. Earlier records fall into none.
    #[must_use]
    pub const fn unlimited_from(start: Timestamp) -> Self {
        Self { size: i64::MAX, advance: i64::MAX, grace: 0, only: Some(start.0) }
    }

    /// Tumbling windows of `size` that close as soon as stream time reaches their end.
    #[must_use]
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Hopping windows: one begins every `advance`.
    ///
    /// # Panics
    /// When `advance` is zero or longer than the windows, which would leave gaps.
    #[must_use]
    pub fn advance_by(self, advance: Duration) -> Self {
        let advance = millis(advance);
        assert!(
            advance > 0 && advance <= self.size,
            "windows advance by more than nothing and at most their size"
        );
        Self { advance, ..self }
    }

    /// Window size in milliseconds.
    #[must_use]
    pub const fn size_ms(&self) -> i64 {
        self.size
    }

    /// Distance between window starts in milliseconds.
    #[must_use]
    pub const fn advance_ms(&self) -> i64 {
        self.advance
    }

    /// Grace in milliseconds.
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }

    /// The starts of all windows that hold `time`, ascending; never negative.
    pub fn starts(&self, time: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let first = self
            .only
            .unwrap_or_else(|| (time.0 - self.size + self.advance).max(0) / self.advance * self.advance);
        let step = usize::try_from(self.advance).unwrap_or(usize::MAX);
        (first..=time.0).step_by(step).map(Timestamp)
    }

    /// The window that starts at `start`.
    #[must_use]
    pub const fn window(&self, start: Timestamp) -> Window {
        Window { start, end: Timestamp(start.0.saturating_add(self.size)) }
    }

    /// The least stream time at which a window closes that was still open at `time`.
    pub(crate) fn next_close(&self, time: Timestamp) -> Timestamp {
        if self.only.is_some() {
            return Timestamp(i64::MAX);
        }
        let open = time.0.saturating_sub(self.grace);
        let phase = self.size % self.advance;
        let end = (open - phase).div_euclid(self.advance) * self.advance + self.advance + phase;
        Timestamp(end.saturating_add(self.grace))
    }
}

/// Windowed keys as the JVM's `TimeWindowedSerializer` writes them: the key's bytes and the window's start.
pub struct WindowedSerde<K> {
    inner: Arc<dyn Serde<K>>,
    size: i64,
}

impl<K> Clone for WindowedSerde<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), size: self.size }
    }
}

impl<K: 'static> WindowedSerde<K> {
    /// Keys by `inner`, windows of `size` (which the bytes do not hold).
    pub fn new(inner: impl Serde<K>, size: Duration) -> Self {
        Self { inner: Arc::new(inner), size: millis(size) }
    }

    pub(crate) fn shared(inner: Arc<dyn Serde<K>>, size: i64) -> Self {
        Self { inner, size }
    }
}

impl<K: 'static> Serde<Windowed<K>> for WindowedSerde<K> {
    fn serialize(&self, topic: &str, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.inner.serialize(topic, &value.key, out)?;
        out.extend_from_slice(&value.window.start.0.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Windowed<K>, SerdeError> {
        let (key, start) = bytes.split_last_chunk::<8>().ok_or_else(|| SerdeError::Malformed {
            format: "windowed key",
            reason: format!("{} bytes hold no window start", bytes.len()),
        })?;
        let start = Timestamp(i64::from_be_bytes(*start));
        let window = Window { start, end: start.plus_millis(self.size) };
        Ok(Windowed { key: self.inner.deserialize(topic, key)?, window })
    }

    fn partitioned_by(&self, len: usize) -> usize {
        len.saturating_sub(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(windows: TimeWindows, time: i64) -> Vec<i64> {
        windows.starts(Timestamp(time)).map(Timestamp::as_millis).collect()
    }

    #[test]
    fn hopping_windows_start_on_multiples_and_never_before_the_epoch() {
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_millis(10))
            .advance_by(Duration::from_millis(4));
        assert_eq!(starts(windows, 3), [0]);
        assert_eq!(starts(windows, 10), [4, 8]);
        assert_eq!(starts(windows, 12), [4, 8, 12]);
    }

    #[test]
    fn next_close_is_the_least_close_after_the_time() {
        for (size, advance, grace) in [(10, 10, 0), (10, 4, 3), (7, 3, 5), (60, 60, 5)] {
            let windows =
                TimeWindows::of_size_and_grace(Duration::from_millis(size), Duration::from_millis(grace))
                    .advance_by(Duration::from_millis(advance));
            for now in 0..200 {
                let (size, advance, grace) = (windows.size, windows.advance, windows.grace);
                let expected = (0..).map(|n| n * advance + size + grace).find(|close| *close > now);
                let got = windows.next_close(Timestamp(now)).0;
                assert!(
                    got > now && Some(got) <= expected,
                    "{windows:?} at {now}: {got} against {expected:?}"
                );
            }
        }
    }
}
