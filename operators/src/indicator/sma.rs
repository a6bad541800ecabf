//! Simple moving average. Knows floats only.

use serde::{Deserialize, Serialize};

use super::rolling::RollingSum;
use super::{PeriodError, period};

/// The mean of the last `period` values (TA-Lib `SMA`).
///
/// ```
/// use candlewick_operators::Sma;
/// let mut sma = Sma::new(3)?;
/// assert_eq!([1.0, 2.0, 3.0, 7.0].map(|x| sma.update(x)), [None, None, Some(2.0), Some(4.0)]);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sma {
    sum: RollingSum,
}

impl Sma {
    /// An average over `period` values, at least 1.
    ///
    /// ```
    /// # use candlewick_operators::{Sma};
    /// assert!(Sma::new(2).is_ok());
    /// assert!(Sma::new(0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        Ok(Self { sum: RollingSum::new(period("SMA", period_, 1)?) })
    }

    /// Takes the next value; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Sma};
    /// let mut sma = Sma::new(2)?;
    /// assert_eq!(sma.update(1.0), None);
    /// assert_eq!(sma.update(3.0), Some(2.0));
    /// assert_eq!(sma.update(f64::NAN), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        self.sum.push(value).map(|sum| sum / self.sum.period())
    }

    /// The newest average.
    ///
    /// ```
    /// # use candlewick_operators::{Sma};
    /// let mut sma = Sma::new(2)?;
    /// for x in [1.0, 3.0] {
    ///     sma.update(x);
    /// }
    /// assert_eq!(sma.value(), Some(2.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.sum.sum().map(|sum| sum / self.sum.period())
    }

    /// How many values come before the first average.
    ///
    /// ```
    /// # use candlewick_operators::{Sma};
    /// assert_eq!(Sma::new(3)?.lookback(), 2);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.sum.lookback()
    }
}
