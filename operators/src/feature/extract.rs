//! Candles in, feature vectors out. Owns the state behind each feature; knows indicators and candles.

use serde::{Deserialize, Serialize};

use super::{Feature, FeatureError, FeatureSet};
use crate::indicator::Moments;
use crate::{Atr, Bar, Bollinger, Candle, Macd, PeriodError, Roc, RollingVwap, Rsi, Volatility};

/// The running computation of a [`FeatureSet`] over the candles of one instrument.
///
/// The same candles give the same vectors, bit for bit, in training and in serving, and across a restart by
/// [`StateSerde`](crate::StateSerde).
///
/// ```
/// use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
/// let set = FeatureSet::new([Feature::LogReturn, Feature::ClosePosition])?;
/// let mut state = FeatureState::new(&set);
/// let candle = |close| Candle::carried(Decimal::from_int(close));
/// assert_eq!(state.update(&candle(100)), None);
/// assert_eq!(state.update(&candle(100)), Some(&[0.0, 0.5][..]));
/// # Ok::<(), candlewick_operators::FeatureError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureState {
    fingerprint: u64,
    extractors: Vec<Extractor>,
    vector: Vec<f32>,
    warm: bool,
}

impl FeatureState {
    /// The state before the first candle.
    ///
    /// ```
    /// # use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
    /// assert_eq!(FeatureState::new(&FeatureSet::standard()).value(), None);
    /// ```
    #[must_use]
    pub fn new(set: &FeatureSet) -> Self {
        Self::try_new(set).expect("a feature set has checked its parameters")
    }

    pub(super) fn try_new(set: &FeatureSet) -> Result<Self, FeatureError> {
        let extractor = |feature: &Feature| {
            Extractor::new(*feature).map_err(|source| FeatureError::Period { feature: *feature, source })
        };
        let extractors = set.features().iter().map(extractor).collect::<Result<_, _>>()?;
        Ok(Self { fingerprint: set.fingerprint(), extractors, vector: vec![0.0; set.len()], warm: false })
    }

    /// The fingerprint of the set that this state computes: a state read from a store fits a model only when it is the
    /// model's.
    ///
    /// ```
    /// # use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
    /// let set = FeatureSet::standard();
    /// assert_eq!(FeatureState::new(&set).fingerprint(), set.fingerprint());
    /// ```
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Takes the next closed candle; its vector, once every feature has seen enough candles.
    ///
    /// The empty candle ([`Candle::is_empty`]), and one with a price that is not above zero, is refused: the answer is
    /// `None` and the state stays as it was.
    ///
    /// ```
    /// # use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
    /// let mut state = FeatureState::new(&FeatureSet::new([Feature::ClosePosition])?);
    /// assert_eq!(state.update(&Candle::carried(Decimal::from_int(100))), Some(&[0.5][..]));
    /// assert_eq!(state.update(&Candle::default()), None);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    pub fn update(&mut self, candle: &Candle) -> Option<&[f32]> {
        if !candle.low.is_positive() {
            return None;
        }
        let bar = Bar::from(candle);
        self.warm = true;
        for (extractor, number) in self.extractors.iter_mut().zip(&mut self.vector) {
            match extractor.update(candle, &bar) {
                Some(value) => *number = narrowed(value),
                None => self.warm = false,
            }
        }
        self.value()
    }

    /// The newest vector.
    ///
    /// ```
    /// # use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
    /// let mut state = FeatureState::new(&FeatureSet::new([Feature::Range])?);
    /// state.update(&Candle::carried(Decimal::from_int(100)));
    /// assert_eq!(state.value(), Some(&[0.0][..]));
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<&[f32]> {
        self.warm.then_some(&self.vector)
    }

    /// How many candles come before the first vector.
    ///
    /// ```
    /// # use candlewick_operators::{Candle, Decimal, Feature, FeatureSet, FeatureState};
    /// assert_eq!(FeatureState::new(&FeatureSet::new([Feature::Roc { period: 10 }])?).warm_up(), 10);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn warm_up(&self) -> usize {
        self.extractors.iter().map(Extractor::lookback).max().unwrap_or(0)
    }
}

#[allow(clippy::cast_possible_truncation)] // models compute in 32 bits
fn narrowed(value: f64) -> f32 {
    value as f32
}

/// The state of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Extractor {
    LogReturn { previous: Option<f64> },
    Range,
    ClosePosition,
    TakerBuyShare,
    VolumeZ(Moments),
    TradesZ(Moments),
    Rsi(Rsi),
    MacdHistogram(Macd),
    PercentB(Bollinger),
    Atr(Atr),
    Roc(Roc),
    Volatility(Volatility),
    VwapDistance(RollingVwap, u32),
}

impl Extractor {
    fn new(feature: Feature) -> Result<Self, PeriodError> {
        let window = |period: u16| Moments::of("a standardized feature", usize::from(period));
        Ok(match feature {
            Feature::LogReturn => Self::LogReturn { previous: None },
            Feature::Range => Self::Range,
            Feature::ClosePosition => Self::ClosePosition,
            Feature::TakerBuyShare => Self::TakerBuyShare,
            Feature::VolumeZ { period } => Self::VolumeZ(window(period)?),
            Feature::TradesZ { period } => Self::TradesZ(window(period)?),
            Feature::Rsi { period } => Self::Rsi(Rsi::new(period.into())?),
            Feature::MacdHistogram { fast, slow, signal } => {
                Self::MacdHistogram(Macd::new(fast.into(), slow.into(), signal.into())?)
            }
            Feature::PercentB { period } => Self::PercentB(Bollinger::new(period.into(), 2.0)?),
            Feature::Atr { period } => Self::Atr(Atr::new(period.into())?),
            Feature::Roc { period } => Self::Roc(Roc::new(period.into())?),
            Feature::Volatility { period } => Self::Volatility(Volatility::new(period.into())?),
            Feature::VwapDistance { period } => Self::VwapDistance(RollingVwap::new(period.into())?, 0),
        })
    }

    fn update(&mut self, candle: &Candle, bar: &Bar) -> Option<f64> {
        match self {
            Self::LogReturn { previous } => {
                previous.replace(bar.close).map(|previous| (bar.close / previous).ln())
            }
            Self::Range => Some((bar.high / bar.low).ln()),
            Self::ClosePosition => {
                let range = bar.high - bar.low;
                Some(if range > 0.0 { (bar.close - bar.low) / range } else { 0.5 })
            }
            Self::TakerBuyShare => {
                let bought = candle.taker_buy_volume.to_f64();
                Some(if bar.volume > 0.0 { bought / bar.volume } else { 0.5 })
            }
            Self::VolumeZ(moments) => standardized(moments, bar.volume.ln_1p()),
            Self::TradesZ(moments) => standardized(moments, trades(candle).ln_1p()),
            Self::Rsi(rsi) => rsi.update(bar.close).map(|rsi| rsi / 100.0),
            Self::MacdHistogram(macd) => macd.update(bar.close).map(|macd| macd.histogram / bar.close),
            Self::PercentB(bollinger) => bollinger.update(bar.close).map(|bands| bands.percent_b(bar.close)),
            Self::Atr(atr) => atr.update(bar).map(|atr| atr / bar.close),
            Self::Roc(roc) => roc.update(bar.close).map(|percent| percent / 100.0),
            Self::Volatility(volatility) => volatility.update(bar.close),
            Self::VwapDistance(vwap, seen) => {
                let average = vwap.update(bar);
                *seen = seen.saturating_add(1);
                // A window without volume has no average, and so no distance from it; a short one has none yet.
                let warm = *seen as usize > vwap.lookback();
                warm.then(|| average.map_or(0.0, |average| (bar.close / average).ln()))
            }
        }
    }

    fn lookback(&self) -> usize {
        match self {
            Self::LogReturn { .. } => 1,
            Self::Range | Self::ClosePosition | Self::TakerBuyShare => 0,
            Self::VolumeZ(moments) | Self::TradesZ(moments) => moments.lookback(),
            Self::Rsi(rsi) => rsi.lookback(),
            Self::MacdHistogram(macd) => macd.lookback(),
            Self::PercentB(bollinger) => bollinger.lookback(),
            Self::Atr(atr) => atr.lookback(),
            Self::Roc(roc) => roc.lookback(),
            Self::Volatility(volatility) => volatility.lookback(),
            Self::VwapDistance(vwap, _) => vwap.lookback(),
        }
    }
}

#[allow(clippy::cast_precision_loss)] // beyond 2⁵³ trades a logarithm does not notice
fn trades(candle: &Candle) -> f64 {
    candle.trades as f64
}

fn standardized(moments: &mut Moments, value: f64) -> Option<f64> {
    let (mean, variance) = moments.push(value)?;
    Some(if variance > 0.0 { (value - mean) / variance.sqrt() } else { 0.0 })
}
