//! On-balance volume. Knows bars only.

use serde::{Deserialize, Serialize};

use super::Bar;

/// The sum of volumes, each added when the close rose, taken away when it fell; it starts with the first volume
/// (TA-Lib `OBV`).
///
/// ```
/// use candlewick_operators::{Bar, Obv};
/// let bar = |close, volume| Bar { open: close, high: close, low: close, close, volume };
/// let mut obv = Obv::new();
/// let bars = [bar(10.0, 5.0), bar(11.0, 2.0), bar(11.0, 9.0), bar(9.0, 3.0)];
/// assert_eq!(bars.map(|bar| obv.update(&bar)), [Some(5.0), Some(7.0), Some(7.0), Some(4.0)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Obv {
    /// The previous close and the sum.
    state: Option<(f64, f64)>,
}

impl Obv {
    /// Nothing added yet.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Obv};
    /// assert_eq!(Obv::new().value(), None);
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { state: None }
    }

    /// Takes the next bar; refuses one whose close or volume is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Obv};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// let mut obv = Obv::new();
    /// assert_eq!(obv.update(&bar(10.0, 5.0)), Some(5.0));
    /// assert_eq!(obv.update(&bar(9.0, 2.0)), Some(3.0));
    /// ```
    #[inline]
    pub fn update(&mut self, bar: &Bar) -> Option<f64> {
        if !(bar.close.is_finite() && bar.volume.is_finite()) {
            return None;
        }
        let sum = match self.state {
            None => bar.volume,
            Some((previous, sum)) if bar.close > previous => sum + bar.volume,
            Some((previous, sum)) if bar.close < previous => sum - bar.volume,
            Some((_, sum)) => sum,
        };
        self.state = Some((bar.close, sum));
        Some(sum)
    }

    /// The newest sum.
    ///
    /// ```
    /// # use candlewick_operators::{Bar, Obv};
    /// # let bar = |close: f64, volume: f64| Bar { open: close, high: close, low: close, close, volume };
    /// let mut obv = Obv::new();
    /// obv.update(&bar(10.0, 5.0));
    /// assert_eq!(obv.value(), Some(5.0));
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.state.map(|(_, sum)| sum)
    }
}
