//! Windows: how time is cut, the windowed key, and its bytes. Pure arithmetic.

use std::sync::Arc;
use std::time::Duration;

use crate::serde::{Format, Serde, SerdeError};
use crate::time::{Timestamp, millis};

/// A stretch of time, `[start, end)` in milliseconds.
///
/// ```
/// use candlewick::{Timestamp, Window};
/// let window = Window { start: Timestamp(0), end: Timestamp(60_000) };
/// assert_eq!(window.end.as_millis() - window.start.as_millis(), 60_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First millisecond inside.
    pub start: Timestamp,
    /// First millisecond behind (inclusive last one for sessions and sliding windows).
    pub end: Timestamp,
}

/// A key within a window: what windowed aggregations are keyed by.
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows, Windowed};
/// # use candlewick::*;
/// use std::time::Duration;
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("in", Consumed::<String, i64>::default())
///     .group_by_key(Grouped::default())
///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)))
///     .count(Materialized::named("counts"))
///     .to_stream()
///     .map(|Windowed { key, window }, count| (format!("{key} until {}", window.end), count.unwrap_or(0)))
///     .to("out", Produced::<String, i64>::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [11] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_all();
/// # let out: Vec<(&str, i64)> = out.iter().map(|(key, value, _)| (key.as_str(), *value)).collect();
/// // Of a record at 11:
/// assert_eq!(out, [("k until 20", 1)]);
/// ```
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
    /// ```
    /// use candlewick::TimeWindows;
    /// use std::time::Duration;
    /// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// // They follow each other without gaps.
    /// assert_eq!((minutes.size_ms(), minutes.advance_ms(), minutes.grace_ms()), (60_000, 60_000, 5_000));
    /// ```
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
    ///
    /// ```
    /// use candlewick::{TimeWindows, Timestamp};
    /// let since_2020 = TimeWindows::unlimited_from(Timestamp(1_577_836_800_000));
    /// let now = Timestamp(1_700_000_000_000);
    /// assert_eq!(since_2020.starts(now).collect::<Vec<_>>(), [Timestamp(1_577_836_800_000)]);
    /// assert_eq!(since_2020.starts(Timestamp(0)).count(), 0);
    /// ```
    #[must_use]
    pub const fn unlimited_from(start: Timestamp) -> Self {
        Self { size: i64::MAX, advance: i64::MAX, grace: 0, only: Some(start.0) }
    }

    /// Tumbling windows of `size` that close as soon as stream time reaches their end.
    ///
    /// ```
    /// use candlewick::TimeWindows;
    /// use std::time::Duration;
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// assert_eq!(minutes.grace_ms(), 0);
    /// ```
    #[must_use]
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Hopping windows: one begins every `advance`.
    ///
    /// ```
    /// use candlewick::{TimeWindows, Timestamp};
    /// use std::time::Duration;
    /// // A minute's window every twenty seconds: each record is in three of them.
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).advance_by(Duration::from_secs(20));
    /// let starts: Vec<i64> = minutes.starts(Timestamp(70_000)).map(Timestamp::as_millis).collect();
    /// assert_eq!(starts, [20_000, 40_000, 60_000]);
    /// ```
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
    ///
    /// ```
    /// # use {candlewick::TimeWindows, std::time::Duration};
    /// assert_eq!(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)).size_ms(), 60_000);
    /// ```
    #[must_use]
    pub const fn size_ms(&self) -> i64 {
        self.size
    }

    /// Distance between window starts in milliseconds.
    ///
    /// ```
    /// # use {candlewick::TimeWindows, std::time::Duration};
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// assert_eq!(minutes.advance_ms(), 60_000);
    /// assert_eq!(minutes.advance_by(Duration::from_secs(20)).advance_ms(), 20_000);
    /// ```
    #[must_use]
    pub const fn advance_ms(&self) -> i64 {
        self.advance
    }

    /// Grace in milliseconds.
    ///
    /// ```
    /// # use {candlewick::TimeWindows, std::time::Duration};
    /// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// assert_eq!(minutes.grace_ms(), 5_000);
    /// ```
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }

    /// The starts of all windows that hold `time`, ascending; never negative.
    ///
    /// ```
    /// use candlewick::{TimeWindows, Timestamp};
    /// use std::time::Duration;
    /// let tumbling = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// assert_eq!(tumbling.starts(Timestamp(90_000)).collect::<Vec<_>>(), [Timestamp(60_000)]);
    /// ```
    pub fn starts(&self, time: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let first = self
            .only
            .unwrap_or_else(|| (time.0 - self.size + self.advance).max(0) / self.advance * self.advance);
        let step = usize::try_from(self.advance).unwrap_or(usize::MAX);
        (first..=time.0).step_by(step).map(Timestamp)
    }

    /// The window that starts at `start`.
    ///
    /// ```
    /// use candlewick::{TimeWindows, Timestamp, Window};
    /// use std::time::Duration;
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let window = minutes.window(Timestamp(60_000));
    /// assert_eq!(window, Window { start: Timestamp(60_000), end: Timestamp(120_000) });
    /// ```
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
///
/// ```
/// use candlewick::{Serde, StringSerde, TimeWindows, Timestamp, Windowed, WindowedSerde};
/// use std::time::Duration;
/// let minute = Duration::from_secs(60);
/// let serde = WindowedSerde::new(StringSerde, minute);
/// let window = TimeWindows::of_size_with_no_grace(minute).window(Timestamp(60_000));
/// let key = Windowed { key: "BTC".to_owned(), window };
/// let mut bytes = Vec::new();
/// serde.serialize("candles", &key, &mut bytes).expect("text serializes");
/// assert_eq!(bytes, [&b"BTC"[..], &60_000_i64.to_be_bytes()].concat());
/// assert_eq!(serde.deserialize("candles", &bytes).expect("it reads back"), key);
/// ```
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
    ///
    /// ```
    /// use candlewick::{I64Serde, Serde, TimeWindows, Timestamp, Windowed, WindowedSerde};
    /// use std::time::Duration;
    /// let minute = Duration::from_secs(60);
    /// let key = Windowed { key: 7, window: TimeWindows::of_size_with_no_grace(minute).window(Timestamp(60_000)) };
    /// let mut bytes = Vec::new();
    /// WindowedSerde::new(I64Serde, minute).serialize("candles", &key, &mut bytes).expect("numbers serialize");
    /// assert_eq!(bytes.len(), 16, "a number and the start");
    /// ```
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

    fn format(&self) -> Format {
        self.inner.format().within("windowed")
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
