//! Rate of change. Knows floats only.

use serde::{Deserialize, Serialize};

use super::rolling::Ring;
use super::{PeriodError, period};

/// The change against the price `period` prices ago, in percent (TA-Lib `ROC`); 0 when that price is zero.
///
/// ```
/// use candlewick_operators::Roc;
/// let mut roc = Roc::new(2)?;
/// assert_eq!([10.0, 11.0, 15.0].map(|x| roc.update(x)), [None, None, Some(50.0)]);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roc {
    ring: Ring,
    value: Option<f64>,
}

impl Roc {
    /// The change over `period` steps, at least 1.
    ///
    /// ```
    /// # use candlewick_operators::{Roc};
    /// assert!(Roc::new(1).is_ok());
    /// assert!(Roc::new(0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize) -> Result<Self, PeriodError> {
        Ok(Self { ring: Ring::new(period("ROC", period_, 1)?), value: None })
    }

    /// Takes the next price; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Roc};
    /// let mut roc = Roc::new(1)?;
    /// assert_eq!(roc.update(10.0), None);
    /// assert_eq!(roc.update(15.0), Some(50.0));
    /// assert_eq!(roc.update(f64::NAN), None);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, price: f64) -> Option<f64> {
        if !price.is_finite() {
            return None;
        }
        let old = self.ring.push(price)?;
        self.value = Some(if old == 0.0 { 0.0 } else { (price / old - 1.0) * 100.0 });
        self.value
    }

    /// The newest change, in percent.
    ///
    /// ```
    /// # use candlewick_operators::{Roc};
    /// let mut roc = Roc::new(1)?;
    /// for x in [10.0, 15.0] {
    ///     roc.update(x);
    /// }
    /// assert_eq!(roc.value(), Some(50.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        self.value
    }

    /// How many prices come before the first change.
    ///
    /// ```
    /// # use candlewick_operators::{Roc};
    /// assert_eq!(Roc::new(10)?.lookback(), 10);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.ring.capacity() as usize
    }
}
