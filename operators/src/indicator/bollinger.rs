//! Bollinger bands. Knows floats only.

use serde::{Deserialize, Serialize};

use super::rolling::Moments;
use super::{PeriodError, period};

/// What [`Bollinger`] answers.
///
/// ```
/// # use candlewick_operators::{Bollinger, BollingerBands};
/// let bands = BollingerBands { upper: 13.0, middle: 11.0, lower: 9.0 };
/// assert_eq!(bands.percent_b(bands.upper), 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BollingerBands {
    /// The mean plus the chosen number of standard deviations.
    pub upper: f64,
    /// The mean.
    pub middle: f64,
    /// The mean less as much.
    pub lower: f64,
}

impl BollingerBands {
    /// Where `price` stands: 0 at the lower band, 1 at the upper one, 0.5 when they meet.
    ///
    /// ```
    /// use candlewick_operators::BollingerBands;
    /// let bands = BollingerBands { upper: 14.0, middle: 12.0, lower: 10.0 };
    /// assert_eq!(bands.percent_b(13.0), 0.75);
    /// ```
    #[must_use]
    pub fn percent_b(&self, price: f64) -> f64 {
        let width = self.upper - self.lower;
        if width > 0.0 { (price - self.lower) / width } else { 0.5 }
    }
}

/// The mean of the last `period` prices with a band of `deviations` population standard deviations on either side
/// (TA-Lib `BBANDS` with a simple average).
///
/// ```
/// use candlewick_operators::Bollinger;
/// let mut bollinger = Bollinger::new(2, 2.0)?;
/// bollinger.update(10.0);
/// let bands = bollinger.update(12.0).expect("two prices");
/// assert_eq!((bands.lower, bands.middle, bands.upper), (9.0, 11.0, 13.0));
/// # Ok::<(), candlewick_operators::PeriodError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bollinger {
    moments: Moments,
    deviations: f64,
}

impl Bollinger {
    /// Bands over `period` prices, at least 2. Usual are 20 and 2.0.
    ///
    /// ```
    /// # use candlewick_operators::{Bollinger, BollingerBands};
    /// assert!(Bollinger::new(20, 2.0).is_ok());
    /// assert!(Bollinger::new(1, 2.0).is_err());
    /// ```
    ///
    /// # Errors
    /// When the period is out of range.
    pub fn new(period_: usize, deviations: f64) -> Result<Self, PeriodError> {
        Ok(Self { moments: Moments::new(period("Bollinger", period_, 2)?), deviations })
    }

    /// Takes the next price; refuses one that is not finite.
    ///
    /// ```
    /// # use candlewick_operators::{Bollinger, BollingerBands};
    /// let mut bollinger = Bollinger::new(2, 2.0)?;
    /// assert_eq!(bollinger.update(10.0), None);
    /// assert_eq!(bollinger.update(12.0), Some(BollingerBands { upper: 13.0, middle: 11.0, lower: 9.0 }));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[inline]
    pub fn update(&mut self, price: f64) -> Option<BollingerBands> {
        if !price.is_finite() {
            return None;
        }
        self.moments.push(price).map(|moments| self.bands(moments))
    }

    /// The newest bands.
    ///
    /// ```
    /// # use candlewick_operators::{Bollinger, BollingerBands};
    /// let mut bollinger = Bollinger::new(2, 2.0)?;
    /// bollinger.update(10.0);
    /// bollinger.update(12.0);
    /// assert_eq!(bollinger.value().map(|bands| bands.middle), Some(11.0));
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<BollingerBands> {
        self.moments.get().map(|moments| self.bands(moments))
    }

    /// How many prices come before the first bands.
    ///
    /// ```
    /// # use candlewick_operators::{Bollinger, BollingerBands};
    /// assert_eq!(Bollinger::new(20, 2.0)?.lookback(), 19);
    /// # Ok::<(), candlewick_operators::PeriodError>(())
    /// ```
    #[must_use]
    pub const fn lookback(&self) -> usize {
        self.moments.lookback()
    }

    fn bands(&self, (middle, variance): (f64, f64)) -> BollingerBands {
        let distance = self.deviations * variance.sqrt();
        BollingerBands { upper: middle + distance, middle, lower: middle - distance }
    }
}
