//! From candles to what a network learns from: feature vectors, the windows over them and their targets, in order of
//! time. Owns which windows exist and what they predict; must not know networks or splits.

use std::collections::{BTreeMap, VecDeque};

use candlewick::Timestamp;
use candlewick_operators::{ClosedCandle, Symbol};

use super::window::{Step, VectorReader};
use super::{InputSpec, Scaling};
use crate::ModelError;

/// The closed candles of one instrument, in order of time.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_models::Series;
/// use candlewick_operators::{Candle, ClosedCandle, Decimal};
/// let candle = Candle::carried(Decimal::from_int(100));
/// let candles = (0..3).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle }).collect();
/// let series = Series { symbol: "BTC-USD".into(), candles };
/// assert!(series.candles.is_sorted_by_key(|closed| closed.start));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Whose candles.
    pub symbol: Symbol,
    /// The candles, each later than the one before it.
    pub candles: Vec<ClosedCandle>,
}

impl Series {
    /// Sorts candles in any order, as a topic or a file brings them, into series: one per symbol, by name. Of several
    /// candles with one start the last to come stands.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// use candlewick_models::Series;
    /// use candlewick_operators::{Candle, ClosedCandle, Decimal};
    /// let closed = |minute: i64, close| ClosedCandle {
    ///     start: Timestamp(minute * 60_000),
    ///     candle: Candle::carried(Decimal::from_int(close)),
    /// };
    /// let series = Series::grouped([
    ///     ("B".into(), closed(2, 7)),
    ///     ("A".into(), closed(0, 1)),
    ///     ("B".into(), closed(1, 5)),
    ///     ("B".into(), closed(2, 8)),
    /// ]);
    /// assert_eq!((series[0].symbol.as_str(), series[1].symbol.as_str()), ("A", "B"));
    /// assert_eq!(series[1].candles, [closed(1, 5), closed(2, 8)]);
    /// ```
    #[must_use]
    pub fn grouped(candles: impl IntoIterator<Item = (Symbol, ClosedCandle)>) -> Vec<Self> {
        let mut groups: BTreeMap<Symbol, BTreeMap<Timestamp, ClosedCandle>> = BTreeMap::new();
        for (symbol, closed) in candles {
            groups.entry(symbol).or_default().insert(closed.start, closed);
        }
        let series = |(symbol, candles): (Symbol, BTreeMap<_, _>)| Self {
            symbol,
            candles: candles.into_values().collect(),
        };
        groups.into_iter().map(series).collect()
    }
}

/// A window with what came after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// When the window's last candle starts.
    pub(super) time: Timestamp,
    /// The number of the vector that the window ends with.
    pub(super) last_vector: usize,
    /// ln(close a horizon later / close).
    pub(super) target: f64,
}

/// All windows of some series.
#[derive(Debug)]
pub(super) struct Dataset {
    pub(super) width: usize,
    pub(super) steps: usize,
    /// All feature vectors, unscaled, run after run.
    vectors: Vec<f32>,
    /// In order of time; of equal times, in order of the series.
    pub(super) samples: Vec<Sample>,
}

impl Dataset {
    /// Reads every series; a horizon is `horizon` candles.
    pub(super) fn new(series: &[Series], input: &InputSpec, horizon: u32) -> Result<Self, ModelError> {
        let mut dataset = Self {
            width: input.features.len(),
            steps: input.window,
            vectors: Vec::new(),
            samples: Vec::new(),
        };
        let horizon_ms = input.interval.as_millis().saturating_mul(horizon.into());
        for series in series {
            dataset.read(series, input, horizon_ms)?;
        }
        dataset.samples.sort_by_key(|sample| sample.time);
        Ok(dataset)
    }

    fn read(&mut self, series: &Series, input: &InputSpec, horizon_ms: i64) -> Result<(), ModelError> {
        let mut reader = VectorReader::new(input);
        // Complete windows that wait for the candle a horizon later, with their closes.
        let mut waiting: VecDeque<(i64, usize, f64)> = VecDeque::new();
        let (mut in_run, mut last_close, mut last_start) = (0_usize, f64::NAN, None);
        for ClosedCandle { start, candle } in &series.candles {
            if last_start.is_some_and(|last| *start <= last) {
                let symbol = series.symbol.to_string();
                return Err(ModelError::Order { symbol, time: start.as_millis() });
            }
            last_start = Some(*start);
            let (vectors, mut broken) = (&mut self.vectors, false);
            let taken = reader.push(*start, candle, |step| match step {
                Step::Break => (in_run, broken) = (0, true),
                Step::Vector(vector) => {
                    vectors.extend_from_slice(vector);
                    in_run += 1;
                }
            });
            if !taken {
                continue;
            }
            if broken {
                waiting.clear();
            }
            let close = candle.close.to_f64();
            while let Some(&(time, last_vector, then)) = waiting.front() {
                let due = time.saturating_add(horizon_ms);
                if start.as_millis() < due {
                    break;
                }
                // Where no candle starts when the horizon ends, the price is the last one known then.
                let now = if start.as_millis() == due { close } else { last_close };
                self.samples.push(Sample { time: Timestamp(time), last_vector, target: (now / then).ln() });
                waiting.pop_front();
            }
            last_close = close;
            if in_run >= self.steps {
                waiting.push_back((start.as_millis(), self.vectors.len() / self.width - 1, close));
            }
        }
        Ok(())
    }

    /// The unscaled vectors of a sample's window, oldest first.
    pub(super) fn window(&self, sample: &Sample) -> &[f32] {
        let end = (sample.last_vector + 1) * self.width;
        &self.vectors[end - self.steps * self.width..end]
    }

    /// The unscaled vector of a sample's last candle.
    pub(super) fn last_vector(&self, sample: &Sample) -> &[f32] {
        &self.vectors[sample.last_vector * self.width..][..self.width]
    }

    /// The windows of `samples` one after the other, scaled.
    pub(super) fn scaled_windows(&self, samples: &[Sample], scaling: &Scaling, out: &mut Vec<f32>) {
        out.clear();
        for sample in samples {
            scaling.apply(self.window(sample), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use candlewick_operators::{Candle, Decimal, Feature, FeatureSet};

    use super::super::{CandleWindow, TrainConfig};
    use super::*;

    fn closed(minute: i64, close: i64) -> ClosedCandle {
        let candle = Candle::carried(Decimal::from_int(close));
        ClosedCandle { start: Timestamp(minute * 60_000), candle }
    }

    fn input() -> InputSpec {
        let features =
            FeatureSet::new([Feature::LogReturn, Feature::Roc { period: 2 }]).expect("two features");
        TrainConfig { features, window: 3, carry_max: 2, ..TrainConfig::default() }.input()
    }

    /// Minutes with short and long gaps, and closes that tell them apart.
    fn gappy() -> Series {
        let minutes = (0..20).chain(22..40).chain(42..60).chain(61..64).chain(70..90);
        let candles = minutes.map(|minute| closed(minute, 1_000 + minute * 37 % 101)).collect();
        Series { symbol: "BTC-USD".into(), candles }
    }

    #[test]
    fn training_windows_are_the_serving_windows_bit_for_bit() {
        let series = gappy();
        let dataset = Dataset::new(std::slice::from_ref(&series), &input(), 1).expect("in order");
        let mut window = CandleWindow::new(&input());
        let mut served = Vec::new();
        for ClosedCandle { start, candle } in &series.candles {
            if window.push(*start, candle) {
                served.push((*start, window.window().to_vec()));
            }
        }
        assert!(dataset.samples.len() > 40);
        for sample in &dataset.samples {
            let (_, window) = served.iter().find(|(start, _)| *start == sample.time).expect("served too");
            assert_eq!(dataset.window(sample), window);
        }
        // Only windows whose outcome a gap or the end hides are served and not learned from.
        assert_eq!(served.len() - dataset.samples.len(), 2);
    }

    #[test]
    fn target_is_the_return_to_the_last_close_known_a_horizon_later() {
        let series = gappy();
        for horizon in [1, 2, 5] {
            let dataset = Dataset::new(std::slice::from_ref(&series), &input(), horizon).expect("in order");
            let close_at = |time: i64| {
                let known = series.candles.iter().rev().find(|closed| closed.start.as_millis() <= time);
                known.expect("a candle before").candle.close.to_f64()
            };
            for sample in &dataset.samples {
                let time = sample.time.as_millis();
                let later = close_at(time + i64::from(horizon) * 60_000);
                assert_eq!(sample.target, (later / close_at(time)).ln());
                // The gap from minute 63 to 70 is too long for an outcome across it.
                assert!(time + i64::from(horizon) * 60_000 <= 63 * 60_000 || time >= 70 * 60_000);
            }
        }
    }
}
