//! Why bytes are no Avro of the type that is asked for. Knows no registry: its errors stand apart.

use candlewick::SerdeError;

use super::registry_error::RegistryError;
use crate::error::{Classified, Domain, Retry};

/// An error of the Avro serdes.
///
/// ```
/// use candlewick_connectors::avro::AvroError;
/// let error = AvroError::Magic { first: b'{' };
/// assert!(error.to_string().starts_with("the value begins with the byte 0x7b and not with 0"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AvroError {
    /// The value is shorter than the wire format's header.
    #[error(
        "{len} bytes are too few for Avro with a schema id: the producer does not use a schema registry's serializer"
    )]
    Short {
        /// How many bytes there are.
        len: usize,
    },
    /// The value does not begin with the wire format's zero byte.
    #[error(
        "the value begins with the byte {first:#04x} and not with 0: the producer does not use a schema registry's \
         serializer"
    )]
    Magic {
        /// The first byte.
        first: u8,
    },
    /// The datum does not follow the schema it names.
    #[error("the bytes do not follow the schema with the id {id} that they name: {reason}")]
    Datum {
        /// The schema's id.
        id: u32,
        /// What does not fit.
        reason: String,
    },
    /// What was written by that schema cannot be read as this type.
    #[error(
        "the schema with the id {id} cannot be read as this type: {reason}\nwritten with: {writer}\nread with: {reader}"
    )]
    Unreadable {
        /// The schema's id.
        id: u32,
        /// The first difference that matters.
        reason: String,
        /// The schema it was written with.
        writer: String,
        /// The schema of the type.
        reader: String,
    },
    /// A value has no place in the schema.
    #[error("the value cannot be written: {reason}")]
    Unwritable {
        /// Why.
        reason: String,
    },
    /// The schema of a type is no Avro schema.
    #[error("the schema of the type is not valid: {reason}")]
    BadSchema {
        /// Why.
        reason: String,
    },
    /// The registry did not give or take the schema.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Classified for AvroError {
    fn domain(&self) -> Domain {
        match self {
            Self::Registry(error) => error.domain(),
            Self::BadSchema { .. } => Domain::Internal,
            _ => Domain::User,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Registry(error) => error.retry(),
            _ => Retry::No,
        }
    }
}

impl From<AvroError> for SerdeError {
    fn from(error: AvroError) -> Self {
        Self::Source { format: "Avro", source: Box::new(error) }
    }
}
