//! The text that rides on a committed offset: partition time and what operators must not forget (their own stream
//! time, the last emitted window close). Byte for byte the JVM's `TopicPartitionMetadata`, version 2.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::time::Timestamp;

/// What rides on a committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetMetadata {
    /// The greatest record time of the partition.
    pub(crate) partition_time: Timestamp,
    /// What operators remember, by their own keys.
    pub(crate) processor: BTreeMap<Arc<str>, i64>,
}

const VERSION: u8 = 2;

impl OffsetMetadata {
    pub(crate) fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.partition_time.0.to_be_bytes());
        if !self.processor.is_empty() {
            let count =
                u32::try_from(self.processor.len()).expect("a topology has fewer than 2^32 operators");
            bytes.extend_from_slice(&count.to_be_bytes());
            for (key, value) in &self.processor {
                let len = u32::try_from(key.len()).expect("names are short");
                bytes.extend_from_slice(&len.to_be_bytes());
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(&value.to_be_bytes());
            }
        }
        base64(&bytes)
    }

    /// Reads versions 1 and 2; anything else is as if nothing had been written.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = from_base64(text)?;
        let (&version, rest) = bytes.split_first()?;
        let (time, mut rest) = rest.split_first_chunk::<8>()?;
        let mut metadata =
            Self { partition_time: Timestamp(i64::from_be_bytes(*time)), processor: BTreeMap::new() };
        if version != VERSION || rest.is_empty() {
            return (version == 1 || version == VERSION).then_some(metadata);
        }
        for _ in 0..length(&mut rest)? {
            let len = length(&mut rest)?;
            let (key, behind) = rest.split_at_checked(len)?;
            let (value, behind) = behind.split_first_chunk::<8>()?;
            metadata.processor.insert(std::str::from_utf8(key).ok()?.into(), i64::from_be_bytes(*value));
            rest = behind;
        }
        Some(metadata)
    }
}

fn length(bytes: &mut &[u8]) -> Option<usize> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_be_bytes(*len)).ok()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut word = 0u32;
        for &digit in chunk {
            word = word << 6 | u32::try_from(ALPHABET.iter().position(|known| *known == digit)?).ok()?;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for operators in 0..4 {
            let processor = (0..operators).map(|n| (format!("node-{n}").into(), n * 1_000 - 1)).collect();
            let metadata = OffsetMetadata { partition_time: Timestamp(1_700_000_000_000), processor };
            assert_eq!(OffsetMetadata::decode(&metadata.encode()), Some(metadata));
        }
    }

    /// `Base64.getEncoder()` over version 2 and partition time 5, by the JVM's definition.
    #[test]
    fn bytes_equal_the_jvm() {
        let metadata = OffsetMetadata { partition_time: Timestamp(5), processor: BTreeMap::new() };
        assert_eq!(metadata.encode(), "AgAAAAAAAAAF");
        assert_eq!(OffsetMetadata::decode("not ours"), None);
        assert_eq!(OffsetMetadata::decode(""), None);
    }
}
