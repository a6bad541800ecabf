//! Why a command fails: one sentence each, with the exit code that a script can tell them apart by.

use std::path::PathBuf;

use candlewick::client::{ClientError, ProducerError};
use candlewick::{ConfigError, SerdeError, StoreError, StreamsError, TopologyErrors};
use candlewick_connectors::avro::{AvroError, RegistryError};
use candlewick_connectors::elasticsearch::ElasticsearchError;
use candlewick_connectors::{Classified, Domain, ReplayError, Retry};
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
    /// SQL cannot be answered.
    #[cfg(feature = "sql")]
    #[error(transparent)]
    Sql(#[from] candlewick_sql::SqlError),
    /// The model cannot be used or trained.
    #[error(transparent)]
    Model(#[from] candlewick_models::ModelError),
    /// Elasticsearch cannot be used.
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    /// Snapshots cannot be kept where the flag says.
    #[cfg(feature = "object-store")]
    #[error(transparent)]
    Bucket(#[from] candlewick_connectors::snapshots::ObjectSnapshotsError),
    /// The place of snapshots does not answer, or refuses.
    #[error("the place of snapshots: {0}")]
    Snapshots(std::io::Error),
    /// A record could not be written.
    #[error(transparent)]
    Produce(#[from] ProducerError),
    /// A trade could not be serialized.
    #[error("writing trades: {0}")]
    Serde(#[from] SerdeError),
    /// A file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A store is not what the application takes it for.
    #[error(transparent)]
    Query(#[from] candlewick::QueryError),
    /// The command line asks for what does not go together.
    #[error("{0}")]
    Usage(String),
    /// What the application needs was not there for too long.
    #[error("{0}")]
    Unreachable(String),
    /// The application stopped by itself.
    #[error("the application stopped: {0}")]
    Stopped(String),
}

impl CommandError {
    /// 2 for what the user must change, 3 for what is not there or cannot be reached (trying again later can help), 1 for
    /// everything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Topology(_) => CHANGE,
            Self::Unreachable(_) => ABSENT,
            #[cfg(feature = "sql")]
            Self::Sql(candlewick_sql::SqlError::PasswordMissing { .. }) => CHANGE,
            Self::Client(error) | Self::Streams(StreamsError::Client(error)) => of_client(error),
            Self::Streams(
                StreamsError::Topology(_) | StreamsError::Config(_) | StreamsError::Incompatible { .. },
            ) => CHANGE,
            Self::Streams(StreamsError::Store(StoreError::Locked { .. } | StoreError::Filesystem { .. })) => {
                CHANGE
            }
            Self::Server(ServerError::Unprotected { .. } | ServerError::Certificate { .. }) => CHANGE,
            Self::Produce(ProducerError::Denied { .. })
            | Self::Streams(StreamsError::Producer(ProducerError::Denied { .. })) => CHANGE,
            Self::Streams(StreamsError::MissingTopics { .. }) => ABSENT,
            Self::Registry(error) => of_connector(error),
            Self::Elasticsearch(error) => of_connector(error),
            Self::Avro(error) => of_connector(error),
            #[cfg(feature = "object-store")]
            Self::Bucket(error) => of_connector(error),
            Self::Snapshots(error) if error.kind() == std::io::ErrorKind::PermissionDenied => CHANGE,
            Self::Snapshots(_) => ABSENT,
            Self::Serde(SerdeError::Source { source, .. }) => {
                source.downcast_ref::<AvroError>().map_or(OTHER, of_connector)
            }
            _ => OTHER,
        }
    }
}

const OTHER: u8 = 1;
const CHANGE: u8 = 2;
const ABSENT: u8 = 3;

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Unavailable { .. } | ClientError::UnknownTopic { .. } => ABSENT,
        ClientError::TopicConflict { .. } | ClientError::Denied { .. } => CHANGE,
        // Another process has the embedded log open.
        ClientError::Io { source, .. } if source.kind() == std::io::ErrorKind::WouldBlock => CHANGE,
        _ => OTHER,
    }
}

fn of_connector(error: &impl Classified) -> u8 {
    match (error.retry(), error.domain()) {
        (Retry::Backoff, _) => ABSENT,
        (Retry::No, Domain::User) => CHANGE,
        (Retry::No, _) => OTHER,
    }
}
