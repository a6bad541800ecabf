//! Records as documents. Owns the formats a value may have; must not know ids, indices or requests.

use candlewick::{RawRecord, SerdeError};
use serde_json::Value;

/// Why a record is no document; it becomes a dead letter.
///
/// ```
/// use candlewick_connectors::elasticsearch::{DocumentCodec, DocumentError, JsonDocuments};
/// # use candlewick::{Headers, RawRecord, Timestamp};
/// # let headers = Headers::default();
/// # let record = RawRecord { offset: 0, timestamp: Timestamp(0), key: None, value: None, headers: &headers };
/// let error = JsonDocuments.document("candles", &record, b"[1, 2]").expect_err("it has no fields");
/// assert!(matches!(error, DocumentError::Malformed { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The value is not in the format.
    #[error("the value is no document: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The value cannot be read at present: nothing is wrong with it, and the sink waits.
    #[error("the value cannot be read yet: {reason}")]
    NotNow {
        /// What is missing.
        reason: String,
    },
    /// The value's serde refuses it.
    #[error(transparent)]
    Serde(#[from] SerdeError),
}

/// Turns a record's value into a JSON object.
///
/// ```
/// use candlewick::RawRecord;
/// use candlewick_connectors::elasticsearch::{DocumentCodec, DocumentError};
/// use serde_json::{Value, json};
/// # use candlewick::{Headers, Timestamp};
///
/// /// Values that are text.
/// struct Texts;
///
/// impl DocumentCodec for Texts {
///     fn document(&self, _: &str, record: &RawRecord<'_>, value: &[u8]) -> Result<Value, DocumentError> {
///         let malformed = |error: std::str::Utf8Error| DocumentError::Malformed { reason: error.to_string() };
///         let text = std::str::from_utf8(value).map_err(malformed)?;
///         Ok(json!({ "text": text, "ts": record.timestamp.as_millis() }))
///     }
/// }
/// # let headers = Headers::default();
/// # let record = RawRecord { offset: 0, timestamp: Timestamp(0), key: None, value: None, headers: &headers };
/// assert_eq!(Texts.document("notes", &record, b"hi")?, json!({ "text": "hi", "ts": 0 }));
/// # Ok::<(), DocumentError>(())
/// ```
pub trait DocumentCodec: Send + Sync + 'static {
    /// The document of a value; not asked for tombstones.
    ///
    /// # Errors
    /// [`DocumentError`] when the value is no document.
    fn document(&self, topic: &str, record: &RawRecord<'_>, value: &[u8]) -> Result<Value, DocumentError>;
}

/// Values that are JSON objects already.
///
/// ```
/// use candlewick::{Headers, RawRecord, Timestamp};
/// use candlewick_connectors::elasticsearch::{DocumentCodec, JsonDocuments};
/// let headers = Headers::default();
/// let value = br#"{"symbol":"BTC-USD"}"#;
/// let record =
///     RawRecord { offset: 0, timestamp: Timestamp(0), key: None, value: Some(value), headers: &headers };
/// let document = JsonDocuments.document("candles", &record, value)?;
/// assert_eq!(document["symbol"], "BTC-USD");
/// # Ok::<(), candlewick_connectors::elasticsearch::DocumentError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonDocuments;

impl DocumentCodec for JsonDocuments {
    fn document(&self, _: &str, _: &RawRecord<'_>, value: &[u8]) -> Result<Value, DocumentError> {
        let document: Value = serde_json::from_slice(value)
            .map_err(|error| DocumentError::Malformed { reason: error.to_string() })?;
        object(document)
    }
}

/// Only an object has fields.
fn object(document: Value) -> Result<Value, DocumentError> {
    if document.is_object() {
        return Ok(document);
    }
    Err(DocumentError::Malformed { reason: "it is JSON, but not an object".to_string() })
}

#[cfg(feature = "avro")]
pub use from_avro::AvroDocuments;

#[cfg(feature = "avro")]
mod from_avro {
    use std::sync::Arc;

    use candlewick::RawRecord;
    use serde_json::Value;

    use super::{DocumentCodec, DocumentError, object};
    use crate::avro::{AvroError, AvroToJson, SchemaRegistry};
    use crate::error::{Classified, Retry};

    /// Values in Confluent's Avro wire format, whatever their schema: each field becomes a field of the document.
    ///
    /// ```
    /// use candlewick::Serde;
    /// use candlewick_connectors::avro::{AvroDatum, MemoryRegistry};
    /// use candlewick_connectors::elasticsearch::{AvroDocuments, DocumentCodec};
    /// use std::sync::Arc;
    /// # use candlewick::{Headers, RawRecord, Timestamp};
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Point { x: i64 }
    /// let registry = Arc::new(MemoryRegistry::new());
    /// let schema = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"long"}]}"#;
    /// let mut value = Vec::new();
    /// AvroDatum::<Point>::new(Arc::clone(&registry) as _, schema)?.serialize("points", &Point { x: 3 }, &mut value)?;
    /// # let headers = Headers::default();
    /// # let record = RawRecord { offset: 0, timestamp: Timestamp(0), key: None, value: None, headers: &headers };
    /// assert_eq!(AvroDocuments::new(registry).document("points", &record, &value)?["x"], 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    pub struct AvroDocuments(AvroToJson);

    impl AvroDocuments {
        /// Documents whose schemas are in this registry.
        ///
        /// ```
        /// use candlewick_connectors::avro::{ConfluentRegistry, RegistrySettings};
        /// use candlewick_connectors::elasticsearch::AvroDocuments;
        /// let registry = ConfluentRegistry::new(RegistrySettings::new("http://localhost:8081"))?;
        /// let documents = AvroDocuments::new(std::sync::Arc::new(registry));
        /// # let _ = documents;
        /// # Ok::<(), candlewick_connectors::avro::RegistryError>(())
        /// ```
        #[must_use]
        pub fn new(registry: Arc<dyn SchemaRegistry>) -> Self {
            Self(AvroToJson::new(registry))
        }
    }

    impl DocumentCodec for AvroDocuments {
        fn document(&self, _: &str, _: &RawRecord<'_>, value: &[u8]) -> Result<Value, DocumentError> {
            self.0.read(value).map_err(classify).and_then(object)
        }
    }

    fn classify(error: AvroError) -> DocumentError {
        match error.retry() {
            Retry::Backoff => DocumentError::NotNow { reason: error.to_string() },
            Retry::No => DocumentError::Malformed { reason: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use candlewick::{Headers, Timestamp};

    use super::*;

    #[test]
    fn json_that_is_no_object_is_refused() {
        let headers = Headers::default();
        let record =
            RawRecord { offset: 0, timestamp: Timestamp(0), key: None, value: None, headers: &headers };
        for (text, words) in [("[1]", "not an object"), ("{\"a\":", "EOF"), ("", "EOF")] {
            let error = JsonDocuments.document("t", &record, text.as_bytes()).expect_err("refused");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }
}
