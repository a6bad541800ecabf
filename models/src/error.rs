//! What can go wrong with a model. Every message says what to do.

use std::path::PathBuf;

/// Why a model cannot be trained, read, written or used.
///
/// ```
/// use candlewick_models::ModelError;
/// let error = ModelError::TooFewCandles { part: "training", needed: 64, found: 3 };
/// assert!(error.to_string().starts_with("64 windows of training are needed and the candles give 3"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A setting of the training is out of range.
    #[error("the training setting `{setting}` is {given}: it must be {wanted}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        given: String,
        /// What is possible.
        wanted: &'static str,
    },
    /// There is not enough to learn from.
    #[error(
        "{needed} windows of {part} are needed and the candles give {found}: bring a longer history without gaps, \
         or a shorter window or horizon"
    )]
    TooFewCandles {
        /// Which part of the history is too short.
        part: &'static str,
        /// How many windows there must be.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Candles of a series do not rise in time.
    #[error("the candles of {symbol} are not in order of time at {time}: sort them and drop duplicates")]
    Order {
        /// Whose candles.
        symbol: String,
        /// The first candle that is not later than the one before it, in Unix milliseconds.
        time: i64,
    },
    /// The training ran into infinite or undefined numbers.
    #[error("the training diverged in epoch {epoch}: lower the learning rate")]
    Diverged {
        /// Which epoch, from one.
        epoch: u32,
    },
    /// A file or folder could not be read or written.
    #[error("the model at {} could not be {action}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is not one that this code can read.
    #[error("{} is not a manifest that this version understands: {source}; train the model again", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The weights are not those that the manifest describes.
    #[error(
        "the weights at {} have the hash {found}, and their manifest says {expected}: they were changed or cut short; \
         restore the folder or train the model again", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The hash in the manifest.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// The model was made for something else.
    #[error("the model does not fit: its {what} is {model}, and {wanted} is wanted; train the model again")]
    Mismatch {
        /// What differs.
        what: String,
        /// What the model has.
        model: String,
        /// What was expected.
        wanted: String,
    },
    /// Weights are not numbers.
    #[error("the tensor {tensor} holds an infinite or undefined number: train the model again")]
    NotFinite {
        /// Which one.
        tensor: String,
    },
    /// The weights file is not safetensors.
    #[error("the weights cannot be read: {0}; restore the folder or train the model again")]
    Weights(#[from] safetensors::SafeTensorError),
    /// The tensor library failed.
    #[error("the network could not be computed: {0}")]
    Network(#[from] candle_core::Error),
}

impl ModelError {
    pub(crate) fn mismatch(
        what: impl Into<String>,
        model: impl std::fmt::Display,
        wanted: impl std::fmt::Display,
    ) -> Self {
        Self::Mismatch { what: what.into(), model: model.to_string(), wanted: wanted.to_string() }
    }

    pub(crate) fn io(path: &std::path::Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), action, source }
    }
}
