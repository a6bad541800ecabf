//! Average true range. Knows bars only.

use serde::{Deserialize, Serialize};

use super::{Bar, PeriodError, period};

/// Wilder's average (weight 1 / period) of the true range: the greatest of high − low and the distances of the previous
/// close from high and low. It starts as the mean of the first `period` ranges; the first bar has none (TA-Lib `ATR`).
///
/// ```
/// use candlewick_operators::{Atr, Bar};
/// let bar = |low, high, close| Bar { open: low, high, low, close, volume: 1.0 };
/// let mut atr = Atr::new(2)?;
/// let bars = [bar(10.0, 11.0, 11.0), bar(12.0, 14.0, 13.0), bar(12.0, 13.0, 13.0)];
/// assert_eq!(bars.map(|bar| atr.update(&bar)), [None, None, Some(2.0)]);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    period: u32,
    /// Ranges taken in, up to `period`.
    seen: u32,
    previous_close: Option<f64>,
    weight: f64,
    /// The sum of the ranges while there are fewer than `period`, the average after.
    value: f64,
}

impl Atr {
    /// An average over `period` ranges, at least 1.
    ///
    /// ```
    /// # use candlewick_operators::{Atr, Bar};
    /// assert!(Atr::new(1).is_ok());
    /// assert!(Atr::new(0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        let period = period("ATR", period_, 1)?;
        Ok(Self { period, seen: 0, previous_close: None, weight: 1.0 / f64::from(period), value: 0.0 })
    }

    /// Takes the next bar; refuses one whose high, low or close is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Atr, Bar};
    /// # let bar = |price: f64, volume: f64| Bar { open: price, high: price + 1.0, low: price - 1.0, close: price, volume };
    /// let mut atr = Atr::new(1)?;
    /// assert_eq!(atr.update(&bar(10.0, 1.0)), None);
    /// assert_eq!(atr.update(&bar(10.0, 1.0)), Some(2.0));
    /// assert_eq!(atr.update(&bar(f64::NAN, 1.0)), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, bar: &Bar) -> Option<f64> {
        if !(bar.high.is_finite() && bar.low.is_finite() && bar.close.is_finite()) {
            return None;
        }
        let previous = self.previous_close.replace(bar.close)?;
        let range = (bar.high - bar.low).max((bar.high - previous).abs()).max((bar.low - previous).abs());
        if self.seen == self.period {
            self.value += self.weight * (range - self.value);
            return Some(self.value);
        }
        self.seen += 1;
        self.value += range;
        if self.seen == self.period {
            self.value /= f64::from(self.period);
        }
        self.value()
    }

    /// The newest average.
    ///
    /// ```
    /// # use candlewick_operators::{Atr, Bar};
    /// # let bar = |price: f64, volume: f64| Bar { open: price, high: price + 1.0, low: price - 1.0, close: price, volume };
    /// let mut atr = Atr::new(1)?;
    /// for x in [bar(10.0, 1.0), bar(10.0, 1.0)] {
    ///     atr.update(&x);
    /// }
    /// assert_eq!(atr.value(), Some(2.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.seen == self.period).then_some(self.value)
    }

    /// How many bars come before the first average.
    ///
    /// ```
    /// # use candlewick_operators::{Atr, Bar};
    /// assert_eq!(Atr::new(14)?.lookback(), 14);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.period as usize
    }
}
