//! Walk-forward evaluation: train on the past, test on what follows, again and again. Owns the folds; must not know
//! networks.

use serde::{Deserialize, Serialize};

use super::features::Dataset;
use super::split::purged;
use super::train::fit;
use super::{Report, Series, TrainConfig};
use crate::{ModelError, Progress};

/// How a history is cut into folds.
///
/// ```
/// assert_eq!(candlewick_models::FoldPlan::default().folds, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldPlan {
    /// How many: the history is cut into one part more, and each part but the first is tested by a model of all before it.
    pub folds: usize,
}

impl Default for FoldPlan {
    fn default() -> Self {
        Self { folds: 5 }
    }
}

/// Trains and tests fold by fold. Between the part learned from and the part tested lies a purge of horizon plus window;
/// scaling is fitted and training stopped within the part learned from.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..400).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// let report = walk_forward(&series, &config, FoldPlan { folds: 2 }, &Progress::hidden())?;
/// assert_eq!((report.folds.len(), report.seen_in_training), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`train`](crate::train), for any fold.
pub fn walk_forward(
    series: &[Series],
    config: &TrainConfig,
    plan: FoldPlan,
    progress: &Progress,
) -> Result<Report, ModelError> {
    config.check()?;
    if plan.folds == 0 {
        return Err(ModelError::Setting { setting: "folds", given: "0".to_owned(), wanted: "at least 1" });
    }
    let dataset = Dataset::new(series, &config.input(), config.horizon)?;
    let samples = &dataset.samples;
    // A fold starts with the first window of its time, so that no time lies in two folds.
    let start_of = |part: usize| match samples.get(samples.len() * part / (plan.folds + 1)) {
        Some(first) => samples.partition_point(|sample| sample.time < first.time),
        None => samples.len(),
    };
    let mut folds = Vec::with_capacity(plan.folds);
    for fold in 1..=plan.folds {
        let name = format!("fold {fold}");
        let (past, _) = purged(samples, start_of(fold), config.purge_ms());
        let tested = &samples[start_of(fold)..start_of(fold + 1)];
        if tested.is_empty() {
            return Err(ModelError::TooFewCandles { part: "a fold to test on", needed: 1, found: 0 });
        }
        let fitted = fit(&dataset, past, config, &name, progress)?;
        folds.push(fitted.score(&dataset, tested, config, &name));
    }
    Ok(Report { horizon_ms: config.horizon_ms(), folds, seen_in_training: 0 })
}
