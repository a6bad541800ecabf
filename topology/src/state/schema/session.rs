//! Kafka's session store keys: the key's bytes, the session's end and its start (eight big-endian bytes each). Knows bytes
//! and time only.

use crate::time::Timestamp;

/// Bytes behind the key: end and start.
pub(crate) const SUFFIX_BYTES: usize = 16;

/// The bytes behind the key of the session from `start` to `end`.
pub(crate) fn suffix(end: Timestamp, start: Timestamp) -> [u8; SUFFIX_BYTES] {
    let mut suffix = [0; SUFFIX_BYTES];
    suffix[..8].copy_from_slice(&end.0.to_be_bytes());
    suffix[8..].copy_from_slice(&start.0.to_be_bytes());
    suffix
}

/// Splits a session store's key into the key's bytes, the session's end and its start.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], Timestamp, Timestamp)> {
    let (rest, start) = bytes.split_last_chunk::<8>()?;
    let (key, end) = rest.split_last_chunk::<8>()?;
    Some((key, Timestamp(i64::from_be_bytes(*end)), Timestamp(i64::from_be_bytes(*start))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_is_key_end_and_start_in_big_endian() {
        // org.apache.kafka.streams.state.internals.SessionKeySchema.toBinary("k", 258, 259)
        let mut bytes = b"k".to_vec();
        bytes.extend_from_slice(&suffix(Timestamp(259), Timestamp(258)));
        assert_eq!(bytes, [b'k', 0, 0, 0, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(split(&bytes), Some((&b"k"[..], Timestamp(259), Timestamp(258))));
        assert_eq!(split(&bytes[..15]), None);
    }
}
