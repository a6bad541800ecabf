//! What an evaluation says, and how it is printed: good or bad, fold by fold. Knows numbers only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a model did on some windows that it had not learned from, beside the naive forecast: the last price.
///
/// ```
/// # use candlewick_models::{Proportion, Report, Score};
/// # let score = Score { part: "all".to_owned(), from_ms: 0, to_ms: 60_000, windows: 100, mase: Some(0.98), directional: None, pinball: 0.9, naive_pinball: 1.0, coverage: 0.8, coverage_wanted: 0.8 };
/// let is_better = |score: &Score| score.mase.is_some_and(|mase| mase < 1.0);
/// // Of one whose error is 0.98 of the naive forecast's:
/// assert!(is_better(&score));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Which part of the history.
    pub part: String,
    /// When the first window's last candle starts, in Unix milliseconds.
    pub from_ms: i64,
    /// When the last window's last candle starts, in Unix milliseconds.
    pub to_ms: i64,
    /// How many windows.
    pub windows: usize,
    /// Mean absolute error of the middle quantile over that of "no change" on the same windows: below 1 beats the naive
    /// forecast. `None` when the price never moved.
    pub mase: Option<f64>,
    /// The share of moves whose direction the middle quantile had right, over windows a horizon apart; `None` without any.
    pub directional: Option<Proportion>,
    /// Mean pinball loss of the quantiles.
    pub pinball: f64,
    /// The same of the naive band: the quantiles of the returns in the part learned from, whatever the window shows.
    pub naive_pinball: f64,
    /// The share of returns between the lowest and the highest quantile.
    pub coverage: f64,
    /// What that share should be.
    pub coverage_wanted: f64,
}

/// A share of trials with its 95 % interval after Wilson.
///
/// ```
/// use candlewick_models::Proportion;
/// let is_a_coin = |directional: &Proportion| (directional.low..=directional.high).contains(&0.5);
/// assert!(is_a_coin(&Proportion { hits: 55, trials: 100, share: 0.55, low: 0.45, high: 0.64 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proportion {
    /// How many were right.
    pub hits: usize,
    /// Of how many.
    pub trials: usize,
    /// The share.
    pub share: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Proportion {
    /// The share of `hits` among `trials`; `None` without trials.
    #[allow(clippy::cast_precision_loss)] // counts of candles
    pub(super) fn new(hits: usize, trials: usize) -> Option<Self> {
        if trials == 0 {
            return None;
        }
        const Z: f64 = 1.959_963_984_540_054;
        let (n, share) = (trials as f64, hits as f64 / trials as f64);
        let denominator = 1.0 + Z * Z / n;
        let centre = (share + Z * Z / (2.0 * n)) / denominator;
        let half = Z / denominator * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some(Self { hits, trials, share, low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
    }
}

/// Scores part by part; [`Display`](fmt::Display) prints them as a table with a verdict.
///
/// ```
/// # use candlewick_models::{Proportion, Report, Score};
/// # let score = Score { part: "all".to_owned(), from_ms: 0, to_ms: 60_000, windows: 100, mase: Some(0.98), directional: None, pinball: 0.9, naive_pinball: 1.0, coverage: 0.8, coverage_wanted: 0.8 };
/// let report = Report { horizon_ms: 300_000, folds: vec![score], seen_in_training: 0 };
/// assert!(report.to_string().starts_with("Log return over the next 300 s"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The time from a prediction to what it predicts, in milliseconds.
    pub horizon_ms: i64,
    /// One score per fold, or a single one.
    pub folds: Vec<Score>,
    /// Windows that the model had learned from or chosen its stop by: figures over them flatter it.
    pub seen_in_training: usize,
}

impl Report {
    /// In how many folds the middle quantile's error is below the naive forecast's.
    ///
    /// ```
    /// # use candlewick_models::{Proportion, Report, Score};
    /// # let score = Score { part: "all".to_owned(), from_ms: 0, to_ms: 60_000, windows: 100, mase: Some(0.98), directional: None, pinball: 0.9, naive_pinball: 1.0, coverage: 0.8, coverage_wanted: 0.8 };
    /// // Of a fold whose error is 0.98 of the naive forecast's:
    /// let report = Report { horizon_ms: 300_000, folds: vec![score], seen_in_training: 0 };
    /// assert_eq!(report.folds_better_than_naive(), 1);
    /// ```
    #[must_use]
    pub fn folds_better_than_naive(&self) -> usize {
        self.folds.iter().filter(|fold| fold.mase.is_some_and(|mase| mase < 1.0)).count()
    }

    /// In how many folds the quantiles' loss is below the naive band's.
    ///
    /// ```
    /// # use candlewick_models::{Proportion, Report, Score};
    /// # let score = Score { part: "all".to_owned(), from_ms: 0, to_ms: 60_000, windows: 100, mase: Some(0.98), directional: None, pinball: 0.9, naive_pinball: 1.0, coverage: 0.8, coverage_wanted: 0.8 };
    /// // Of a fold with a loss of 0.9 beside 1.0:
    /// let report = Report { horizon_ms: 300_000, folds: vec![score], seen_in_training: 0 };
    /// assert_eq!(report.bands_better_than_naive(), 1);
    /// ```
    #[must_use]
    pub fn bands_better_than_naive(&self) -> usize {
        self.folds.iter().filter(|fold| fold.pinball < fold.naive_pinball).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.horizon_ms / 1_000;
        writeln!(f, "Log return over the next {seconds} s, beside the naive forecast (the last price)")?;
        writeln!(
            f,
            "{:<12} {:>8} {:>7}  {:>24}  {:>12} {:>12} {:>7}  {:>8} {:>6}",
            "part",
            "windows",
            "MASE",
            "direction right (95 %)",
            "pinball",
            "naive",
            "ratio",
            "coverage",
            "wanted"
        )?;
        for fold in &self.folds {
            let mase = fold.mase.map_or_else(|| "-".to_owned(), |mase| format!("{mase:.4}"));
            let directional = fold.directional.map_or_else(
                || "-".to_owned(),
                |p| format!("{:.1} % ({:.1} to {:.1})", 100.0 * p.share, 100.0 * p.low, 100.0 * p.high),
            );
            writeln!(
                f,
                "{:<12} {:>8} {:>7}  {:>24}  {:>12.4e} {:>12.4e} {:>7.4}  {:>6.1} % {:>4.0} %",
                fold.part,
                fold.windows,
                mase,
                directional,
                fold.pinball,
                fold.naive_pinball,
                fold.pinball / fold.naive_pinball,
                100.0 * fold.coverage,
                100.0 * fold.coverage_wanted
            )?;
        }
        let (all, points, bands) =
            (self.folds.len(), self.folds_better_than_naive(), self.bands_better_than_naive());
        write!(
            f,
            "The middle quantile beats the last price in {points} of {all} parts, the band beats a constant one in \
             {bands} of {all}."
        )?;
        if self.seen_in_training > 0 {
            let seen = self.seen_in_training;
            write!(
                f,
                "\n{seen} windows lie in the model's training range: the figures over them flatter it."
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: `prop.test(55, 100, correct = FALSE)$conf.int` is 0.4524460 0.6438546.
    #[test]
    fn interval_is_wilsons() {
        let p = Proportion::new(55, 100).expect("trials");
        assert!((p.low - 0.452_446_0).abs() < 1e-6 && (p.high - 0.643_854_6).abs() < 1e-6, "{p:?}");
        assert_eq!(Proportion::new(0, 0), None);
        assert_eq!(Proportion::new(0, 5).map(|p| p.low), Some(0.0));
    }
}
