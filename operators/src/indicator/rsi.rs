//! Relative strength index. Knows floats only.

use serde::{Deserialize, Serialize};

use super::{PeriodError, period};

/// 100 × average gain / (average gain + average loss), averages by Wilder (weight 1 / period) that start as the means of
/// the first `period` moves (TA-Lib `RSI`). Without any move it is 50.
///
/// ```
/// use candlewick_operators::Rsi;
/// let mut rsi = Rsi::new(2)?;
/// assert_eq!([10.0, 13.0, 12.0].map(|x| rsi.update(x)), [None, None, Some(75.0)]);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    period: u32,
    /// Moves taken in, up to `period`.
    seen: u32,
    previous: Option<f64>,
    weight: f64,
    /// Sums while there are fewer than `period` moves, averages after.
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// An index over averages of `period` moves, at least 2.
    ///
    /// ```
    /// # use candlewick_operators::{Rsi};
    /// assert!(Rsi::new(2).is_ok());
    /// assert!(Rsi::new(1).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        let period = period("RSI", period_, 2)?;
        Ok(Self { period, seen: 0, previous: None, weight: 1.0 / f64::from(period), gain: 0.0, loss: 0.0 })
    }

    /// Takes the next price; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Rsi};
    /// let mut rsi = Rsi::new(2)?;
    /// assert_eq!(rsi.update(10.0), None);
    /// assert_eq!(rsi.update(13.0), None);
    /// assert_eq!(rsi.update(12.0), Some(75.0));
    /// assert_eq!(rsi.update(f64::NAN), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, price: f64) -> Option<f64> {
        if !price.is_finite() {
            return None;
        }
        let change = price - self.previous.replace(price)?;
        let (gain, loss) = (change.max(0.0), (-change).max(0.0));
        if self.seen == self.period {
            self.gain += self.weight * (gain - self.gain);
            self.loss += self.weight * (loss - self.loss);
        } else {
            self.seen += 1;
            self.gain += gain;
            self.loss += loss;
            if self.seen == self.period {
                self.gain /= f64::from(self.period);
                self.loss /= f64::from(self.period);
            }
        }
        self.value()
    }

    /// The newest index, from 0 to 100.
    ///
    /// ```
    /// # use candlewick_operators::{Rsi};
    /// let mut rsi = Rsi::new(2)?;
    /// for x in [10.0, 13.0, 12.0] {
    ///     rsi.update(x);
    /// }
    /// assert_eq!(rsi.value(), Some(75.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<f64> {
        if self.seen < self.period {
            return None;
        }
        let both = self.gain + self.loss;
        Some(if both > 0.0 { 100.0 * (self.gain / both) } else { 50.0 })
    }

    /// How many prices come before the first index.
    ///
    /// ```
    /// # use candlewick_operators::{Rsi};
    /// assert_eq!(Rsi::new(14)?.lookback(), 14);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.period as usize
    }
}
