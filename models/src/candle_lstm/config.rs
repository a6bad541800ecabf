//! What a model sees and how it is trained: the settings and their limits. Knows features and intervals; runs nothing.

use candlewick_operators::{FeatureSet, Interval};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// What a window of a model consists of. Training and serving read candles by it, so it stands in the manifest.
///
/// ```
/// use candlewick_models::TrainConfig;
/// let input = TrainConfig { window: 16, ..TrainConfig::default() }.input();
/// assert_eq!((input.interval.to_string().as_str(), input.window), ("1m", 16));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The length of the candles.
    pub interval: Interval,
    /// The numbers of a step, in order.
    pub features: FeatureSet,
    /// Steps of a window: how many feature vectors the model sees.
    pub window: usize,
    /// How many missing candles in a row are read as candles at the last close; after more, the window starts again.
    pub carry_max: u32,
}

impl InputSpec {
    /// Numbers of a whole window.
    ///
    /// ```
    /// use candlewick_models::TrainConfig;
    /// let input = TrainConfig::default().input();
    /// assert_eq!(input.len(), input.window * input.features.len());
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.window * self.features.len()
    }

    /// Never: a window has at least one number.
    ///
    /// ```
    /// assert!(!candlewick_models::TrainConfig::default().input().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a model is trained. Read from TOML or JSON, unknown keys are errors.
///
/// ```
/// use candlewick_models::TrainConfig;
/// let config = TrainConfig { horizon: 15, seed: 3, ..TrainConfig::default() };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// The length of the candles.
    pub interval: Interval,
    /// How many candles ahead the predicted return ends.
    pub horizon: u32,
    /// The numbers of a step.
    pub features: FeatureSet,
    /// Steps of a window.
    pub window: usize,
    /// Missing candles that are read as candles at the last close; see [`InputSpec::carry_max`].
    pub carry_max: u32,
    /// Units of the LSTM layer.
    pub hidden: usize,
    /// Levels of the predicted quantiles, rising, each between 0 and 1.
    pub quantiles: Vec<f64>,
    /// Where every random choice comes from: the same seed and candles give the same weights, bit for bit.
    pub seed: u64,
    /// Windows per step of the optimizer.
    pub batch: usize,
    /// The most passes over the windows.
    pub epochs_max: u32,
    /// Passes without a better validation loss before training stops.
    pub patience: u32,
    /// The optimizer's (AdamW) step size.
    pub learning_rate: f64,
    /// The optimizer's decay of weights.
    pub weight_decay: f64,
    /// The longest gradient that is taken as it is; longer ones are shortened to it.
    pub gradient_norm_max: f64,
    /// The share of the windows, the latest ones, that decides when to stop.
    pub validation_share: f64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            interval: Interval::MINUTE,
            horizon: 5,
            features: FeatureSet::standard(),
            window: 32,
            carry_max: 5,
            hidden: 32,
            quantiles: vec![0.1, 0.5, 0.9],
            seed: 1,
            batch: 64,
            epochs_max: 20,
            patience: 4,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            gradient_norm_max: 1.0,
            validation_share: 0.15,
        }
    }
}

/// A fraction that is neither nothing nor all.
fn is_share(value: f64) -> bool {
    value > 0.0 && value < 1.0
}

impl TrainConfig {
    /// What the trained model will see.
    ///
    /// ```
    /// let config = candlewick_models::TrainConfig::default();
    /// assert_eq!(config.input().features, config.features);
    /// ```
    #[must_use]
    pub fn input(&self) -> InputSpec {
        InputSpec {
            interval: self.interval,
            features: self.features.clone(),
            window: self.window,
            carry_max: self.carry_max,
        }
    }

    /// The time from a prediction to what it predicts, in milliseconds.
    ///
    /// ```
    /// let config = candlewick_models::TrainConfig { horizon: 15, ..Default::default() };
    /// assert_eq!(config.horizon_ms(), 15 * 60_000);
    /// ```
    #[must_use]
    pub fn horizon_ms(&self) -> i64 {
        self.interval.as_millis().saturating_mul(self.horizon.into())
    }

    /// The time that must lie between the last window learned from and the first one tested on, in milliseconds: horizon
    /// plus window.
    ///
    /// ```
    /// let config = candlewick_models::TrainConfig { horizon: 15, window: 32, ..Default::default() };
    /// assert_eq!(config.purge_ms(), (15 + 32) * 60_000);
    /// ```
    #[must_use]
    pub fn purge_ms(&self) -> i64 {
        let window = i64::try_from(self.window).unwrap_or(i64::MAX);
        self.interval.as_millis().saturating_mul(window).saturating_add(self.horizon_ms())
    }

    /// Whether every setting is in range.
    ///
    /// ```
    /// use candlewick_models::{ModelError, TrainConfig};
    /// let config = TrainConfig { horizon: 0, ..TrainConfig::default() };
    /// assert!(matches!(config.check(), Err(ModelError::Setting { setting: "horizon", .. })));
    /// ```
    ///
    /// # Errors
    /// Names the first one that is not.
    pub fn check(&self) -> Result<(), ModelError> {
        let levels = &self.quantiles;
        let rising = !levels.is_empty()
            && levels.len() <= 64
            && levels.iter().all(|level| is_share(*level))
            && levels.windows(2).all(|pair| pair[0] < pair[1]);
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let checks: [(&'static str, bool, String, &'static str); 10] = [
            ("horizon", self.horizon > 0, self.horizon.to_string(), "at least 1"),
            ("window", (1..=4_096).contains(&self.window), self.window.to_string(), "from 1 to 4096"),
            ("hidden", (1..=1_024).contains(&self.hidden), self.hidden.to_string(), "from 1 to 1024"),
            ("quantiles", rising, format!("{levels:?}"), "1 to 64 rising levels between 0 and 1"),
            ("batch", (1..=65_536).contains(&self.batch), self.batch.to_string(), "from 1 to 65536"),
            ("epochs_max", self.epochs_max > 0, self.epochs_max.to_string(), "at least 1"),
            ("learning_rate", positive(self.learning_rate), self.learning_rate.to_string(), "above 0"),
            (
                "weight_decay",
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                self.weight_decay.to_string(),
                "0 or more",
            ),
            (
                "gradient_norm_max",
                self.gradient_norm_max > 0.0,
                self.gradient_norm_max.to_string(),
                "above 0",
            ),
            (
                "validation_share",
                is_share(self.validation_share),
                self.validation_share.to_string(),
                "between 0 and 1",
            ),
        ];
        match checks.into_iter().find(|(_, holds, ..)| !holds) {
            Some((setting, _, given, wanted)) => Err(ModelError::Setting { setting, given, wanted }),
            None => Ok(()),
        }
    }
}
