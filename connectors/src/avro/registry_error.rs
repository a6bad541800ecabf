//! Why a registry did not give or take a schema. Each sentence names the registry and what to do.

use crate::error::{Classified, Domain, Retry};

/// An error of a schema registry.
///
/// ```
/// use candlewick_connectors::avro::{MemoryRegistry, RegistryError, SchemaRegistry};
/// let error = MemoryRegistry::new().schema(7).expect_err("nothing was registered");
/// assert!(matches!(error, RegistryError::UnknownId { id: 7, .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry does not answer.
    #[error(
        "the schema registry at {registry} did not answer in {attempts} attempts ({reason}); check the address and that \
         it is running"
    )]
    Unreachable {
        /// Its address.
        registry: String,
        /// How often it was asked.
        attempts: u32,
        /// The last attempt's failure.
        reason: String,
    },
    /// The registry has no schema of this id.
    #[error(
        "the schema registry {registry} has no schema with the id {id}; the record was written with another registry, or \
         its schema was deleted for good"
    )]
    UnknownId {
        /// The id.
        id: u32,
        /// The registry.
        registry: String,
    },
    /// The registry refuses the schema beside those of the same subject.
    #[error(
        "the schema registry {registry} refuses the schema for {subject} as incompatible ({reason}); add a default to each \
         new field, or register it under another topic\nregistered: {registered}\nours: {ours}"
    )]
    Incompatible {
        /// The registry.
        registry: String,
        /// The subject.
        subject: String,
        /// The registry's words.
        reason: String,
        /// The newest schema of the subject.
        registered: String,
        /// The schema that was refused.
        ours: String,
    },
    /// The registry refuses for another reason: no permission, an unknown path.
    #[error("the schema registry {registry} refused to {operation}: {reason}")]
    Refused {
        /// The registry.
        registry: String,
        /// What was asked.
        operation: String,
        /// The registry's words.
        reason: String,
    },
    /// The schema is not one, or not one that can be read here.
    #[error("the schema {name} of the schema registry {registry} cannot be used: {reason}")]
    BadSchema {
        /// The schema's id or subject.
        name: String,
        /// The registry.
        registry: String,
        /// Why.
        reason: String,
    },
    /// The file of a local registry cannot be read or written.
    #[error("the schema file {path}: {source}; check its permissions and the free space")]
    File {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Classified for RegistryError {
    fn domain(&self) -> Domain {
        match self {
            Self::Unreachable { .. } | Self::File { .. } => Domain::External,
            _ => Domain::User,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } => Retry::Backoff,
            _ => Retry::No,
        }
    }
}
