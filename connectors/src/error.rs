//! Whose fault an error is and whether trying again can help: the two questions every connector's error answers.
//! Owns no error itself and must not know any connector.

use std::fmt;

/// Whose fault an error is.
///
/// ```
/// assert_eq!(candlewick_connectors::Domain::External.to_string(), "external");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// What the user gave: a setting, a file, a schema, a mapping.
    User,
    /// A system outside of this process: a registry, a store, an exchange, a disk.
    External,
    /// A mistake of this program.
    Internal,
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::External => "external",
            Self::Internal => "internal",
        })
    }
}

/// Whether the same call may succeed later.
///
/// ```
/// use candlewick_connectors::{Classified, Retry};
/// let is_hopeless = |error: &dyn Classified| error.retry() == Retry::No;
/// assert!(is_hopeless(&candlewick_connectors::ReplayError::Truncated { line: 12 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: something must be changed first.
    No,
    /// Yes, after a pause that grows with every attempt.
    Backoff,
}

/// An error that says whose fault it is and whether to retry.
///
/// ```
/// use candlewick_connectors::{Classified, Domain, ReplayError, Retry};
/// let error = ReplayError::Truncated { line: 12 };
/// assert_eq!((error.domain(), error.retry()), (Domain::User, Retry::No));
/// ```
pub trait Classified: std::error::Error {
    /// Whose fault it is.
    fn domain(&self) -> Domain;

    /// Whether trying again can help.
    fn retry(&self) -> Retry;
}
