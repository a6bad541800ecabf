//! Why a command fails: one sentence each, with the exit code that a script can tell them apart by.

use std::path::PathBuf;

use candlewick::client::ClientError;
use candlewick::{ConfigError, StreamsError, TopologyErrors};
use candlewick_connectors::ReplayError;
use candlewick_connectors::avro::{AvroError, RegistryError};
use candlewick_connectors::elasticsearch::ElasticsearchError;
use candlewick_server::ServerError;

/// An error of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The log failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The application failed.
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// The topology is wrong.
    #[error(transparent)]
    Topology(#[from] TopologyErrors),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The recording cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A schema is wrong.
    #[error(transparent)]
    Avro(#[from] AvroError),
    /// The status server cannot start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The model cannot be used or trained.
    #[error(transparent)]
    Model(#[from] candlewick_models::ModelError),
    /// Elasticsearch cannot be used.
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    /// A record could not be written.
    #[error("writing trades: {0}")]
    Produce(#[from] candlewick::client::ProducerError),
    /// A trade could not be serialized.
    #[error("writing trades: {0}")]
    Serde(#[from] candlewick::SerdeError),
    /// A file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The command line asks for what does not go together.
    #[error("{0}")]
    Usage(String),
    /// The application stopped by itself.
    #[error("the application stopped: {0}")]
    Stopped(String),
}

impl CommandError {
    /// 2 for what the user typed, 3 for what cannot be reached, 1 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Topology(_) => 2,
            Self::Client(ClientError::Unavailable { .. })
            | Self::Streams(StreamsError::Client(ClientError::Unavailable { .. }))
            | Self::Registry(_) => 3,
            _ => 1,
        }
    }
}
