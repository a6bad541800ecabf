//! Volume-weighted average prices over bars: of a session and of the last n bars. Knows bars and intervals. Over trades
//! the candle has its own, exact one.

use candlewick::Timestamp;
use serde::{Deserialize, Serialize};

use super::rolling::RollingSum;
use super::{Bar, PeriodError, period};
use crate::Interval;

/// The average of the bars' typical prices by volume since the start, or since the session began (TA-Lib `VWAP`).
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_operators::{Bar, Interval, Vwap};
/// let bar = |price, volume| Bar { open: price, high: price, low: price, close: price, volume };
/// let mut vwap = Vwap::new();
/// vwap.update(&bar(10.0, 1.0));
/// assert_eq!(vwap.update(&bar(20.0, 3.0)), Some(17.5));
///
/// let mut daily = Vwap::new();
/// daily.update_in_session(Interval::DAY, Timestamp(86_399_999), &bar(10.0, 1.0));
/// assert_eq!(daily.update_in_session(Interval::DAY, Timestamp(86_400_000), &bar(20.0, 3.0)), Some(20.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vwap {
    session_start: Option<i64>,
    turnover: f64,
    volume: f64,
}

impl Vwap {
    /// Nothing added yet.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Vwap};
    /// assert_eq!(Vwap::new().value(), None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bar; refuses one that is not finite. `None` also while nothing was traded.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Vwap};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// let mut vwap = Vwap::new();
    /// vwap.update(&bar(10.0, 1.0));
    /// assert_eq!(vwap.update(&bar(20.0, 3.0)), Some(17.5));
    /// ```
    #[inline]
    pub fn update(&mut self, bar: &Bar) -> Option<f64> {
        if !bar.is_finite() {
            return None;
        }
        self.turnover += bar.typical_price() * bar.volume;
        self.volume += bar.volume;
        self.value()
    }

    /// Takes the next bar, which starts at `time`, and begins anew when that is in another session than the bar before.
    /// Sessions are windows of length `session`.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Interval, Vwap};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// # use candlewick::Timestamp;
    /// let mut vwap = Vwap::new();
    /// vwap.update_in_session(Interval::DAY, Timestamp(86_399_999), &bar(10.0, 1.0));
    /// assert_eq!(vwap.update_in_session(Interval::DAY, Timestamp(86_400_000), &bar(20.0, 3.0)), Some(20.0));
    /// ```
    pub fn update_in_session(&mut self, session: Interval, time: Timestamp, bar: &Bar) -> Option<f64> {
        if !bar.is_finite() {
            return None;
        }
        let start = session.start_of(time).as_millis();
        if self.session_start != Some(start) {
            *self = Self { session_start: Some(start), ..Self::default() };
        }
        self.update(bar)
    }

    /// Begins anew.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Vwap};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// let mut vwap = Vwap::new();
    /// vwap.update(&bar(10.0, 1.0));
    /// vwap.reset();
    /// assert_eq!(vwap.value(), None);
    /// ```
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The newest average.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Vwap};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// let mut vwap = Vwap::new();
    /// vwap.update(&bar(10.0, 1.0));
    /// assert_eq!(vwap.value(), Some(10.0));
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.volume > 0.0).then(|| self.turnover / self.volume)
    }
}

/// The average of the last `period` bars' typical prices by volume (TA-Lib `VWMA` over `TYPPRICE`).
///
/// ```
/// use candlewick_operators::{Bar, RollingVwap};
/// let bar = |price, volume| Bar { open: price, high: price, low: price, close: price, volume };
/// let mut vwap = RollingVwap::new(2)?;
/// let bars = [bar(1.0, 9.0), bar(10.0, 1.0), bar(20.0, 3.0)];
/// assert_eq!(bars.map(|bar| vwap.update(&bar))[2], Some(17.5));
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollingVwap {
    turnover: RollingSum,
    volume: RollingSum,
    /// How many of the newest bars, up to the period, traded nothing: then the sums hold rounding only.
    quiet: u32,
}

impl RollingVwap {
    /// An average over `period` bars, at least 1.
    ///
    /// ```
    /// # use candlewick_operators::{RollingVwap, Bar};
    /// assert!(RollingVwap::new(2).is_ok());
    /// assert!(RollingVwap::new(0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        let period = period("rolling VWAP", period_, 1)?;
        Ok(Self { turnover: RollingSum::new(period), volume: RollingSum::new(period), quiet: 0 })
    }

    /// Takes the next bar; refuses one that is not finite. `None` also when the window traded nothing.
    ///
    /// ```
    /// # use candlewick_operators::{RollingVwap, Bar};
    /// # let bar = |price: f64, volume: f64| Bar { open: price, high: price + 1.0, low: price - 1.0, close: price, volume };
    /// let mut vwap = RollingVwap::new(2)?;
    /// assert_eq!(vwap.update(&bar(10.0, 1.0)), None);
    /// assert_eq!(vwap.update(&bar(20.0, 3.0)), Some(17.5));
    /// assert_eq!(vwap.update(&bar(f64::NAN, 1.0)), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, bar: &Bar) -> Option<f64> {
        if !bar.is_finite() {
            return None;
        }
        self.quiet = if bar.volume == 0.0 { self.quiet.saturating_add(1) } else { 0 };
        self.turnover.push(bar.typical_price() * bar.volume);
        self.volume.push(bar.volume);
        self.value()
    }

    /// The newest average.
    ///
    /// ```
    /// # use candlewick_operators::{RollingVwap, Bar};
    /// # let bar = |price: f64, volume: f64| Bar { open: price, high: price + 1.0, low: price - 1.0, close: price, volume };
    /// let mut vwap = RollingVwap::new(2)?;
    /// for x in [bar(10.0, 1.0), bar(20.0, 3.0)] {
    ///     vwap.update(&x);
    /// }
    /// assert_eq!(vwap.value(), Some(17.5));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let (turnover, volume) = (self.turnover.sum()?, self.volume.sum()?);
        (volume > 0.0 && f64::from(self.quiet) < self.volume.period()).then(|| turnover / volume)
    }

    /// How many bars come before the first average.
    ///
    /// ```
    /// # use candlewick_operators::{RollingVwap, Bar};
    /// assert_eq!(RollingVwap::new(5)?.lookback(), 4);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.volume.lookback()
    }
}
