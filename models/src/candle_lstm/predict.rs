//! Inference: windows in, quantiles out, on plain slices with weights packed once. Owns the serving arithmetic; must not
//! know candles, files or tensors.

use super::Scaling;
use super::kernel::{Dims, Tape, forward};
use super::quantile_head::quantiles_in_place;
use super::weights::Weights;

/// Computes a model's predictions. Made once by [`Model::predictor`](crate::Model::predictor) and shared freely.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// # let model = train(&series, &config, &Progress::hidden())?.model;
/// let predictor: Predictor = model.predictor();
/// let (mut one, mut two) = ([0.0; 3], [0.0; 6]);
/// predictor.predict_batch(&[0.01, -0.01], &mut one);
/// predictor.predict_batch(&[0.02, 0.0, 0.01, -0.01], &mut two);
/// assert_eq!(one, two[3..], "whatever stands beside it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Predictor {
    dims: Dims,
    steps: usize,
    packed: Vec<f32>,
    head: Vec<f32>,
    bias: Vec<f32>,
    scaling: Scaling,
    target_scale: f32,
}

impl Predictor {
    /// Windows that go through the layer together: enough to fill the multiply units, few enough for the first cache.
    const ROWS: usize = 16;

    pub(super) fn new(weights: &Weights, steps: usize, scaling: Scaling, target_scale: f32) -> Self {
        let (head, bias) = weights.head();
        Self {
            dims: weights.dims,
            steps,
            packed: weights.packed(),
            head: head.to_vec(),
            bias: bias.to_vec(),
            scaling,
            target_scale,
        }
    }

    /// Numbers of a window: steps × features.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// assert_eq!(model.predictor().window_len(), model.input().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn window_len(&self) -> usize {
        self.steps * self.dims.inputs
    }

    /// How many quantiles a prediction has.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// assert_eq!(model.predictor().quantiles(), config.quantiles.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn quantiles(&self) -> usize {
        self.bias.len()
    }

    /// Predicts for each window (rows × steps × features, unscaled, as [`CandleWindow::window`] gives them) the quantiles
    /// of the log return over the horizon, into `out` (rows × quantiles), rising in each row.
    ///
    /// A row's result does not depend on the rows beside it: a batch and its rows one by one give the same bits.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// let predictor = model.predictor();
    /// let (windows, mut out) = (vec![0.0; 4 * predictor.window_len()], vec![0.0; 4 * predictor.quantiles()]);
    /// predictor.predict_batch(&windows, &mut out);
    /// assert!(out.chunks(predictor.quantiles()).all(<[f64]>::is_sorted));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When `windows` is not a whole number of windows, or `out` has not as many rows.
    ///
    /// [`CandleWindow::window`]: crate::CandleWindow::window
    pub fn predict_batch(&self, windows: &[f32], out: &mut [f64]) {
        assert!(
            windows.len().is_multiple_of(self.window_len()),
            "windows have {} numbers",
            self.window_len()
        );
        let rows = windows.len() / self.window_len();
        assert_eq!(out.len(), rows * self.quantiles(), "one row of quantiles per window");
        let mut scaled = Vec::with_capacity(rows.min(Self::ROWS) * self.window_len());
        let (windows, out) =
            (windows.chunks(Self::ROWS * self.window_len()), out.chunks_mut(Self::ROWS * self.quantiles()));
        for (windows, out) in windows.zip(out) {
            scaled.clear();
            self.scaling.apply(windows, &mut scaled);
            self.predict_scaled(&scaled, out);
        }
    }

    fn predict_scaled(&self, scaled: &[f32], out: &mut [f64]) {
        let rows = out.len() / self.quantiles();
        let mut tape = Tape::new(self.dims, rows, 1);
        let mut last = vec![0.0; rows * self.dims.hidden];
        forward(self.dims, &self.packed, scaled, self.steps, &mut tape, &mut last);
        let mut raw = vec![0.0_f32; self.quantiles()];
        for (hidden, out) in last.chunks(self.dims.hidden).zip(out.chunks_mut(self.quantiles())) {
            for ((raw, bias), weights) in
                raw.iter_mut().zip(&self.bias).zip(self.head.chunks(self.dims.hidden))
            {
                *raw = hidden.iter().zip(weights).fold(*bias, |sum, (value, weight)| sum + value * weight);
            }
            quantiles_in_place(&mut raw);
            for (out, quantile) in out.iter_mut().zip(&raw) {
                *out = f64::from(quantile * self.target_scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../../tests/data/pytorch_lstm.safetensors");

    fn numbers(name: &str) -> (Vec<usize>, Vec<f32>) {
        let tensors = SafeTensors::deserialize(GOLDEN).expect("written by PyTorch's safetensors");
        let tensor = tensors.tensor(name).expect("in the golden file");
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        (tensor.shape().to_vec(), tensor.data().chunks_exact(4).map(number).collect())
    }

    /// The numbers are PyTorch's (`torch.nn.LSTM` and `torch.nn.Linear`), made by `dev/golden.py`.
    #[test]
    fn predictions_equal_pytorchs_for_the_same_weights() {
        let (shape, windows) = numbers("windows");
        let ([rows, steps, inputs], (_, wanted)) =
            (shape[..].try_into().expect("3 axes"), numbers("quantiles"));
        let (head, _) = numbers("head.weight");
        let dims = Dims { inputs, hidden: head[1] };
        let weights = Weights::from_bytes(GOLDEN, dims, head[0]).expect("PyTorch's names and shapes");
        let scaling = Scaling { mean: vec![0.0; inputs], deviation: vec![1.0; inputs], clip: 100.0 };
        let mut quantiles = vec![0.0; rows * head[0]];
        Predictor::new(&weights, steps, scaling, 1.0).predict_batch(&windows, &mut quantiles);
        let error = quantiles.iter().zip(&wanted).map(|(ours, theirs)| (ours - f64::from(*theirs)).abs());
        let largest = error.fold(0.0, f64::max);
        assert!(largest < 1e-5, "largest difference {largest:e}");
        println!("largest difference {largest:e} in {} quantiles up to {wanted:?}", wanted.len());
    }
}
