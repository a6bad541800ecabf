//! JSON by `serde_json`. Knows nothing but bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Serde, SerdeError};

/// Any type that derives serde's traits, as JSON text.
///
/// ```
/// use candlewick::{Json, Serde};
/// let mut out = Vec::new();
/// Json.serialize("points", &(1, 2.5), &mut out).expect("numbers serialize");
/// assert_eq!(out, b"[1,2.5]");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for Json {
    fn serialize(&self, _: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        serde_json::to_writer(out, value)
            .map_err(|source| SerdeError::Source { format: "JSON", source: Box::new(source) })
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        serde_json::from_slice(bytes)
            .map_err(|source| SerdeError::Source { format: "JSON", source: Box::new(source) })
    }
}
