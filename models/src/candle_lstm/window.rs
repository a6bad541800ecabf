//! The state of one instrument between its candles: the running features and the last vectors. Owns what a gap between
//! candles means, in training and in serving; must not know weights or scaling.

use candlewick::{DefaultSerde, Timestamp};
use candlewick_operators::{Candle, Decimal, FeatureState, StateSerde};
use serde::{Deserialize, Serialize};

use super::InputSpec;

/// Reads candles one after the other and hands out feature vectors: the one way from candles to a model's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct VectorReader {
    features: FeatureState,
    interval_ms: i64,
    carry_max: u32,
    /// Start and close of the newest candle.
    newest: Option<(i64, Decimal)>,
    /// Candles to come before a vector has forgotten what was before the last gap.
    settling: u32,
}

/// What a candle brought.
pub(super) enum Step<'a> {
    /// Too many candles are missing before it: what follows has nothing to do with what was.
    Break,
    /// The next feature vector.
    Vector(&'a [f32]),
}

impl VectorReader {
    pub(super) fn new(input: &InputSpec) -> Self {
        Self {
            features: FeatureState::new(&input.features),
            interval_ms: input.interval.as_millis(),
            carry_max: input.carry_max,
            newest: None,
            settling: 0,
        }
    }

    /// Takes the closed candle that starts at `start`. Whether it was taken: one that is not later than the newest, or
    /// that has no price, is not.
    pub(super) fn push(&mut self, start: Timestamp, candle: &Candle, mut each: impl FnMut(Step<'_>)) -> bool {
        let start = start.as_millis();
        if !candle.low.is_positive() || self.newest.is_some_and(|(newest, _)| start <= newest) {
            return false;
        }
        if let Some((newest, close)) = self.newest {
            // Candles start at multiples of the interval; one that does not counts as its window's.
            let missing = (start.saturating_sub(newest) / self.interval_ms).saturating_sub(1).max(0);
            if missing > i64::from(self.carry_max) {
                self.settling = u32::try_from(self.features.warm_up()).unwrap_or(u32::MAX);
                each(Step::Break);
            } else {
                let quiet = Candle::carried(close);
                (0..missing).for_each(|_| self.take(&quiet, &mut each));
            }
        }
        self.newest = Some((start, candle.close));
        self.take(candle, &mut each);
        true
    }

    fn take(&mut self, candle: &Candle, each: &mut impl FnMut(Step<'_>)) {
        let vector = self.features.update(candle);
        if self.settling > 0 {
            self.settling -= 1;
        } else if let Some(vector) = vector {
            each(Step::Vector(vector));
        }
    }

    pub(super) const fn newest(&self) -> Option<(i64, Decimal)> {
        self.newest
    }
}

/// What a model needs to remember of one instrument: the running features and the window of their last vectors.
///
/// Some four kilobytes with the standard features (the window's vectors and the rolling sums), kept in a store by
/// [`StateSerde`] (its default serde). A state that was written and read goes on bit-identically.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_models::{CandleWindow, TrainConfig};
/// use candlewick_operators::{Candle, Decimal, Feature, FeatureSet};
/// let features = FeatureSet::new([Feature::LogReturn])?;
/// let input = TrainConfig { features, window: 2, ..TrainConfig::default() }.input();
/// let mut window = CandleWindow::new(&input);
/// let candle = Candle::carried(Decimal::from_int(100));
/// let ready: Vec<bool> = (0..4).map(|i| window.push(Timestamp(i * 60_000), &candle)).collect();
/// assert_eq!(ready, [false, false, true, true]);
/// assert_eq!(window.window(), [0.0, 0.0]);
/// # Ok::<(), candlewick_operators::FeatureError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandleWindow {
    reader: VectorReader,
    steps: usize,
    width: usize,
    /// The last vectors, oldest first; at most `steps` × `width` numbers.
    vectors: Vec<f32>,
}

impl CandleWindow {
    /// The state before the first candle.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// assert!(CandleWindow::new(&input).window().is_empty());
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn new(input: &InputSpec) -> Self {
        let (steps, width) = (input.window, input.features.len());
        Self { reader: VectorReader::new(input), steps, width, vectors: Vec::with_capacity(steps * width) }
    }

    /// Takes the closed candle that starts at `start`. Whether the window is complete up to this candle, so that a
    /// prediction can be made.
    ///
    /// A candle that is not later than the newest, or that has no price, changes nothing and gives `false`. Missing
    /// candles before it are read as candles at the last close, up to [`InputSpec::carry_max`] of them; after more, the
    /// window starts again.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// let mut window = CandleWindow::new(&input);
    /// let candle = Candle::carried(Decimal::from_int(100));
    /// assert!(!window.push(Timestamp(0), &candle));
    /// assert!(window.push(Timestamp(60_000), &candle), "two steps");
    /// assert!(!window.push(Timestamp(60_000), &candle), "the same one again");
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    pub fn push(&mut self, start: Timestamp, candle: &Candle) -> bool {
        let Self { reader, steps, width, vectors } = self;
        let full = *steps * *width;
        let taken = reader.push(start, candle, |step| match step {
            Step::Break => vectors.clear(),
            Step::Vector(vector) => {
                if vectors.len() == full {
                    vectors.copy_within(*width.., 0);
                    vectors.truncate(full - *width);
                }
                vectors.extend_from_slice(vector);
            }
        });
        taken && self.vectors.len() == full
    }

    /// The vectors, oldest first: the model's input, when [`push`](Self::push) said that it is complete.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// let mut window = CandleWindow::new(&input);
    /// let candle = Candle::carried(Decimal::from_int(100));
    /// window.push(Timestamp(0), &candle);
    /// // Its range is nothing.
    /// assert_eq!(window.window(), [0.0]);
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn window(&self) -> &[f32] {
        &self.vectors
    }

    /// When the newest candle starts; [`Timestamp::UNKNOWN`] before the first.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// let mut window = CandleWindow::new(&input);
    /// assert_eq!(window.newest_start(), Timestamp::UNKNOWN);
    /// window.push(Timestamp(60_000), &Candle::carried(Decimal::from_int(100)));
    /// assert_eq!(window.newest_start(), Timestamp(60_000));
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn newest_start(&self) -> Timestamp {
        self.reader.newest().map_or(Timestamp::UNKNOWN, |(start, _)| Timestamp(start))
    }

    /// The close of the newest candle; zero before the first.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// let mut window = CandleWindow::new(&input);
    /// window.push(Timestamp(60_000), &Candle::carried(Decimal::from_int(100)));
    /// assert_eq!(window.newest_close(), Decimal::from_int(100));
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn newest_close(&self) -> Decimal {
        self.reader.newest().map_or(Decimal::ZERO, |(_, close)| close)
    }

    /// Whether this state, perhaps read from a store, is one of a model with this input. One that is not must be
    /// started again by [`new`](Self::new).
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::{CandleWindow, TrainConfig}, candlewick_operators::{Candle, Decimal, Feature, FeatureSet}};
    /// # let input = TrainConfig { features: FeatureSet::new([Feature::Range])?, window: 2, ..TrainConfig::default() }.input();
    /// let window = CandleWindow::new(&input);
    /// assert!(window.fits(&input));
    /// assert!(!window.fits(&TrainConfig::default().input()));
    /// # Ok::<(), candlewick_operators::FeatureError>(())
    /// ```
    #[must_use]
    pub fn fits(&self, input: &InputSpec) -> bool {
        self.reader.features.fingerprint() == input.features.fingerprint()
            && self.reader.interval_ms == input.interval.as_millis()
            && self.reader.carry_max == input.carry_max
            && (self.steps, self.width) == (input.window, input.features.len())
            && self.vectors.len() <= self.steps * self.width
            && self.vectors.len().is_multiple_of(self.width)
    }
}

impl DefaultSerde for CandleWindow {
    type Serde = StateSerde;

    fn default_serde() -> StateSerde {
        StateSerde
    }
}
