//! A topic's configuration by Kafka's keys: what the embedded log understands, checked and with its defaults.
//! Must not know files or partitions.

use std::collections::BTreeMap;

use super::settings::EmbeddedSettings;

/// The parsed configuration of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicConfig {
    /// The pairs as they were given.
    pub(super) given: BTreeMap<String, String>,
    pub(super) compacts: bool,
    pub(super) deletes: bool,
    /// `None` keeps records for ever.
    pub(super) retention_ms: Option<i64>,
    /// `None` sets no bound.
    pub(super) retention_bytes: Option<u64>,
    pub(super) segment_bytes: u64,
    pub(super) segment_ms: i64,
    pub(super) delete_retention_ms: i64,
    pub(super) min_compaction_lag_ms: i64,
    /// Share of bytes not compacted yet, in thousandths, from which compaction runs.
    pub(super) min_cleanable_permille: u64,
    pub(super) message_bytes_max: usize,
    /// Whether the log's clock, not the producer, gives the records their time.
    pub(super) stamps_on_append: bool,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

impl TopicConfig {
    /// Parses `given`.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with its value.
    pub(super) fn parse(
        given: &BTreeMap<String, String>,
        settings: &EmbeddedSettings,
    ) -> Result<Self, String> {
        let policy = given.get("cleanup.policy").map_or("delete", String::as_str);
        let mut config = Self {
            given: given.clone(),
            compacts: false,
            deletes: false,
            retention_ms: bound(number(given, "retention.ms", -1)?),
            retention_bytes: bound(number(given, "retention.bytes", -1)?).map(i64::cast_unsigned),
            segment_bytes: number(given, "segment.bytes", settings.segment_bytes.cast_signed())?
                .max(1)
                .cast_unsigned(),
            segment_ms: number(given, "segment.ms", 7 * DAY_MS)?.max(1),
            delete_retention_ms: number(given, "delete.retention.ms", DAY_MS)?.max(0),
            min_compaction_lag_ms: number(given, "min.compaction.lag.ms", 0)?.max(0),
            min_cleanable_permille: ratio(given, "min.cleanable.dirty.ratio", 500)?,
            message_bytes_max: usize::try_from(number(given, "max.message.bytes", 1_048_588)?)
                .map_err(|_| "max.message.bytes must not be negative".to_owned())?,
            stamps_on_append: false,
        };
        config.stamps_on_append = match given
            .get("message.timestamp.type")
            .map_or("CreateTime", String::as_str)
        {
            "CreateTime" => false,
            "LogAppendTime" => true,
            other => {
                return Err(format!("message.timestamp.type is CreateTime or LogAppendTime, not {other}"));
            }
        };
        for part in policy.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part {
                "compact" => config.compacts = true,
                "delete" => config.deletes = true,
                other => return Err(format!("cleanup.policy knows compact and delete, not {other}")),
            }
        }
        Ok(config)
    }

    /// The configuration as an administrator sees it: what was given, over the defaults that are in force.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let unbounded = |value: Option<i64>| value.unwrap_or(-1).to_string();
        let defaults = [
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", unbounded(self.retention_ms)),
            ("retention.bytes", unbounded(self.retention_bytes.map(u64::cast_signed))),
            ("segment.bytes", self.segment_bytes.to_string()),
            ("segment.ms", self.segment_ms.to_string()),
            ("delete.retention.ms", self.delete_retention_ms.to_string()),
            ("min.compaction.lag.ms", self.min_compaction_lag_ms.to_string()),
            ("max.message.bytes", self.message_bytes_max.to_string()),
            ("message.timestamp.type", "CreateTime".to_owned()),
        ];
        let mut shown: BTreeMap<String, String> =
            defaults.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        shown.extend(self.given.clone());
        shown
    }
}

fn number(given: &BTreeMap<String, String>, key: &str, default: i64) -> Result<i64, String> {
    given.get(key).map_or(Ok(default), |text| {
        text.trim().parse().map_err(|_| format!("{key} must be a whole number, not {text:?}"))
    })
}

fn ratio(given: &BTreeMap<String, String>, key: &str, default: u64) -> Result<u64, String> {
    given.get(key).map_or(Ok(default), |text| match text.trim().parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((share * 1_000.0) as u64),
        _ => Err(format!("{key} must be between 0 and 1, not {text:?}")),
    })
}

fn bound(value: i64) -> Option<i64> {
    (value >= 0).then_some(value)
}
