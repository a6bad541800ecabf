//! Kafka's window store keys: the key's bytes, the window's start (eight big-endian bytes) and a sequence number (four);
//! and the segments of time that such rows are kept and dropped in. Knows bytes and time only.

use crate::time::Timestamp;

/// Bytes behind the key: start and sequence number.
pub(crate) const SUFFIX_BYTES: usize = 12;

/// The shortest segment, in milliseconds.
const SEGMENT_MS_MIN: i64 = 60_000;

/// The bytes behind the key of the window that starts at `start`.
pub(crate) fn suffix(start: Timestamp, sequence: i32) -> [u8; SUFFIX_BYTES] {
    let mut suffix = [0; SUFFIX_BYTES];
    suffix[..8].copy_from_slice(&start.0.to_be_bytes());
    suffix[8..].copy_from_slice(&sequence.to_be_bytes());
    suffix
}

/// Splits a window store's key into the key's bytes, the start of the window and the sequence number.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], Timestamp, i32)> {
    let (rest, sequence) = bytes.split_last_chunk::<4>()?;
    let (key, start) = rest.split_last_chunk::<8>()?;
    Some((key, Timestamp(i64::from_be_bytes(*start)), i32::from_be_bytes(*sequence)))
}

/// How long windows are kept, and in which segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    retention_ms: i64,
    segment_ms: i64,
}

impl Retention {
    pub(crate) fn new(retention_ms: i64) -> Self {
        Self { retention_ms, segment_ms: (retention_ms / 2).max(SEGMENT_MS_MIN) }
    }

    /// The segment of the windows that start at `start`.
    pub(crate) fn segment(self, start: Timestamp) -> i64 {
        start.0.div_euclid(self.segment_ms)
    }

    /// The oldest start that is still kept when `observed` is the newest.
    pub(crate) fn first_live(self, observed: Timestamp) -> Timestamp {
        observed.minus_millis(self.retention_ms).plus_millis(1)
    }

    /// Whether windows that start at `start` are gone.
    pub(crate) fn is_expired(self, start: Timestamp, observed: Timestamp) -> bool {
        start < self.first_live(observed)
    }

    /// The oldest segment that is kept.
    pub(crate) fn first_segment(self, observed: Timestamp) -> i64 {
        self.segment(observed.minus_millis(self.retention_ms).max(Timestamp(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_key_is_key_start_and_sequence_in_big_endian() {
        // org.apache.kafka.streams.state.internals.WindowKeySchema.toStoreKeyBinary("k", 258, 3)
        let mut bytes = b"k".to_vec();
        bytes.extend_from_slice(&suffix(Timestamp(258), 3));
        assert_eq!(bytes, [b'k', 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
        assert_eq!(split(&bytes), Some((&b"k"[..], Timestamp(258), 3)));
        assert_eq!(split(&bytes[..11]), None);
    }

    #[test]
    fn segments_are_half_the_retention_and_a_minute_at_least() {
        let long = Retention::new(600_000);
        assert_eq!((long.segment(Timestamp(299_999)), long.segment(Timestamp(300_000))), (0, 1));
        let short = Retention::new(1_000);
        assert_eq!((short.segment(Timestamp(59_999)), short.segment(Timestamp(60_000))), (0, 1));
        assert!(short.is_expired(Timestamp(4_000), Timestamp(5_000)));
        assert!(!short.is_expired(Timestamp(4_001), Timestamp(5_000)));
    }
}
