//! Which records become dead letters: those that are at fault themselves. A registry that cannot be asked is not their
//! fault; then the application ends where it stands, and the next start reads them again.

use std::sync::{Arc, OnceLock};

use candlewick::{DeadLetterOnDecodeError, DeserializationHandler, FailedBytes, ProcessResponse, SerdeError};
use candlewick_connectors::avro::{AvroError, RegistryError};

/// The handler of the reference applications.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterWhenAtFault {
    stopped_by: Arc<OnceLock<String>>,
}

impl DeadLetterWhenAtFault {
    /// Why the application was ended by this handler, if it was.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&str> {
        self.stopped_by.get().map(String::as_str)
    }
}

impl DeserializationHandler for DeadLetterWhenAtFault {
    fn on_error(&self, failed: &FailedBytes<'_>) -> ProcessResponse {
        match of_registry(failed.error) {
            Some(error) => {
                let FailedBytes { source, record, .. } = failed;
                let offset = record.offset;
                self.stopped_by
                    .get_or_init(|| format!("{source} offset {offset} cannot be read now: {error}"));
                ProcessResponse::Fail
            }
            None => DeadLetterOnDecodeError.on_error(failed),
        }
    }
}

/// The registry's error, where another answer of it would let the record be read.
fn of_registry(error: &SerdeError) -> Option<&RegistryError> {
    let SerdeError::Source { source, .. } = error else { return None };
    match source.downcast_ref()? {
        AvroError::Registry(RegistryError::UnknownId { .. } | RegistryError::BadSchema { .. }) => None,
        AvroError::Registry(error) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(error: AvroError) -> (ProcessResponse, bool) {
        let handler = DeadLetterWhenAtFault::default();
        let mut run = candlewick::RecordRun::new(candlewick::TopicPartition::new("trades", 1));
        run.push(7, candlewick::Timestamp(1), None, Some(b"x"), candlewick::Headers::default());
        let (error, record) = (SerdeError::from(error), run.get(0).expect("one record"));
        let response =
            handler.on_error(&FailedBytes { source: &run.source, record, error: &error, failures: 0 });
        (response, handler.stopped_by().is_some())
    }

    #[test]
    fn a_record_is_not_blamed_for_a_registry_that_does_not_answer() {
        let registry = || "r".to_owned();
        let down = RegistryError::Unreachable { registry: registry(), attempts: 3, reason: "gone".into() };
        assert!(matches!(response(down.into()), (ProcessResponse::Fail, true)));
        let unknown = RegistryError::UnknownId { id: 5, registry: registry() };
        assert!(matches!(response(unknown.into()), (ProcessResponse::DeadLetter, false)));
        assert!(matches!(response(AvroError::Short { len: 1 }), (ProcessResponse::DeadLetter, false)));
    }
}
