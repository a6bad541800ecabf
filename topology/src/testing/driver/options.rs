//! How a test driver runs a topology. Owns the options and their defaults; must not know what they lead to.

use std::path::PathBuf;
use std::sync::Arc;

use crate::processor::{FailOnProcessError, ProcessHandler};
use crate::runtime::{DeserializationHandler, FailOnDecodeError};
use crate::time::Timestamp;

/// How a driver runs a topology.
///
/// ```
/// use candlewick::{DriverOptions, Timestamp};
/// let options = DriverOptions {
///     application_id: "counter".to_owned(),
///     partitions: 3,
///     wall_clock: Timestamp(1_700_000_000_000),
///     ..DriverOptions::default()
/// };
/// // Every update is forwarded at once, and stores are kept in memory.
/// assert_eq!((options.cache_bytes_max, options.state_dir), (0, None));
/// ```
pub struct DriverOptions {
    /// The application's id, with which the names of its own topics begin.
    pub application_id: String,
    /// Bytes of write-back cache per task; 0 forwards every update at once, as the JVM's driver does by default.
    pub cache_bytes_max: usize,
    /// Where the virtual wall clock starts.
    pub wall_clock: Timestamp,
    /// Decides about records that fail.
    pub process_handler: Arc<dyn ProcessHandler>,
    /// Decides about bytes that cannot be decoded.
    pub decode_handler: Arc<dyn DeserializationHandler>,
    /// Where dead letters go.
    pub dead_letter_topic: Option<String>,
    /// A folder for persistent stores; without one all stores are kept in memory.
    pub state_dir: Option<PathBuf>,
    /// How many partitions every topic has, and so how many tasks there are. What is piped goes by the hash of its key's
    /// bytes, and to the first partition without one.
    pub partitions: i32,
    /// The topics that the log is said to have, for sources that read by a pattern.
    pub topics: Vec<String>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            application_id: "driver".to_owned(),
            cache_bytes_max: 0,
            wall_clock: Timestamp(0),
            process_handler: Arc::new(FailOnProcessError),
            decode_handler: Arc::new(FailOnDecodeError),
            dead_letter_topic: None,
            state_dir: None,
            partitions: 1,
            topics: Vec::new(),
        }
    }
}
