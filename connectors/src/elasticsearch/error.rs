//! Why the sink cannot go on, or an answer of Elasticsearch cannot be used.

use candlewick::client::{ClientError, ProducerError};

use crate::error::{Classified, Domain, Retry};

/// An error of the Elasticsearch sink.
///
/// ```
/// use candlewick_connectors::{Classified, Retry};
/// use candlewick_connectors::elasticsearch::ElasticsearchError;
/// let (url, reason) = ("http://localhost:9200".to_owned(), "connection refused".to_owned());
/// assert_eq!(ElasticsearchError::Unavailable { url, reason }.retry(), Retry::Backoff);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElasticsearchError {
    /// The settings cannot be used.
    #[error("the Elasticsearch sink cannot be started: {reason}")]
    Settings {
        /// What to change.
        reason: String,
    },
    /// Nobody answers, or the answer is "not now".
    #[error(
        "Elasticsearch at {url} does not take requests ({reason}); check the address and that it is running"
    )]
    Unavailable {
        /// Its address.
        url: String,
        /// The failure.
        reason: String,
    },
    /// The login or its permissions are not enough.
    #[error("Elasticsearch at {url} refuses this login ({reason}); grant it the right to write the index")]
    Denied {
        /// Its address.
        url: String,
        /// Elasticsearch's words.
        reason: String,
    },
    /// A request that no retry will mend.
    #[error("Elasticsearch at {url} refused to {operation}: {reason}")]
    Refused {
        /// Its address.
        url: String,
        /// What was asked.
        operation: &'static str,
        /// Elasticsearch's words.
        reason: String,
    },
    /// A record will never be a document, and that is to end the sink.
    #[error(
        "the record at offset {offset} of {partition} is no document ({reason}); mend the mapping of the index or let such records be skipped or become dead letters"
    )]
    Record {
        /// Topic and partition.
        partition: String,
        /// Where in it.
        offset: i64,
        /// What is wrong with it, in the codec's words or Elasticsearch's.
        reason: String,
    },
    /// The log failed.
    #[error("the sink's input: {0}")]
    Input(#[from] ClientError),
    /// Dead letters cannot be written.
    #[error("the sink's dead letters: {0}")]
    DeadLetter(#[from] ProducerError),
    /// The thread could not be started, or ended by a mistake of this program.
    #[error("the sink's thread: {reason}")]
    Thread {
        /// What happened.
        reason: String,
    },
}

impl Classified for ElasticsearchError {
    fn domain(&self) -> Domain {
        match self {
            Self::Settings { .. } | Self::Denied { .. } | Self::Refused { .. } | Self::Record { .. } => {
                Domain::User
            }
            Self::Unavailable { .. } | Self::Input(_) | Self::DeadLetter(_) => Domain::External,
            Self::Thread { .. } => Domain::Internal,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            // Rights can be granted while the sink waits.
            Self::Unavailable { .. } | Self::Denied { .. } => Retry::Backoff,
            // A missing topic may be made while the sink waits.
            Self::Input(
                ClientError::Unavailable { .. }
                | ClientError::NotCurrent { .. }
                | ClientError::UnknownTopic { .. },
            ) => Retry::Backoff,
            Self::DeadLetter(ProducerError::QueueFull | ProducerError::Timeout { .. }) => Retry::Backoff,
            _ => Retry::No,
        }
    }
}
