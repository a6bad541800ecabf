//! What a model says about itself, in JSON beside its weights. Owns the format; must not know files or training.

use candlewick_operators::FeatureSet;
use serde::{Deserialize, Serialize};

use super::{InputSpec, Scaling, Score, TrainConfig};
use crate::ModelError;

/// The manifest of a model.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let manifest = model.manifest();
/// assert_eq!(manifest.format, Manifest::FORMAT);
/// assert_eq!(manifest.feature_names, ["log_return"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    pub format: u32,
    /// The model's version: a hash of everything that its predictions depend on.
    pub version: super::ModelVersion,
    /// The version of the code that trained it.
    pub code_version: String,
    /// The network.
    pub architecture: Architecture,
    /// What a window consists of.
    pub input: InputSpec,
    /// The features' names, for readers.
    pub feature_names: Vec<String>,
    /// The fingerprint of the features and of how they are computed, in hexadecimal.
    pub feature_fingerprint: String,
    /// How features are scaled.
    pub scaling: Scaling,
    /// What is predicted.
    pub target: Target,
    /// What it was trained on.
    pub training: Training,
    /// How it did on the validation part, which chose when to stop.
    pub validation: Score,
    /// The file with the weights.
    pub weights: WeightsFile,
}

/// The network of a model.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let network: &Architecture = &model.manifest().architecture;
/// assert_eq!((network.kind.as_str(), network.hidden), ("lstm", 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The kind of network: `lstm`.
    pub kind: String,
    /// Stacked layers: 1.
    pub layers: usize,
    /// Units of a layer.
    pub hidden: usize,
    /// Whether each prediction starts from a zero state over one window, rather than carrying its state on for ever.
    pub windowed: bool,
    /// How the head's numbers become quantiles: `rising_softplus`.
    pub head: String,
}

impl Architecture {
    pub(super) fn lstm(hidden: usize) -> Self {
        Self { kind: "lstm".into(), layers: 1, hidden, windowed: true, head: "rising_softplus".into() }
    }
}

/// What a model predicts.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let target: &Target = &model.manifest().target;
/// assert_eq!((target.kind.as_str(), target.horizon_ms), ("log_return", 60_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The quantity: `log_return`, of the close.
    pub kind: String,
    /// Over how many candles.
    pub horizon: u32,
    /// Over how many milliseconds.
    pub horizon_ms: i64,
    /// The levels of the quantiles, rising.
    pub quantiles: Vec<f64>,
    /// The deviation of the target over the part learned from: the network predicts in units of it.
    pub scale: f32,
    /// The target's own quantiles over the part learned from: the naive band.
    pub naive_quantiles: Vec<f64>,
}

impl Target {
    /// Fits scale and naive quantiles over the targets learned from.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // counts of candles, 32-bit scale
    pub(super) fn fit(config: &TrainConfig, targets: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = targets.collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len().max(1) as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|target| (target - mean).powi(2)).sum::<f64>() / count;
        let scale = variance.sqrt() as f32;
        Self {
            kind: "log_return".into(),
            horizon: config.horizon,
            horizon_ms: config.horizon_ms(),
            quantiles: config.quantiles.clone(),
            scale: if scale > 1e-12 { scale } else { 1.0 },
            naive_quantiles: config.quantiles.iter().map(|level| quantile(&sorted, *level)).collect(),
        }
    }
}

/// The quantile of sorted values, between neighbours in proportion; 0 of none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = level * last as f64;
    let below = (at as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// What a model was trained on.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let training: &Training = &model.manifest().training;
/// assert_eq!(training.symbols, ["BTC-USD"]);
/// assert!(training.windows > training.validation_windows);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Whose candles.
    pub symbols: Vec<String>,
    /// When the first window's last candle starts, in Unix milliseconds.
    pub from_ms: i64,
    /// When the last candle that training or validation saw starts, in Unix milliseconds.
    pub to_ms: i64,
    /// Windows learned from.
    pub windows: usize,
    /// Windows that decided when to stop.
    pub validation_windows: usize,
    /// The pass with the best validation loss.
    pub epochs: u32,
    /// Every setting, the seed among them.
    pub config: TrainConfig,
}

/// The file with the weights.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let weights: &WeightsFile = &model.manifest().weights;
/// assert_eq!(weights.file, format!("weights-{}.safetensors", model.version()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// Its name, in the manifest's folder.
    pub file: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The version of the format that this code writes and reads.
    pub const FORMAT: u32 = 1;
    /// The manifest's name in a model's folder.
    pub const FILE: &'static str = "manifest.json";

    /// The fingerprint as it stands in a manifest.
    pub(super) fn fingerprint(features: &FeatureSet) -> String {
        format!("{:016x}", features.fingerprint())
    }

    /// Whether this code computes what the model was trained for.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let differs = |what: &str, model: &dyn std::fmt::Display, wanted: &dyn std::fmt::Display| {
            let (model, wanted) = (model.to_string(), wanted.to_string());
            if model == wanted { Ok(()) } else { Err(ModelError::mismatch(what, model, wanted)) }
        };
        let (ours, theirs) = (Architecture::lstm(self.architecture.hidden), &self.architecture);
        differs("format", &self.format, &Self::FORMAT)?;
        differs("kind of network", &theirs.kind, &ours.kind)?;
        differs("number of layers", &theirs.layers, &ours.layers)?;
        differs("windowed state", &theirs.windowed, &ours.windowed)?;
        differs("head", &theirs.head, &ours.head)?;
        differs("predicted quantity", &self.target.kind, &"log_return")?;
        differs("feature list", &self.feature_names.join(", "), &self.input.features.names().join(", "))?;
        let fingerprint = Self::fingerprint(&self.input.features);
        differs("feature computation (fingerprint)", &self.feature_fingerprint, &fingerprint)?;
        let settings = &self.training.config;
        let trained = TrainConfig { hidden: theirs.hidden, ..settings.clone() };
        trained.check()?;
        differs("number of hidden units", &theirs.hidden, &settings.hidden)?;
        differs("horizon in ms", &self.target.horizon_ms, &settings.horizon_ms())?;
        differs("list of quantiles", &listed(&self.target.quantiles), &listed(&settings.quantiles))?;
        check_inputs(&self.input, &settings.input())?;
        let naive = self.target.naive_quantiles.len();
        differs("number of naive quantiles", &naive, &self.target.quantiles.len())?;
        let (scale, count) = (self.target.scale, self.input.features.len());
        if !(scale.is_finite() && scale > 0.0) {
            return Err(ModelError::mismatch("target scale", scale, "a number above zero"));
        }
        if !self.scaling.is_of(count) {
            let wanted = format!("{count} finite means and positive deviations");
            return Err(ModelError::mismatch("scaling", format!("{:?}", self.scaling), wanted));
        }
        Ok(())
    }
}

fn listed(values: &[f64]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether two inputs are the same; else the first difference, in words.
pub(super) fn check_inputs(model: &InputSpec, wanted: &InputSpec) -> Result<(), ModelError> {
    if model.interval != wanted.interval {
        return Err(ModelError::mismatch("candle interval", model.interval, wanted.interval));
    }
    if model.features != wanted.features {
        let (ours, theirs) = (wanted.features.names().join(", "), model.features.names().join(", "));
        return Err(ModelError::mismatch("feature list", theirs, ours));
    }
    if model.window != wanted.window {
        return Err(ModelError::mismatch("window length", model.window, wanted.window));
    }
    if model.carry_max != wanted.carry_max {
        let what = "number of missing candles to carry over";
        return Err(ModelError::mismatch(what, model.carry_max, wanted.carry_max));
    }
    Ok(())
}
