//! How a training shows how far it is. Knows terminals; must not know what is trained.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error, or nothing where that is not a terminal. Clones show the same training, so that
/// another thread can tell how far it is.
///
/// ```
/// use candlewick_models::Progress;
/// let quiet = Progress::hidden();
/// let seen_elsewhere = quiet.clone();
/// assert_eq!(seen_elsewhere.fraction(), 0.0);
/// ```
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows nothing.
    ///
    /// ```
    /// assert_eq!(candlewick_models::Progress::hidden().fraction(), 0.0);
    /// ```
    #[must_use]
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Draws on standard error when it is a terminal.
    ///
    /// ```
    /// // Nothing is drawn before a training begins.
    /// assert_eq!(candlewick_models::Progress::terminal().fraction(), 0.0);
    /// ```
    #[must_use]
    pub fn terminal() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{prefix} [{bar:32}] {percent:>3} % {msg} ({elapsed})";
        let style = ProgressStyle::with_template(template).expect("the template above is well formed");
        bar.set_style(style.progress_chars("=> "));
        Self { bar }
    }

    /// How much of the longest possible training is done, from 0 to 1; it may end early.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// let progress = Progress::hidden();
    /// train(&series, &config, &progress)?;
    /// assert_eq!(progress.fraction(), 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // steps of a training
    pub fn fraction(&self) -> f64 {
        let steps = self.bar.length().unwrap_or(0).max(1);
        if self.bar.is_finished() { 1.0 } else { self.bar.position() as f64 / steps as f64 }
    }

    pub(crate) fn start(&self, what: &str, steps: usize) {
        self.bar.reset();
        self.bar.set_prefix(what.to_owned());
        self.bar.set_length(steps as u64);
    }

    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    pub(crate) fn say(&self, message: String) {
        self.bar.set_message(message);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
