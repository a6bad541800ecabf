//! Lengths of candles and the windows they cut time into. Knows time only.

use std::fmt;
use std::num::NonZeroI64;
use std::str::FromStr;

use candlewick::Timestamp;
use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The length of a candle in whole milliseconds; windows start at multiples of it since the Unix epoch.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_operators::Interval;
/// let five: Interval = "5m".parse()?;
/// assert_eq!(five.as_millis(), 300_000);
/// assert_eq!(five.start_of(Timestamp(301_000)), Timestamp(300_000));
/// assert_eq!(five.to_string(), "5m");
/// # Ok::<(), candlewick_operators::IntervalError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(NonZeroI64);

/// Why text is not an interval.
///
/// ```
/// use candlewick_operators::Interval;
/// let error = "1x".parse::<Interval>().expect_err("no unit");
/// assert!(error.to_string().starts_with("`1x` is not an interval"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an interval: write a whole number and a unit (ms, s, m, h, d, w), such as 1m")]
pub struct IntervalError {
    text: CompactString,
}

/// Units, longest first; `ms` stands before `m` and `s` when text is read from its end.
const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1_000)];

impl Interval {
    /// One second.
    pub const SECOND: Self = Self::of(1_000);
    /// One minute.
    pub const MINUTE: Self = Self::of(60_000);
    /// Five minutes.
    pub const FIVE_MINUTES: Self = Self::of(300_000);
    /// One hour.
    pub const HOUR: Self = Self::of(3_600_000);
    /// One day.
    pub const DAY: Self = Self::of(86_400_000);

    const fn of(millis: i64) -> Self {
        Self(NonZeroI64::new(millis).expect("the lengths above are not zero"))
    }

    /// The interval of `millis` milliseconds; `None` when that is not above zero.
    ///
    /// ```
    /// # use candlewick_operators::Interval;
    /// assert_eq!(Interval::from_millis(60_000), Some(Interval::MINUTE));
    /// assert_eq!(Interval::from_millis(0), None);
    /// ```
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        NonZeroI64::new(millis).filter(|millis| millis.get() > 0).map(Self)
    }

    /// The length in milliseconds.
    ///
    /// ```
    /// # use candlewick_operators::Interval;
    /// assert_eq!(Interval::HOUR.as_millis(), 3_600_000);
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.get()
    }

    /// The length as the standard library's duration, for windows.
    ///
    /// ```
    /// # use candlewick_operators::Interval;
    /// assert_eq!(Interval::HOUR.as_duration().as_secs(), 3_600);
    /// ```
    #[must_use]
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.get().unsigned_abs())
    }

    /// The start of the window that `time` falls into.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::Interval};
    /// assert_eq!(Interval::MINUTE.start_of(Timestamp(61_500)), Timestamp(60_000));
    /// ```
    #[must_use]
    pub const fn start_of(self, time: Timestamp) -> Timestamp {
        Timestamp(time.0 - time.0.rem_euclid(self.0.get()))
    }

    /// The end of the window that starts at `start`: the first time outside it.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::Interval};
    /// assert_eq!(Interval::MINUTE.end_of(Timestamp(60_000)), Timestamp(120_000));
    /// ```
    #[must_use]
    pub const fn end_of(self, start: Timestamp) -> Timestamp {
        start.plus_millis(self.0.get())
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let error = || IntervalError { text: text.chars().take(24).collect() };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let length = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
        let count: i64 = count.parse().map_err(|_| error())?;
        count.checked_mul(length).and_then(Self::from_millis).ok_or_else(error)
    }
}

impl fmt::Display for Interval {
    /// The shortest text that reads back, in the longest unit that divides the length; weeks are written as days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        for (name, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if millis % length == 0 {
                return write!(f, "{}{name}", millis / length);
            }
        }
        write!(f, "{millis}ms")
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        CompactString::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_back_as_written() {
        for (text, millis) in [
            ("250ms", 250),
            ("1s", 1_000),
            ("1m", 60_000),
            ("15m", 900_000),
            ("1h", 3_600_000),
            ("7d", 604_800_000),
        ] {
            let interval: Interval = text.parse().expect("an interval");
            assert_eq!(interval.as_millis(), millis);
            assert_eq!(interval.to_string(), text);
        }
        assert_eq!("1w".parse::<Interval>(), "7d".parse());
    }

    #[test]
    fn text_that_is_no_interval_is_refused() {
        for text in ["", "m", "0m", "-1m", "1", "1 m", "1M", "1.5m", "99999999999999999w"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn windows_before_the_epoch_start_below_their_time() {
        assert_eq!(Interval::MINUTE.start_of(Timestamp(-1)), Timestamp(-60_000));
        assert_eq!(Interval::MINUTE.end_of(Timestamp(-60_000)), Timestamp(0));
    }
}
