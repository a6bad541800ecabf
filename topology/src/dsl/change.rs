//! What travels between tables: a change of a key's value, and how it is written where it crosses a topic.

use crate::serde::{Serde, SerdeError};
use std::sync::Arc;

/// A change of a table: the new value, and the old one where a node below asked for it. `None` is no value (deleted,
/// or not there before).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// The value before, or `None` when there was none or nobody asked.
    pub old: Option<V>,
    /// The value now.
    pub new: Option<V>,
}

/// `Change` as Kafka Streams writes it into a table's repartition topic: the new value or the old one and a last byte
/// that tells which (`ChangedSerializer`, format of 3.4: both values with a length in front, last byte 2).
pub(crate) struct ChangeSerde<V>(pub(crate) Arc<dyn Serde<V>>);

const OLD_ONLY: u8 = 0;
const NEW_ONLY: u8 = 1;
const BOTH: u8 = 2;

impl<V: 'static> Serde<Change<V>> for ChangeSerde<V> {
    fn serialize(&self, topic: &str, change: &Change<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                let at = out.len();
                out.extend_from_slice(&[0; 4]);
                self.0.serialize(topic, new, out)?;
                let len = u32::try_from(out.len() - at - 4).expect("a value is smaller than 4 GiB");
                out[at..at + 4].copy_from_slice(&len.to_be_bytes());
                self.0.serialize(topic, old, out)?;
                out.push(BOTH);
            }
            (None, Some(new)) => {
                self.0.serialize(topic, new, out)?;
                out.push(NEW_ONLY);
            }
            (Some(old), None) => {
                self.0.serialize(topic, old, out)?;
                out.push(OLD_ONLY);
            }
            (None, None) => return Err(malformed("a change without values cannot be sent")),
        }
        Ok(())
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Change<V>, SerdeError> {
        let (&flag, body) = bytes.split_last().ok_or_else(|| malformed("no bytes"))?;
        match flag {
            OLD_ONLY => Ok(Change { old: Some(self.0.deserialize(topic, body)?), new: None }),
            NEW_ONLY => Ok(Change { old: None, new: Some(self.0.deserialize(topic, body)?) }),
            BOTH => {
                let (len, rest) = body.split_first_chunk::<4>().ok_or_else(|| malformed("no length"))?;
                let len = u32::from_be_bytes(*len) as usize;
                let (new, old) =
                    rest.split_at_checked(len).ok_or_else(|| malformed("shorter than its length"))?;
                Ok(Change {
                    new: Some(self.0.deserialize(topic, new)?),
                    old: Some(self.0.deserialize(topic, old)?),
                })
            }
            _ => Err(malformed("unknown flag byte")),
        }
    }
}

fn malformed(reason: &str) -> SerdeError {
    SerdeError::Malformed { format: "change of a table", reason: reason.to_owned() }
}
