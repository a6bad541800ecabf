//! How features and targets are brought to a common size. Owns the fit and its application; knows numbers only.

use serde::{Deserialize, Serialize};

/// Mean and deviation of each feature over the training part, and how far a scaled feature may go.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let scaling: &Scaling = &model.manifest().scaling;
/// assert_eq!(scaling.mean.len(), model.input().features.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Of each feature, in order.
    pub mean: Vec<f32>,
    /// Of each feature, in order; 1 where the training part shows no variation.
    pub deviation: Vec<f32>,
    /// Scaled features are cut off at plus and minus this many deviations.
    pub clip: f32,
}

impl Scaling {
    const CLIP: f32 = 8.0;

    /// Fits `width` features over vectors; there must be at least one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // the network computes in 32 bits
    pub(super) fn fit<'a>(width: usize, vectors: impl Iterator<Item = &'a [f32]> + Clone) -> Self {
        let mut mean = vec![0.0_f64; width];
        let mut variance = vec![0.0_f64; width];
        let mut count = 0_usize;
        for vector in vectors.clone() {
            count += 1;
            mean.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        mean.iter_mut().for_each(|sum| *sum /= count as f64);
        for vector in vectors {
            for ((sum, mean), value) in variance.iter_mut().zip(&mean).zip(vector) {
                *sum += (f64::from(*value) - mean).powi(2);
            }
        }
        let deviation = |sum: &f64| {
            let deviation = (sum / count as f64).sqrt() as f32;
            if deviation > 1e-12 { deviation } else { 1.0 }
        };
        Self {
            deviation: variance.iter().map(deviation).collect(),
            mean: mean.into_iter().map(|mean| mean as f32).collect(),
            clip: Self::CLIP,
        }
    }

    /// Appends the scaled numbers of whole vectors to `out`.
    pub(super) fn apply(&self, vectors: &[f32], out: &mut Vec<f32>) {
        for vector in vectors.chunks_exact(self.mean.len()) {
            out.extend(
                vector.iter().zip(&self.mean).zip(&self.deviation).map(|((value, mean), deviation)| {
                    ((value - mean) / deviation).clamp(-self.clip, self.clip)
                }),
            );
        }
    }

    /// Whether it is one of `width` features, with numbers that can be used.
    pub(super) fn is_of(&self, width: usize) -> bool {
        self.mean.len() == width
            && self.deviation.len() == width
            && self.mean.iter().all(|mean| mean.is_finite())
            && self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0)
            && self.clip > 0.0
    }
}
