//! What travels between tables: a change of a key's value, and how it is written where it crosses a topic.

use crate::serde::{Serde, SerdeError};
use std::sync::Arc;

/// A change of a table: the new value, and the old one where a node below asked for it. `None` is no value (deleted,
/// or not there before).
///
/// ```
/// use candlewick::Change;
/// let risen = Change::new(Some(100), Some(120));
/// assert!(risen.new > risen.old && risen.is_latest);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<V> {
    /// The value before, or `None` when there was none or nobody asked.
    pub old: Option<V>,
    /// The value now.
    pub new: Option<V>,
    /// Whether it is the key's latest value; a table that keeps versions also tells of those that came too late for it.
    pub is_latest: bool,
}

impl<V> Change<V> {
    /// A change to the key's latest value.
    ///
    /// ```
    /// let deleted = candlewick::Change::new(Some(100), None);
    /// assert!(deleted.new.is_none() && deleted.is_latest);
    /// ```
    #[must_use]
    pub const fn new(old: Option<V>, new: Option<V>) -> Self {
        Self { old, new, is_latest: true }
    }
}

/// `Change` as Kafka Streams writes it into a table's repartition topic: the new value or the old one and a last byte
/// that tells which (`ChangedSerializer` since 3.5: both values behind the new one's length, last byte 2). What is not the
/// latest is never sent.
pub(crate) struct ChangeSerde<V>(pub(crate) Arc<dyn Serde<V>>);

const OLD_ONLY: u8 = 0;
const NEW_ONLY: u8 = 1;
const BOTH: u8 = 2;

impl<V: 'static> Serde<Change<V>> for ChangeSerde<V> {
    fn serialize(&self, topic: &str, change: &Change<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                let start = out.len();
                self.0.serialize(topic, new, out)?;
                let (length, bytes) = varint(out.len() - start);
                // Shorter than a kilobyte in nearly every case: moving it is cheaper than a buffer of its own.
                out.splice(start..start, length[..bytes].iter().copied());
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
            OLD_ONLY => Ok(Change::new(Some(self.0.deserialize(topic, body)?), None)),
            NEW_ONLY => Ok(Change::new(None, Some(self.0.deserialize(topic, body)?))),
            BOTH => {
                let (length, rest) = read_varint(body).ok_or_else(|| malformed("no length"))?;
                let (new, old) =
                    rest.split_at_checked(length).ok_or_else(|| malformed("shorter than its length"))?;
                let (new, old) = (self.0.deserialize(topic, new)?, self.0.deserialize(topic, old)?);
                Ok(Change::new(Some(old), Some(new)))
            }
            _ => Err(malformed("unknown flag byte")),
        }
    }
}

/// A length as Kafka's variable-length integers: zigzag, seven bits a byte, the lowest first.
fn varint(length: usize) -> ([u8; 5], usize) {
    let mut rest =
        u32::try_from(length).ok().and_then(|l| l.checked_mul(2)).expect("a value is smaller than 2 GiB");
    let (mut bytes, mut at) = ([0; 5], 0);
    while rest > 0x7f {
        bytes[at] = u8::try_from(rest & 0x7f).expect("seven bits") | 0x80;
        rest >>= 7;
        at += 1;
    }
    bytes[at] = u8::try_from(rest).expect("seven bits");
    (bytes, at + 1)
}

fn read_varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u32;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            // The lowest bit is the sign, which a length does not have.
            return (value & 1 == 0).then(|| (value as usize >> 1, &bytes[at + 1..]));
        }
    }
    None
}

fn malformed(reason: &str) -> SerdeError {
    SerdeError::Malformed { format: "change of a table", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serde::StringSerde;

    #[test]
    fn both_values_stand_behind_the_length_of_the_new_one_as_a_zigzag_varint() {
        // ChangedSerializer of new Change<>("n" * 70, "o"): 70 is 140 in zigzag, 0x8c 0x01.
        let serde = ChangeSerde(Arc::new(StringSerde));
        let change = Change::new(Some("o".to_owned()), Some("n".repeat(70)));
        let mut bytes = vec![b'x'];
        serde.serialize("t", &change, &mut bytes).expect("text serializes");
        let expected = [&[b'x', 0x8c, 0x01][..], "n".repeat(70).as_bytes(), b"o", &[2]].concat();
        assert_eq!(bytes, expected);
        assert_eq!(serde.deserialize("t", &bytes[1..]).expect("it reads back"), change);
    }
}
