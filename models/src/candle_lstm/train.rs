//! Training: windows in order of time, a purged validation part that decides when to stop, one seed behind every random
//! choice. Owns the loop; must not know files, streams or where candles come from.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::evaluate::{pinball, predicted};
use super::features::{Dataset, Sample};
use super::kernel::Dims;
use super::manifest::Target;
use super::network::{Network, pinball_loss};
use super::quantile_head::raw_of;
use super::split::purged;
use super::weights::Weights;
use super::{Model, Predictor, Scaling, Score, Series, TrainConfig};
use crate::{ModelError, Progress};

/// A model just trained.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// let trained: Trained = train(&series, &config, &Progress::hidden())?;
/// assert_eq!(trained.model.manifest().validation, trained.validation);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Trained {
    /// The model; its manifest says how it came to be.
    pub model: Model,
    /// How it did on the validation part. That part chose when to stop, so this flatters the model: what it is worth is
    /// said by [`walk_forward`](crate::walk_forward) and [`evaluate`](crate::evaluate).
    pub validation: Score,
}

/// Trains a model on closed candles.
///
/// The same candles, settings and seed give the same weights, bit for bit, on the same kind of processor. It runs in the
/// calling thread.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// let features = FeatureSet::new([Feature::LogReturn])?;
/// let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// let model = train(&series, &config, &Progress::hidden())?.model;
/// assert_eq!(model.manifest().training.epochs, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When a setting is out of range, candles are out of order or too few, or the training diverges.
pub fn train(series: &[Series], config: &TrainConfig, progress: &Progress) -> Result<Trained, ModelError> {
    config.check()?;
    let dataset = Dataset::new(series, &config.input(), config.horizon)?;
    let fitted = fit(&dataset, &dataset.samples, config, "training", progress)?;
    let validation = fitted.score(&dataset, fitted.validation, config, "validation");
    let model = Model::new(series, &dataset, &fitted, config, validation.clone());
    Ok(Trained { model, validation })
}

/// What a training comes to, before it is a model.
pub(super) struct Fitted<'a> {
    pub(super) weights: Weights,
    pub(super) scaling: Scaling,
    pub(super) target: Target,
    pub(super) epochs: u32,
    pub(super) learned: &'a [Sample],
    pub(super) validation: &'a [Sample],
}

impl Fitted<'_> {
    pub(super) fn predictor(&self, steps: usize) -> Predictor {
        Predictor::new(&self.weights, steps, self.scaling.clone(), self.target.scale)
    }

    pub(super) fn score(
        &self,
        dataset: &Dataset,
        samples: &[Sample],
        config: &TrainConfig,
        part: &str,
    ) -> Score {
        let predictor = self.predictor(dataset.steps);
        Score::new(part, &predictor, dataset, samples, &self.target, config.interval)
    }
}

/// The fewest windows to learn from, or to validate on.
const WINDOWS_MIN: usize = 16;

/// Trains on `samples`, the last part of which decides when to stop.
pub(super) fn fit<'a>(
    dataset: &Dataset,
    samples: &'a [Sample],
    config: &TrainConfig,
    what: &str,
    progress: &Progress,
) -> Result<Fitted<'a>, ModelError> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let cut = ((1.0 - config.validation_share) * samples.len() as f64) as usize;
    let (learned, validation) = purged(samples, cut, config.purge_ms());
    for (part, found) in
        [("the part to learn from", learned.len()), ("the validation part", validation.len())]
    {
        if found < WINDOWS_MIN {
            return Err(ModelError::TooFewCandles { part, needed: WINDOWS_MIN, found });
        }
    }
    let scaling = Scaling::fit(dataset.width, learned.iter().map(|sample| dataset.last_vector(sample)));
    let target = Target::fit(config, learned.iter().map(|sample| sample.target));
    let start: Vec<f32> =
        target.naive_quantiles.iter().map(|quantile| narrow(*quantile) / target.scale).collect();
    let dims = Dims { inputs: dataset.width, hidden: config.hidden };
    let weights = Weights::seeded(dims, raw_of(&start), config.seed);
    let mut fitted = Fitted { weights, scaling, target, epochs: 0, learned, validation };
    descend(&mut fitted, dataset, config, what, progress)?;
    Ok(fitted)
}

/// Passes over the learned part until the validation loss no longer falls; leaves the best weights.
fn descend(
    fitted: &mut Fitted<'_>,
    dataset: &Dataset,
    config: &TrainConfig,
    what: &str,
    progress: &Progress,
) -> Result<(), ModelError> {
    let mut descent = Descent::new(fitted, dataset, config)?;
    let mut order: Vec<Sample> = fitted.learned.to_vec();
    // Weights and order draw from the same seed on streams of their own.
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream(1);
    progress.start(what, config.epochs_max as usize * order.len().div_ceil(config.batch));
    let mut candidate = fitted.weights.clone();
    let (mut best, mut worse) = (f64::INFINITY, 0);
    for epoch in 1..=config.epochs_max {
        order.shuffle(&mut random);
        for batch in order.chunks(config.batch) {
            descent.step(batch, &fitted.scaling, fitted.target.scale)?;
            progress.step();
        }
        candidate.read_from(&descent.variables)?;
        let loss = validation_loss(&candidate, fitted, dataset);
        if !loss.is_finite() {
            return Err(ModelError::Diverged { epoch });
        }
        tracing::debug!(epoch, loss, "validated");
        progress.say(format!("epoch {epoch}, validation loss {loss:.4}"));
        if loss < best {
            (best, worse) = (loss, 0);
            fitted.weights.clone_from(&candidate);
            fitted.epochs = epoch;
        } else {
            worse += 1;
            if worse >= config.patience {
                break;
            }
        }
    }
    progress.finish();
    Ok(())
}

/// The pinball loss over the validation part, in units of the target's deviation.
fn validation_loss(weights: &Weights, fitted: &Fitted<'_>, dataset: &Dataset) -> f64 {
    let predictor = Predictor::new(weights, dataset.steps, fitted.scaling.clone(), fitted.target.scale);
    let quantiles = predicted(&predictor, dataset, fitted.validation);
    pinball(&quantiles, fitted.validation, &fitted.target.quantiles) / f64::from(fitted.target.scale)
}

/// The network in training with its optimizer.
struct Descent<'a> {
    dataset: &'a Dataset,
    network: Network,
    variables: Vec<Var>,
    optimizer: AdamW,
    levels: Tensor,
    gradient_norm_max: f64,
    windows: Vec<f32>,
}

impl<'a> Descent<'a> {
    fn new(fitted: &Fitted<'_>, dataset: &'a Dataset, config: &TrainConfig) -> candle_core::Result<Self> {
        let (map, variables) = fitted.weights.variables()?;
        let builder = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let levels: Vec<f32> = config.quantiles.iter().map(|level| narrow(*level)).collect();
        let settings = ParamsAdamW {
            lr: config.learning_rate,
            weight_decay: config.weight_decay,
            ..ParamsAdamW::default()
        };
        Ok(Self {
            dataset,
            network: Network::new(&builder, fitted.weights.dims, levels.len())?,
            optimizer: AdamW::new(variables.clone(), settings)?,
            variables,
            levels: Tensor::from_vec(levels, (1, config.quantiles.len()), &Device::Cpu)?,
            gradient_norm_max: config.gradient_norm_max,
            windows: Vec::new(),
        })
    }

    fn step(&mut self, batch: &[Sample], scaling: &Scaling, target_scale: f32) -> candle_core::Result<()> {
        self.dataset.scaled_windows(batch, scaling, &mut self.windows);
        let shape = (batch.len(), self.dataset.steps, self.dataset.width);
        let windows = Tensor::from_slice(&self.windows, shape, &Device::Cpu)?;
        let targets: Vec<f32> = batch.iter().map(|sample| narrow(sample.target) / target_scale).collect();
        let targets = Tensor::from_vec(targets, (batch.len(), 1), &Device::Cpu)?;
        let loss = pinball_loss(&self.network.forward(&windows)?, &targets, &self.levels)?;
        let mut gradients = loss.backward()?;
        shorten(&mut gradients, &self.variables, self.gradient_norm_max)?;
        self.optimizer.step(&gradients)
    }
}

/// Scales all gradients down together when their common length is above `longest`.
fn shorten(gradients: &mut GradStore, variables: &[Var], longest: f64) -> candle_core::Result<()> {
    let mut squares = 0.0_f64;
    for gradient in variables.iter().filter_map(|variable| gradients.get(variable)) {
        squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let length = squares.sqrt();
    if length > longest {
        for variable in variables {
            if let Some(gradient) = gradients.remove(variable) {
                gradients.insert(variable, (gradient * (longest / length))?);
            }
        }
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation)] // the network computes in 32 bits
fn narrow(value: f64) -> f32 {
    value as f32
}
