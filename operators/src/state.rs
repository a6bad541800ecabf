//! The bytes of operator state in stores and changelogs: one format for every indicator and feature state. Knows serde's
//! traits; must not know what the state means.

use candlewick::{Serde, SerdeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

const FORMAT: &str = "operator state";
const VERSION: u8 = 1;

/// Compact, versioned bytes of an indicator or feature state: floats bit for bit, integers as long as they are large.
///
/// A state that was written and read goes on with bit-identical values.
///
/// ```
/// use candlewick::Serde;
/// use candlewick_operators::{Ema, StateSerde};
/// let mut ema = Ema::new(2)?;
/// ema.update(1.0);
/// ema.update(2.0);
/// let mut bytes = Vec::new();
/// StateSerde.serialize("ema", &ema, &mut bytes)?;
/// let mut restored: Ema = StateSerde.deserialize("ema", &bytes)?;
/// assert_eq!(restored.update(4.0), ema.update(4.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StateSerde;

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for StateSerde {
    fn serialize(&self, _: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.push(VERSION);
        postcard::to_io(value, out).map(drop).map_err(source)
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        let [VERSION, bytes @ ..] = bytes else {
            let reason =
                format!("the bytes are not a state of version {VERSION}: rebuild the store from its input");
            return Err(SerdeError::Malformed { format: FORMAT, reason });
        };
        match postcard::take_from_bytes(bytes).map_err(source)? {
            (value, []) => Ok(value),
            _ => Err(SerdeError::Malformed {
                format: FORMAT,
                reason: "bytes follow the state's end".to_owned(),
            }),
        }
    }
}

fn source(source: postcard::Error) -> SerdeError {
    SerdeError::Source { format: FORMAT, source: Box::new(source) }
}
