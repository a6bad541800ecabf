//! Moving average convergence and divergence. Knows floats only.

use serde::{Deserialize, Serialize};

use super::{Ema, PeriodError, period};

/// What [`Macd`] answers.
///
/// ```
/// # use candlewick_operators::{Macd, MacdValue};
/// let has_risen = |macd: &MacdValue| macd.histogram > 0.0;
/// assert!(has_risen(&MacdValue { value: 2.0, signal: 1.5, histogram: 0.5 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MacdValue {
    /// The fast average less the slow one.
    pub value: f64,
    /// The moving average of that.
    pub signal: f64,
    /// The value less the signal.
    pub histogram: f64,
}

/// The distance of two exponential averages, and its own average (TA-Lib `MACD`). Both averages have their first value
/// at the slow one's: the fast one skips the prices before.
///
/// ```
/// use candlewick_operators::Macd;
/// let mut macd = Macd::new(12, 26, 9)?;
/// let last = (0..34).map(|x| macd.update(f64::from(x))).last().flatten().expect("34 prices");
/// assert!((last.value - 7.0).abs() < 1e-12 && last.histogram.abs() < 1e-12);
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Prices that the fast average still skips.
    skip: u32,
}

impl Macd {
    /// Averages of `fast` and `slow` prices, at least 2 and in this order, and of `signal` values, at least 1.
    /// Usual are 12, 26 and 9.
    ///
    /// ```
    /// # use candlewick_operators::{Macd, MacdValue};
    /// assert!(Macd::new(12, 26, 9).is_ok());
    /// assert!(Macd::new(26, 12, 9).is_err());
    /// ```
    ///
    /// # Errors
    /// When a period is out of range, or the fast one is not below the slow one.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Result<Self, PeriodError> {
        let (short, long) = (period("MACD", fast, 2)?, period("MACD", slow, 2)?);
        let rule = ", the fast one below the slow one";
        let skip = long.checked_sub(short).filter(|skip| *skip > 0).ok_or(PeriodError {
            indicator: "MACD",
            period: fast,
            least: 2,
            rule,
        })?;
        Ok(Self { fast: Ema::new(fast)?, slow: Ema::new(slow)?, signal: Ema::new(signal)?, skip })
    }

    /// Takes the next price; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Macd, MacdValue};
    /// let mut macd = Macd::new(2, 3, 1)?;
    /// assert_eq!([5.0, 5.0].map(|price| macd.update(price)), [None, None]);
    /// assert_eq!(macd.update(5.0), Some(MacdValue { value: 0.0, signal: 0.0, histogram: 0.0 }));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, price: f64) -> Option<MacdValue> {
        if !price.is_finite() {
            return None;
        }
        let fast = if self.skip == 0 {
            self.fast.update(price)
        } else {
            self.skip -= 1;
            None
        };
        let slow = self.slow.update(price);
        let value = fast? - slow?;
        let signal = self.signal.update(value)?;
        Some(MacdValue { value, signal, histogram: value - signal })
    }

    /// The newest value.
    ///
    /// ```
    /// # use candlewick_operators::{Macd, MacdValue};
    /// let mut macd = Macd::new(2, 3, 1)?;
    /// for price in [5.0, 5.0, 5.0] {
    ///     macd.update(price);
    /// }
    /// assert_eq!(macd.value().map(|macd| macd.histogram), Some(0.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<MacdValue> {
        let (value, signal) = (self.fast.value()? - self.slow.value()?, self.signal.value()?);
        Some(MacdValue { value, signal, histogram: value - signal })
    }

    /// How many prices come before the first value.
    ///
    /// ```
    /// # use candlewick_operators::{Macd, MacdValue};
    /// assert_eq!(Macd::new(12, 26, 9)?.lookback(), 33);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.slow.lookback() + self.signal.lookback()
    }
}
