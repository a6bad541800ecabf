//! Why a recording, or a line of it, cannot be read. Each is one sentence with the line's number.

use std::path::PathBuf;

use crate::error::{Classified, Domain, Retry};

/// An error of a replay.
///
/// ```
/// use candlewick_connectors::{Replay, ReplayError, ReplaySettings};
/// let error = Replay::open("no-such-file.csv", ReplaySettings::default()).expect_err("it is not there");
/// assert!(matches!(error, ReplayError::Io { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file cannot be opened or read.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The first line names no column of trades, or its columns are not known.
    #[error(
        "{}, line {line}: no trades can be read: {reason}; name the columns in the first line, for example \
         ts_ms,price,size,side,trade_id",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line that was judged.
        line: u64,
        /// What is missing.
        reason: String,
    },
    /// Neither a column, an option nor the file's name tells the instrument.
    #[error("{}: no column names the symbol; name it with --symbol", path.display())]
    NoSymbol {
        /// The file.
        path: PathBuf,
    },
    /// A line is no trade.
    #[error("line {line} is malformed: {reason}")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A trade's price is zero, negative or not a number.
    #[error("line {line}: the price '{price}' is not a positive number")]
    BadPrice {
        /// The line, counted from 1.
        line: u64,
        /// The price as it was written.
        price: String,
    },
    /// The gzip stream ends too early; what stood before was read.
    #[error("the gzip file is truncated at line {line}: fetch it again to get the rest")]
    Truncated {
        /// The line that is lost first.
        line: u64,
    },
}

impl Classified for ReplayError {
    fn domain(&self) -> Domain {
        match self {
            Self::Io { .. } => Domain::External,
            _ => Domain::User,
        }
    }

    fn retry(&self) -> Retry {
        Retry::No
    }
}
