//! Which readers can be served here, and how much they fetch at once. Must not know the protocol.

use std::time::Duration;

use super::super::settings::{KafkaSettings, consumer_property};
use super::security::{Security, is_about_security};
use crate::client::error::ClientError;
use crate::client::traits::{ConsumerSettings, Isolation};

/// A fetch that gathers is answered before its time when this much is there.
const GATHER_BYTES: usize = 256 << 10;
/// A fetch without anything to gather is answered after this, with nothing: the end of a partition is known so.
const WAIT: Duration = Duration::from_millis(100);

/// How a reader fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct FetchSettings {
    pub(super) isolation: Isolation,
    pub(super) wait: Duration,
    pub(super) bytes_min: usize,
    pub(super) bytes_max: usize,
    pub(super) partition_bytes_max: usize,
}

impl FetchSettings {
    /// `None` where only librdkafka serves: connections secured in a way that is its own, and readers that were given its
    /// properties.
    pub(in super::super) fn of(
        cluster: &KafkaSettings,
        settings: &ConsumerSettings,
    ) -> Result<Option<Self>, ClientError> {
        let refuse = |reason: String| ClientError::Fatal { operation: "connecting to Kafka", reason };
        let is_ours = Security::is_ours(cluster, "consumer");
        let mut foreign = None;
        let mut chosen = None;
        for (key, value) in &cluster.properties {
            let Some(plain) = consumer_property(key) else { continue };
            match (plain, value.to_ascii_lowercase().as_str()) {
                ("fetcher", "plain") => chosen = Some(true),
                ("fetcher", "librdkafka") => chosen = Some(false),
                ("fetcher", other) => {
                    return Err(refuse(format!("fetcher={other}: write `plain` or `librdkafka`")));
                }
                ("client.id" | "group.protocol", _) => {}
                (plain, _) if is_about_security(plain) && is_ours => {}
                _ => foreign = Some(key),
            }
        }
        match (chosen, foreign) {
            (Some(true), Some(key)) => {
                let reason =
                    "is a property of librdkafka, which `fetcher=plain` does not use: remove one of them";
                Err(refuse(format!("`{key}` {reason}")))
            }
            (Some(false), _) | (None, Some(_)) => Ok(None),
            _ => Ok(Some(Self::within(settings, cluster.fetch_bytes_max))),
        }
    }

    /// Whether connections of our own reach the cluster at all.
    pub(in super::super) fn can_reach(cluster: &KafkaSettings) -> bool {
        Security::is_ours(cluster, "admin")
    }

    fn within(settings: &ConsumerSettings, default_bytes: usize) -> Self {
        // A response is here while the next one comes, and what is unpacked of it is some times as large.
        let room = settings.fetch_bytes_max.unwrap_or(default_bytes) / 16;
        let bytes_max = room.clamp(64 << 10, 4 << 20);
        let (bytes_min, wait) = match settings.gather {
            Duration::ZERO => (1, WAIT),
            gather => (GATHER_BYTES.min(bytes_max), gather),
        };
        // Four partitions share a response: with two, the first ones run far ahead of the others.
        let partition_bytes_max = bytes_max / 4;
        Self { isolation: settings.isolation, wait, bytes_min, bytes_max, partition_bytes_max }
    }
}
