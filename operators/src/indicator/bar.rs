//! A candle as floats, for indicators that read more than the close. Knows the candle's numbers only.

use serde::{Deserialize, Serialize};

use crate::Candle;

/// Prices and volume of one candle as floats.
///
/// ```
/// use candlewick_operators::{Bar, Candle, Decimal};
/// let bar = Bar::from(&Candle::carried(Decimal::from_int(42)));
/// assert_eq!((bar.close, bar.volume, bar.typical_price()), (42.0, 0.0, 42.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Base units traded.
    pub volume: f64,
}

impl Bar {
    /// The mean of high, low and close.
    ///
    /// ```
    /// use candlewick_operators::Bar;
    /// let bar = Bar { open: 10.0, high: 13.0, low: 9.0, close: 11.0, volume: 1.0 };
    /// assert_eq!(bar.typical_price(), 11.0);
    /// ```
    #[must_use]
    pub fn typical_price(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    /// Whether every number is finite.
    ///
    /// ```
    /// use candlewick_operators::Bar;
    /// let bar = Bar { open: 10.0, high: f64::INFINITY, low: 9.0, close: 11.0, volume: 1.0 };
    /// assert!(!bar.is_finite());
    /// ```
    #[must_use]
    pub fn is_finite(&self) -> bool {
        [self.open, self.high, self.low, self.close, self.volume].iter().all(|number| number.is_finite())
    }
}

impl From<&Candle> for Bar {
    fn from(candle: &Candle) -> Self {
        Self {
            open: candle.open.to_f64(),
            high: candle.high.to_f64(),
            low: candle.low.to_f64(),
            close: candle.close.to_f64(),
            volume: candle.volume.to_f64(),
        }
    }
}
