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
    #[must_use]
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Draws on standard error when it is a terminal.
    #[must_use]
    pub fn terminal() -> Self {
        let bar = ProgressBar::new(0);
        let template = "{prefix} [{bar:32}] {percent:>3} % {msg} ({elapsed})";
        let style = ProgressStyle::with_template(template).expect("the template above is well formed");
        bar.set_style(style.progress_chars("=> "));
        Self { bar }
    }

    /// How much of the longest possible training is done, from 0 to 1; it may end early.
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
