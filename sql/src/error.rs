//! Why the SQL endpoint could not be started, and why it refuses a statement. Must not know the protocol that says it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use candlewick_server::{ReadError, ServerError};
use datafusion::error::DataFusionError;
use thiserror::Error;

/// Why the SQL endpoint could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// Others than this machine would be let in without a password.
    #[error(
        "SQL on {address} would be open to other machines without a password: give one, or listen on 127.0.0.1."
    )]
    PasswordMissing {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The address cannot be bound.
    #[error(
        "SQL cannot listen on {address} ({source}): give an address of this machine and a port that is free and that this \
         user may open."
    )]
    Bind {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The endpoint's threads could not be set up.
    #[error(
        "SQL's threads could not be started ({0}): raise the limits on threads and open files of this user."
    )]
    Thread(#[source] io::Error),
    /// Other instances cannot be asked.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The query engine could not be set up.
    #[error("The query engine could not be set up ({0}): check the limits that it was given.")]
    Engine(#[source] Box<DataFusionError>),
    /// No random numbers can be had for the password's salt.
    #[error("The system gives no random numbers, which logging in needs: check /dev/urandom.")]
    Random,
}

/// Why a statement is refused.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// It would change something.
    #[error(
        "{statement} is refused: tables are an application's stores, and SQL only reads them; write to its topics instead"
    )]
    ReadOnly { statement: String },
    /// It is no statement that is understood.
    #[error("{0}")]
    Syntax(String),
    /// Its text is too long.
    #[error("the statement has {length} bytes, and {max} are allowed: shorten it, or raise the limit")]
    TooLong { length: usize, max: usize },
    /// A store did not answer, or not for all of it.
    #[error("the table \"{store}\" cannot be read: {source}")]
    Read { store: String, source: ReadError },
    /// The rows have changed their form.
    #[error(
        "the rows of \"{store}\" look different than the first ones ({why}): its columns have been widened, ask again"
    )]
    Widened { store: String, why: String },
    /// The rows do not have the form that was said.
    #[error("the table \"{store}\" has rows that do not fit its columns: {why}")]
    Misfit { store: String, why: String },
    /// Too many rows would be read.
    #[error(
        "more than {max} rows of \"{store}\" would be read: ask for fewer by key, by time or by LIMIT, or raise the limit"
    )]
    TooManyRows { store: String, max: usize },
    /// Too much would be answered.
    #[error("the answer has more than {max} bytes: ask for fewer rows or columns, or raise the limit")]
    TooLarge { max: usize },
    /// It took too long.
    #[error("the statement took longer than {0:?}: ask for less, or raise the limit")]
    TooSlow(Duration),
    /// A parameter has no such value.
    #[error("parameter ${number} cannot be read as {data_type}: {why}")]
    Parameter { number: usize, data_type: String, why: String },
    /// A setting does not exist.
    #[error("there is no setting {0}")]
    Setting(String),
}

impl Refusal {
    /// The code that clients know the reason by.
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::ReadOnly { .. } => "25006",
            Self::Syntax(_) => "42601",
            Self::TooLong { .. } | Self::TooManyRows { .. } | Self::TooLarge { .. } => "54000",
            Self::Read { source, .. } => match source {
                ReadError::Rebalancing
                | ReadError::Stale
                | ReadError::Elsewhere(_)
                | ReadError::NotRunning => "57P03",
                ReadError::Moved { .. } => "57P03",
                _ => "58000",
            },
            Self::Widened { .. } => "40001",
            Self::Misfit { .. } => "22000",
            Self::TooSlow(_) => "57014",
            Self::Parameter { .. } => "22P02",
            Self::Setting(_) => "42704",
        }
    }
}
