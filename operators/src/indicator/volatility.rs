//! Rolling volatility. Knows floats only.

use serde::{Deserialize, Serialize};

use super::rolling::Moments;
use super::{PeriodError, period};

/// The population standard deviation (divisor n, as TA-Lib `STDDEV`) of the last `period` logarithmic returns, per step:
/// not annualized.
///
/// ```
/// use candlewick_operators::Volatility;
/// let mut volatility = Volatility::new(2)?;
/// let last = [1.0, 2.0, 1.0].map(|x| volatility.update(x))[2].expect("two returns");
/// assert!((last - 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volatility {
    previous: Option<f64>,
    moments: Moments,
}

impl Volatility {
    /// The deviation of `period` returns, at least 2.
    ///
    /// ```
    /// # use candlewick_operators::{Volatility};
    /// assert!(Volatility::new(2).is_ok());
    /// assert!(Volatility::new(1).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        Ok(Self { previous: None, moments: Moments::new(period("volatility", period_, 2)?) })
    }

    /// Takes the next price; refuses one that is not finite or not above zero.
    ///
    /// ```
    /// # use candlewick_operators::{Volatility};
    /// let mut volatility = Volatility::new(2)?;
    /// assert_eq!(volatility.update(1.0), None);
    /// assert_eq!(volatility.update(1.0), None);
    /// assert_eq!(volatility.update(1.0), Some(0.0));
    /// assert_eq!(volatility.update(0.0), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, price: f64) -> Option<f64> {
        if !(price.is_finite() && price > 0.0) {
            return None;
        }
        let previous = self.previous.replace(price)?;
        self.moments.push((price / previous).ln()).map(|(_, variance)| variance.sqrt())
    }

    /// The newest deviation.
    ///
    /// ```
    /// # use candlewick_operators::{Volatility};
    /// let mut volatility = Volatility::new(2)?;
    /// for x in [1.0, 1.0, 1.0] {
    ///     volatility.update(x);
    /// }
    /// assert_eq!(volatility.value(), Some(0.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.moments.get().map(|(_, variance)| variance.sqrt())
    }

    /// How many prices come before the first deviation.
    ///
    /// ```
    /// # use candlewick_operators::{Volatility};
    /// assert_eq!(Volatility::new(30)?.lookback(), 30);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.moments.lookback() + 1
    }
}
