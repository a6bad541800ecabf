//! What a client is told when a statement fails: a code that it knows and a sentence. Owns which code stands for what.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use pgwire::error::{ErrorInfo, PgWireError};

use crate::error::Refusal;

/// A refusal as a client is told it.
pub(super) fn refused(refusal: &Refusal) -> PgWireError {
    error(refusal.sqlstate(), refusal.to_string())
}

/// A failure of the engine as a client is told it.
pub(super) fn failed(failure: &DataFusionError) -> PgWireError {
    if let Some(refusal) = refusal_in(failure) {
        return refused(refusal);
    }
    let root = failure.find_root();
    let code = match root {
        DataFusionError::SQL(..) => "42601",
        DataFusionError::ResourcesExhausted(_) => "53200",
        DataFusionError::SchemaError(schema, _) => match **schema {
            SchemaError::FieldNotFound { .. } => "42703",
            SchemaError::AmbiguousReference { .. } => "42702",
            _ => "42000",
        },
        DataFusionError::NotImplemented(_) => "0A000",
        DataFusionError::Plan(said) if said.contains("not found") && said.starts_with("table") => "42P01",
        DataFusionError::Plan(said) if said.starts_with("Invalid function") => "42883",
        DataFusionError::Plan(_) => "42000",
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => "22000",
        _ => "XX000",
    };
    let said = match root {
        DataFusionError::ResourcesExhausted(said) => {
            format!(
                "the statement needs more memory than it is allowed: ask for less, or raise the limit ({said})"
            )
        }
        other => other.strip_backtrace(),
    };
    error(code, said)
}

/// A refusal of ours that has come through the engine.
fn refusal_in(failure: &DataFusionError) -> Option<&Refusal> {
    match failure {
        DataFusionError::External(inner) => match inner.downcast_ref::<Refusal>() {
            Some(refusal) => Some(refusal),
            None => inner.downcast_ref::<DataFusionError>().and_then(refusal_in),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => refusal_in(inner),
        DataFusionError::Shared(inner) => refusal_in(inner),
        DataFusionError::Collection(all) => all.iter().find_map(refusal_in),
        DataFusionError::ArrowError(inner, _) => match &**inner {
            datafusion::arrow::error::ArrowError::ExternalError(inner) => {
                match inner.downcast_ref::<Refusal>() {
                    Some(refusal) => Some(refusal),
                    None => inner.downcast_ref::<DataFusionError>().and_then(refusal_in),
                }
            }
            _ => None,
        },
        _ => None,
    }
}

/// An error with this code.
pub(super) fn error(code: &str, message: String) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message)))
}

/// An error that ends the connection.
pub(super) fn fatal(code: &str, message: &str) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message.to_owned())))
}
