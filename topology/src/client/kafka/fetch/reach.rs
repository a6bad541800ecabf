//! Whether a cluster can be reached at all: the first question of a process. Must not know what it will be asked later.

use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::dialogue::Dialogue;
use super::messages::{METADATA, write_metadata};
use crate::client::error::ClientError;

/// Waits for an answer of any broker; a refused login or certificate is told at once.
pub(in super::super) fn reach(settings: &KafkaSettings, timeout: Duration) -> Result<(), ClientError> {
    let mut brokers = Dialogue::new(settings, "connecting to Kafka", timeout)?;
    brokers.ask(None, METADATA, |writer| write_metadata(writer, std::iter::empty())).map(|_| ())
}
