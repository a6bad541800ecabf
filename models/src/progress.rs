//! How a training shows how far it is. Knows terminals; must not know what is trained.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar on standard error, or nothing where that is not a terminal.
///
/// ```
/// use candlewick_models::Progress;
/// let quiet = Progress::hidden();
/// # drop(quiet);
/// ```
#[derive(Debug)]
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

    pub(crate) fn start(&self, what: &str, steps: usize) {
        self.bar.set_prefix(what.to_owned());
        self.bar.set_length(steps as u64);
        self.bar.set_position(0);
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
