//! Why a run cannot be measured. Owns the sentences.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use candlewick::SerdeError;
use candlewick::client::{ClientError, ProducerError};
use candlewick_connectors::avro::{AvroError, RegistryError};
use candlewick_tests::servers::Missing;

/// An error of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// There is no broker.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The log failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Trades could not be written.
    #[error("writing trades: {0}")]
    Produce(#[from] ProducerError),
    /// The schema file failed.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// A schema of the bench is wrong.
    #[error(transparent)]
    Avro(Box<AvroError>),
    /// An output could not be read.
    #[error("reading an output: {0}")]
    Decode(#[from] SerdeError),
    /// A file or program cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file or program.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An application in this process failed.
    #[error("the application: {0}")]
    Application(String),
    /// A measured program ended by itself.
    #[error("{program} ended with {status}; its last lines:\n{log}")]
    Ended {
        /// Which one.
        program: String,
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}; the last lines of its log:\n{log}")]
    Late {
        /// What.
        what: String,
        /// The limit.
        limit: Duration,
        /// The end of the program's log.
        log: String,
    },
    /// The JVM's application printed no figures.
    #[error("the JVM's application printed no figures but: {line}")]
    NoFigures {
        /// Its last line.
        line: String,
    },
    /// Maven could not build the JVM's application.
    #[error("Maven cannot build the JVM's application: {reason}")]
    Maven {
        /// Its last lines.
        reason: String,
    },
}

// Both hold several texts; an error that is small costs nothing where all goes well.
impl From<RegistryError> for BenchError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl From<AvroError> for BenchError {
    fn from(error: AvroError) -> Self {
        Self::Avro(Box::new(error))
    }
}

impl BenchError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
