//! What an embedded log can be told when it is opened. Must not know files or clients.

use std::sync::Arc;

use crate::time::{Clock, SystemClock};

/// Settings of an embedded log.
///
/// ```
/// use candlewick::client::EmbeddedSettings;
/// let settings = EmbeddedSettings { log_sync_interval_ms: 20, ..EmbeddedSettings::default() };
/// assert_eq!(settings.segment_bytes, 64 * 1024 * 1024);
/// ```
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// How often, in milliseconds, a background thread forces written records to the disk. What was written since the
    /// last time is lost when the machine (not merely the process) stops without warning.
    pub log_sync_interval_ms: u64,
    /// At how many bytes a segment file is closed and the next one begun, where the topic's `segment.bytes` does not say.
    pub segment_bytes: u64,
    /// Bytes of the newest records that each partition of a log in a folder keeps in memory for its readers.
    pub tail_bytes_max: usize,
    /// How often, in milliseconds, retention, compaction and timeouts are looked after.
    pub housekeeping_interval_ms: u64,
    /// Where the log reads the time: sessions, transaction timeouts, retention.
    pub clock: Arc<dyn Clock>,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            log_sync_interval_ms: 100,
            segment_bytes: 64 * 1024 * 1024,
            tail_bytes_max: 256 * 1024,
            housekeeping_interval_ms: 250,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl std::fmt::Debug for EmbeddedSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedSettings")
            .field("log_sync_interval_ms", &self.log_sync_interval_ms)
            .field("segment_bytes", &self.segment_bytes)
            .field("tail_bytes_max", &self.tail_bytes_max)
            .field("housekeeping_interval_ms", &self.housekeeping_interval_ms)
            .finish_non_exhaustive()
    }
}
