//! Exponential moving average. Knows floats only.

use serde::{Deserialize, Serialize};

use super::{PeriodError, period};

/// The average that moves 2 / (period + 1) of the way to each value; it starts as the mean of the first `period` values
/// (TA-Lib `EMA`).
///
/// ```
/// use candlewick_operators::Ema;
/// let mut ema = Ema::new(3)?;
/// assert_eq!([1.0, 2.0, 3.0, 4.0].map(|x| ema.update(x)), [None, None, Some(2.0), Some(3.0)]);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    period: u32,
    /// Values taken in, up to `period`.
    seen: u32,
    weight: f64,
    /// The sum of the first values while there are fewer than `period`, the average after.
    value: f64,
}

impl Ema {
    /// An average with the weight 2 / (`period` + 1), period at least 1.
    ///
    /// ```
    /// # use candlewick_operators::{Ema};
    /// assert!(Ema::new(2).is_ok());
    /// assert!(Ema::new(0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        let period = period("EMA", period_, 1)?;
        Ok(Self { period, seen: 0, weight: 2.0 / (f64::from(period) + 1.0), value: 0.0 })
    }

    /// Takes the next value; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Ema};
    /// let mut ema = Ema::new(2)?;
    /// assert_eq!(ema.update(1.0), None);
    /// assert_eq!(ema.update(3.0), Some(2.0));
    /// assert_eq!(ema.update(f64::NAN), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        if self.seen == self.period {
            self.value += self.weight * (value - self.value);
            return Some(self.value);
        }
        self.seen += 1;
        self.value += value;
        if self.seen == self.period {
            self.value /= f64::from(self.period);
        }
        self.value()
    }

    /// The newest average.
    ///
    /// ```
    /// # use candlewick_operators::{Ema};
    /// let mut ema = Ema::new(2)?;
    /// for x in [1.0, 3.0] {
    ///     ema.update(x);
    /// }
    /// assert_eq!(ema.value(), Some(2.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.seen == self.period).then_some(self.value)
    }

    /// How many values come before the first average.
    ///
    /// ```
    /// # use candlewick_operators::{Ema};
    /// assert_eq!(Ema::new(3)?.lookback(), 2);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.period as usize - 1
    }
}
