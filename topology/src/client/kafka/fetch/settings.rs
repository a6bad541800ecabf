//! Which readers can be served here, and how much they fetch at once. Must not know the protocol.

use std::time::Duration;

use super::super::settings::{KafkaSettings, consumer_property};
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
    /// `None` where only librdkafka serves: encrypted or authenticated connections, and readers that were given
    /// librdkafka's own properties.
    pub(in super::super) fn of(
        cluster: &KafkaSettings,
        settings: &ConsumerSettings,
    ) -> Result<Option<Self>, ClientError> {
        let refuse = |reason: String| ClientError::Fatal { operation: "connecting to Kafka", reason };
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
                ("security.protocol", "plaintext") | ("client.id" | "group.protocol", _) => {}
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

    /// Whether the cluster can be reached over plain connections at all.
    pub(in super::super) fn is_plain(cluster: &KafkaSettings) -> bool {
        let mut security = cluster.properties.iter().filter(|(key, _)| key.ends_with("security.protocol"));
        security.all(|(_, value)| value.eq_ignore_ascii_case("plaintext"))
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
