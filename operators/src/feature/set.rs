//! What a feature vector consists of: the features in their order, with their parameters, names and fingerprint. Knows
//! no candle.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FeatureState;
use crate::PeriodError;

/// One number of a feature vector, computed from closed candles.
///
/// All are free of the price level: ratios, shares and standardized values, so that one model can serve any instrument.
///
/// ```
/// use candlewick_operators::Feature;
/// assert_eq!(Feature::MacdHistogram { fast: 12, slow: 26, signal: 9 }.to_string(), "macd_histogram_12_26_9");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "feature", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Feature {
    /// ln(close / previous close).
    LogReturn,
    /// ln(high / low).
    Range,
    /// Where the close stands between low (0) and high (1); 0.5 when they meet.
    ClosePosition,
    /// The share of the volume that takers bought, from 0 to 1; 0.5 without volume.
    TakerBuyShare,
    /// ln(1 + volume), standardized by mean and population deviation of the last `period` candles; 0 when all are equal.
    VolumeZ {
        /// Candles in the window.
        period: u16,
    },
    /// ln(1 + number of trades), standardized in the same way.
    TradesZ {
        /// Candles in the window.
        period: u16,
    },
    /// RSI / 100, from 0 to 1.
    Rsi {
        /// Moves averaged.
        period: u16,
    },
    /// The MACD histogram / close.
    MacdHistogram {
        /// Period of the fast average.
        fast: u16,
        /// Period of the slow average.
        slow: u16,
        /// Period of the signal.
        signal: u16,
    },
    /// Bollinger's %b with bands of two deviations: 0 at the lower band, 1 at the upper one.
    PercentB {
        /// Candles in the window.
        period: u16,
    },
    /// ATR / close.
    Atr {
        /// Ranges averaged.
        period: u16,
    },
    /// Rate of change as a fraction (0.01 is one percent).
    Roc {
        /// Steps back.
        period: u16,
    },
    /// Standard deviation (divisor n) of the last log returns.
    Volatility {
        /// Returns in the window.
        period: u16,
    },
    /// ln(close / rolling VWAP): how far the price is from what was paid of late; 0 when nothing was traded.
    VwapDistance {
        /// Candles in the window.
        period: u16,
    },
}

impl fmt::Display for Feature {
    /// The feature's name with its parameters, such as `rsi_14`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogReturn => f.write_str("log_return"),
            Self::Range => f.write_str("range"),
            Self::ClosePosition => f.write_str("close_position"),
            Self::TakerBuyShare => f.write_str("taker_buy_share"),
            Self::VolumeZ { period } => write!(f, "volume_z_{period}"),
            Self::TradesZ { period } => write!(f, "trades_z_{period}"),
            Self::Rsi { period } => write!(f, "rsi_{period}"),
            Self::MacdHistogram { fast, slow, signal } => write!(f, "macd_histogram_{fast}_{slow}_{signal}"),
            Self::PercentB { period } => write!(f, "percent_b_{period}"),
            Self::Atr { period } => write!(f, "atr_{period}"),
            Self::Roc { period } => write!(f, "roc_{period}"),
            Self::Volatility { period } => write!(f, "volatility_{period}"),
            Self::VwapDistance { period } => write!(f, "vwap_distance_{period}"),
        }
    }
}

/// Why features do not make a set.
///
/// ```
/// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
/// let error = FeatureSet::new([Feature::Range, Feature::Range]).expect_err("named twice");
/// assert_eq!(error, FeatureError::Twice { feature: Feature::Range });
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A parameter is out of range.
    #[error("the feature {feature} cannot be computed: {source}")]
    Period {
        /// Which.
        feature: Feature,
        /// Why.
        source: PeriodError,
    },
    /// The same feature stands twice.
    #[error("the feature {feature} stands twice in the set: name each once")]
    Twice {
        /// Which.
        feature: Feature,
    },
    /// There is none.
    #[error("a feature set needs at least one feature")]
    Empty,
}

/// The features of a model in the order of its inputs. Kept in the model's manifest.
///
/// ```
/// use candlewick_operators::{Feature, FeatureSet};
/// let set = FeatureSet::new([Feature::LogReturn, Feature::Rsi { period: 14 }])?;
/// assert_eq!(set.names(), ["log_return", "rsi_14"]);
/// assert_eq!(set.warm_up(), 14);
/// assert_ne!(set.fingerprint(), FeatureSet::standard().fingerprint());
/// # Ok::<(), candlewick_operators::FeatureError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Feature>", into = "Vec<Feature>")]
pub struct FeatureSet {
    features: Vec<Feature>,
}

impl FeatureSet {
    /// The version of the computation: raised when a feature's numbers change, so that the fingerprint changes too.
    const VERSION: u32 = 1;

    /// A set of these features, in this order.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert!(FeatureSet::new([Feature::LogReturn, Feature::Rsi { period: 14 }]).is_ok());
    /// assert_eq!(FeatureSet::new([]), Err(FeatureError::Empty));
    /// ```
    ///
    /// # Errors
    /// When there is none, one stands twice, or a parameter is out of range.
    pub fn new(features: impl IntoIterator<Item = Feature>) -> Result<Self, FeatureError> {
        let set = Self { features: features.into_iter().collect() };
        if set.features.is_empty() {
            return Err(FeatureError::Empty);
        }
        for (at, feature) in set.features.iter().enumerate() {
            if set.features[..at].contains(feature) {
                return Err(FeatureError::Twice { feature: *feature });
            }
        }
        FeatureState::try_new(&set).map(|_| set)
    }

    /// The thirteen features of the reference model.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert_eq!(FeatureSet::standard().len(), 13);
    /// ```
    #[must_use]
    pub fn standard() -> Self {
        Self {
            features: vec![
                Feature::LogReturn,
                Feature::Range,
                Feature::ClosePosition,
                Feature::TakerBuyShare,
                Feature::VolumeZ { period: 30 },
                Feature::TradesZ { period: 30 },
                Feature::Rsi { period: 14 },
                Feature::MacdHistogram { fast: 12, slow: 26, signal: 9 },
                Feature::PercentB { period: 20 },
                Feature::Atr { period: 14 },
                Feature::Roc { period: 10 },
                Feature::Volatility { period: 30 },
                Feature::VwapDistance { period: 30 },
            ],
        }
    }

    /// The features, in order.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert_eq!(FeatureSet::new([Feature::Range])?.features(), [Feature::Range]);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How many numbers a vector has.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert_eq!(FeatureSet::new([Feature::Range, Feature::LogReturn])?.len(), 2);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Never: a set has at least one feature.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert!(!FeatureSet::standard().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The names of the numbers, in order.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert_eq!(FeatureSet::new([Feature::Range, Feature::Atr { period: 14 }])?.names(), ["range", "atr_14"]);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.features.iter().map(ToString::to_string).collect()
    }

    /// How many candles come before the first vector.
    ///
    /// ```
    /// # use candlewick_operators::{Feature, FeatureError, FeatureSet};
    /// assert_eq!(FeatureSet::new([Feature::Range, Feature::Rsi { period: 14 }])?.warm_up(), 14);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn warm_up(&self) -> usize {
        FeatureState::new(self).warm_up()
    }

    /// A number that is equal only for the same features in the same order with the same parameters, computed in the
    /// same way: FNV-1a of the version and the names. It is the same on every machine.
    ///
    /// ```
    /// use candlewick_operators::{Feature, FeatureSet};
    /// let one = FeatureSet::new([Feature::LogReturn, Feature::Range])?;
    /// let other = FeatureSet::new([Feature::Range, Feature::LogReturn])?;
    /// assert_ne!(one.fingerprint(), other.fingerprint());
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let text = format!("{}:{}", Self::VERSION, self.names().join(","));
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

impl TryFrom<Vec<Feature>> for FeatureSet {
    type Error = FeatureError;

    fn try_from(features: Vec<Feature>) -> Result<Self, FeatureError> {
        Self::new(features)
    }
}

impl From<FeatureSet> for Vec<Feature> {
    fn from(set: FeatureSet) -> Self {
        set.features
    }
}
