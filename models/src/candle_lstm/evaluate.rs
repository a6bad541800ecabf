//! Evaluation beside the naive forecast. Owns the measures; must not know training.

use candlewick_operators::Interval;

use super::features::{Dataset, Sample};
use super::manifest::Target;
use super::report::Proportion;
use super::{Model, Predictor, Report, Score, Series};
use crate::ModelError;

/// Scores a model on candles, beside the naive forecast.
///
/// Candles from the model's training range are counted and named in the report.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let report = evaluate(&model, &series)?;
/// assert!(report.seen_in_training > 0, "these candles are those it learned from");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When candles are out of order, or give no window with a known outcome.
pub fn evaluate(model: &Model, series: &[Series]) -> Result<Report, ModelError> {
    let manifest = model.manifest();
    let dataset = Dataset::new(series, model.input(), manifest.target.horizon)?;
    if dataset.samples.is_empty() {
        return Err(ModelError::TooFewCandles { part: "the history to evaluate on", needed: 1, found: 0 });
    }
    let training = &manifest.training;
    let seen = |sample: &&Sample| (training.from_ms..=training.to_ms).contains(&sample.time.as_millis());
    let seen_in_training = dataset.samples.iter().filter(seen).count();
    let interval = model.input().interval;
    let score = Score::new("all", &model.predictor(), &dataset, &dataset.samples, &manifest.target, interval);
    Ok(Report { horizon_ms: manifest.target.horizon_ms, folds: vec![score], seen_in_training })
}

/// The quantiles of each sample, row after row.
pub(super) fn predicted(predictor: &Predictor, dataset: &Dataset, samples: &[Sample]) -> Vec<f64> {
    let mut quantiles = vec![0.0; samples.len() * predictor.quantiles()];
    let mut windows = Vec::new();
    for (samples, out) in samples.chunks(256).zip(quantiles.chunks_mut(256 * predictor.quantiles())) {
        windows.clear();
        samples.iter().for_each(|sample| windows.extend_from_slice(dataset.window(sample)));
        predictor.predict_batch(&windows, out);
    }
    quantiles
}

/// The mean pinball loss of rows of quantiles.
pub(super) fn pinball(quantiles: &[f64], samples: &[Sample], levels: &[f64]) -> f64 {
    mean(quantiles.chunks(levels.len()).zip(samples).flat_map(|(row, sample)| {
        row.iter().zip(levels).map(|(quantile, level)| {
            let error = sample.target - quantile;
            (level * error).max((level - 1.0) * error)
        })
    }))
}

impl Score {
    /// Scores `samples`, of which there must be one.
    pub(super) fn new(
        part: &str,
        predictor: &Predictor,
        dataset: &Dataset,
        samples: &[Sample],
        target: &Target,
        interval: Interval,
    ) -> Self {
        let levels = &target.quantiles;
        let quantiles = predicted(predictor, dataset, samples);
        let rows = || quantiles.chunks(levels.len()).zip(samples);
        let middle = levels.len() / 2;
        let error = mean(rows().map(|(row, sample)| (sample.target - row[middle]).abs()));
        let naive_error = mean(samples.iter().map(|sample| sample.target.abs()));
        let naive: Vec<f64> = samples.iter().flat_map(|_| target.naive_quantiles.iter().copied()).collect();
        // Overlapping horizons would count one move many times: only windows a horizon apart are trials.
        let apart = |sample: &Sample| {
            let candle = sample.time.as_millis().div_euclid(interval.as_millis());
            candle.rem_euclid(target.horizon.into()) == 0 && sample.target != 0.0
        };
        let trials = || rows().filter(|(_, sample)| apart(sample));
        let hits = trials().filter(|(row, sample)| row[middle] * sample.target > 0.0).count();
        let within = |row: &[f64], sample: &Sample| {
            let below = sample.target <= row[row.len() - 1];
            // The band of a single quantile is everything below it.
            f64::from(u8::from(below && (row.len() == 1 || sample.target >= row[0])))
        };
        let lowest = if levels.len() == 1 { 0.0 } else { levels[0] };
        Self {
            part: part.to_owned(),
            from_ms: samples.first().map_or(0, |sample| sample.time.as_millis()),
            to_ms: samples.last().map_or(0, |sample| sample.time.as_millis()),
            windows: samples.len(),
            mase: (naive_error > 0.0).then(|| error / naive_error),
            directional: Proportion::new(hits, trials().count()),
            pinball: pinball(&quantiles, samples, levels),
            naive_pinball: pinball(&naive, samples, levels),
            coverage: mean(rows().map(|(row, sample)| within(row, sample))),
            coverage_wanted: levels[levels.len() - 1] - lowest,
        }
    }
}

/// The mean; 0 of nothing.
#[allow(clippy::cast_precision_loss)] // counts of candles
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}
