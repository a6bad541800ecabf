//! The application's configuration: a typed struct, which a TOML file and environment variables can fill. A key that
//! does not exist is an error that names the nearest one that does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::processor::ErrorPolicy;

/// What a commit promises.
///
/// ```
/// use candlewick::{Guarantee, StreamsConfig};
/// let config = StreamsConfig { guarantee: Guarantee::ExactlyOnce, ..StreamsConfig::new("app") };
/// assert_eq!(config.commit_interval().as_millis(), 100);
/// assert_eq!(StreamsConfig::new("app").commit_interval().as_millis(), 30_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// After a crash some records are processed again.
    #[default]
    AtLeastOnce,
    /// Every record's effects on topics and stores happen once, by transactions.
    ExactlyOnce,
}

/// How an application runs. Every field has Kafka Streams' default unless its doc says otherwise.
///
/// ```
/// use candlewick::{Guarantee, StreamsConfig};
/// let config = StreamsConfig {
///     threads: 2,
///     guarantee: Guarantee::ExactlyOnce,
///     ..StreamsConfig::new("word-count")
/// };
/// assert_eq!(config.commit_interval().as_millis(), 100);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StreamsConfig {
    /// Names the group, the internal topics and the state folder: the application's identity.
    pub application_id: String,
    /// Stream threads of this instance.
    pub threads: usize,
    /// What a commit promises.
    pub guarantee: Guarantee,
    /// Milliseconds between commits; by default 30,000 at least once, 100 exactly once.
    pub commit_interval_ms: Option<u64>,
    /// Bytes of write-back cache for the whole instance; 0 forwards every update at once.
    pub cache_bytes_max: usize,
    /// Bytes of fetched and of unsent records that the clients of all threads may hold together.
    pub buffer_bytes_max: usize,
    /// Bytes of anonymous memory for the whole instance, divided over caches, clients and everything else that grows with the
    /// load; `cache_bytes_max` and `buffer_bytes_max` then count no more. Files that are mapped, which the kernel takes back
    /// as it needs, are not in it; nor are stores that are kept in memory, or what a processor keeps for itself.
    pub memory_bytes_max: Option<usize>,
    /// Where stores live between runs; without it they are kept in memory and restored at every start.
    pub state_dir: Option<PathBuf>,
    /// Records that may wait per partition before it is paused.
    pub buffered_records_max: usize,
    /// Records taken from the log by one poll.
    pub poll_records_max: usize,
    /// Milliseconds a poll waits for records.
    pub poll_ms: u64,
    /// Milliseconds that a task of several partitions waits for more in one that it has read to its end, before it goes on
    /// with the others: records of joined topics that are written late are then still taken in the order of their times.
    /// It always waits for what is in the log already, whatever this is, unless it is negative: then it never waits
    /// (Kafka Streams' `max.task.idle.ms`, KIP-695).
    pub max_task_idle_ms: i64,
    /// Replicas of internal topics; -1 is the log's default.
    pub replication_factor: i16,
    /// The topic for records that could not be processed; made with one partition when it is missing.
    pub dead_letter_topic: Option<String>,
    /// What to do about records that cannot be decoded, in place of the handler that the program gives.
    pub decode_errors: Option<ErrorPolicy>,
    /// What to do about records that a node refuses, or panics at, in place of the handler that the program gives.
    pub process_errors: Option<ErrorPolicy>,
    /// What to do about records that an output topic refuses, such as one that is too large; by default the application
    /// fails. Changelogs are never left incomplete.
    pub produce_errors: Option<ErrorPolicy>,
    /// Milliseconds a member of the group may be silent before its tasks go to others.
    pub session_timeout_ms: u64,
    /// Milliseconds after which the log aborts a transaction that its owner left open.
    pub transaction_timeout_ms: u64,
    /// Milliseconds to wait for missing source topics at start; 0 fails at once.
    pub topic_wait_ms: u64,
    /// Milliseconds that window changelogs are kept longer than their windows; negative keeps them for good. Logs delete by
    /// the time of records, so this must exceed how far the application may lag behind the wall clock: recorded input,
    /// whose time is long past, needs -1.
    pub window_changelog_additional_retention_ms: i64,
    /// Milliseconds between deletions of what was read from repartition topics.
    pub repartition_purge_interval_ms: u64,
    /// Milliseconds that one call to the log may take before it is reported.
    pub request_timeout_ms: u64,
    /// Milliseconds that the tasks of an instance that crashed wait for it to come back before others take them. They wait
    /// for the session timeout in any case; those of an instance that stops in good order do not wait, nor do those of whose
    /// stores another instance has a copy that is near.
    pub scheduled_rebalance_delay_ms: u64,
    /// Copies of each task's stores that other instances keep up to date, to take the task over at once when its owner goes
    /// (Kafka Streams' `num.standby.replicas`).
    pub standby_replicas: usize,
    /// Tasks at a time of whose stores copies are made where they are to move; they run where they are until those are near
    /// (Kafka Streams' `max.warmup.replicas`). With 0, tasks move at once and are restored while nobody runs them.
    pub warmup_replicas_max: usize,
    /// Records that a copy may be behind its changelogs for a task to move to it (Kafka Streams'
    /// `acceptable.recovery.lag`).
    pub acceptable_recovery_lag: i64,
    /// Milliseconds within which every task's stores are copied to where snapshots are kept, if that is anywhere.
    pub snapshot_interval_ms: u64,
    /// Milliseconds after which a thread that does not give up a task ends the instance.
    pub task_stuck_after_ms: u64,
    /// Where other instances and their users reach this one, such as `10.0.0.7:8080`.
    pub endpoint: Option<String>,
}

impl Default for StreamsConfig {
    fn default() -> Self {
        Self {
            application_id: String::new(),
            threads: 1,
            guarantee: Guarantee::AtLeastOnce,
            commit_interval_ms: None,
            cache_bytes_max: 10 << 20,
            buffer_bytes_max: 32 << 20,
            memory_bytes_max: None,
            state_dir: None,
            buffered_records_max: 1_000,
            poll_records_max: 1_000,
            poll_ms: 100,
            max_task_idle_ms: 0,
            replication_factor: -1,
            dead_letter_topic: None,
            decode_errors: None,
            process_errors: None,
            produce_errors: None,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            topic_wait_ms: 60_000,
            window_changelog_additional_retention_ms: 86_400_000,
            repartition_purge_interval_ms: 30_000,
            request_timeout_ms: 30_000,
            scheduled_rebalance_delay_ms: 0,
            standby_replicas: 0,
            warmup_replicas_max: 2,
            acceptable_recovery_lag: 10_000,
            snapshot_interval_ms: 600_000,
            task_stuck_after_ms: 60_000,
            endpoint: None,
        }
    }
}

/// Why a configuration cannot be used.
///
/// ```
/// use candlewick::StreamsConfig;
/// let variables = [("CANDLEWICK_STREAMS_THREAD".to_owned(), "2".to_owned())];
/// let error = StreamsConfig::new("app").with_environment(variables).expect_err("misspelt");
/// assert_eq!(error.to_string(), "CANDLEWICK_STREAMS_THREAD: unknown key thread; did you mean threads?");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A key that does not exist.
    #[error("{place}: unknown key {key}; did you mean {nearest}?")]
    UnknownKey {
        /// Where it was found.
        place: String,
        /// The key.
        key: String,
        /// The nearest key that exists.
        nearest: &'static str,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A value of the wrong kind.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where it was found.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

const KEYS: [&str; 30] = [
    "application-id",
    "threads",
    "guarantee",
    "commit-interval-ms",
    "cache-bytes-max",
    "buffer-bytes-max",
    "memory-bytes-max",
    "state-dir",
    "buffered-records-max",
    "poll-records-max",
    "poll-ms",
    "max-task-idle-ms",
    "replication-factor",
    "dead-letter-topic",
    "decode-errors",
    "process-errors",
    "produce-errors",
    "session-timeout-ms",
    "transaction-timeout-ms",
    "topic-wait-ms",
    "window-changelog-additional-retention-ms",
    "repartition-purge-interval-ms",
    "request-timeout-ms",
    "scheduled-rebalance-delay-ms",
    "standby-replicas",
    "warmup-replicas-max",
    "acceptable-recovery-lag",
    "snapshot-interval-ms",
    "task-stuck-after-ms",
    "endpoint",
];

impl StreamsConfig {
    /// Defaults for this application.
    ///
    /// ```
    /// use candlewick::{Guarantee, StreamsConfig};
    /// let config = StreamsConfig { guarantee: Guarantee::ExactlyOnce, ..StreamsConfig::new("app") };
    /// assert_eq!(config.application_id, "app");
    /// ```
    #[must_use]
    pub fn new(application_id: impl Into<String>) -> Self {
        Self { application_id: application_id.into(), ..Self::default() }
    }

    /// Reads a TOML file of keys such as `commit-interval-ms = 1000`.
    ///
    /// ```
    /// use candlewick::StreamsConfig;
    /// let folder = tempfile::tempdir().expect("a temporary folder");
    /// let path = folder.path().join("app.toml");
    /// std::fs::write(&path, "application-id = \"counter\"\nthreads = 4\n").expect("written");
    /// let config = StreamsConfig::from_toml(&path).expect("valid");
    /// assert_eq!((config.application_id.as_str(), config.threads), ("counter", 4));
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, or a key or value is wrong.
    pub fn from_toml(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    pub(super) fn parse(place: &str, text: &str) -> Result<Self, ConfigError> {
        let invalid = |error: toml::de::Error| ConfigError::Invalid {
            place: place.to_owned(),
            reason: error.to_string(),
        };
        let table: toml::Table = text.parse().map_err(invalid)?;
        for key in table.keys() {
            known(place, key)?;
        }
        let config: Self = table.try_into().map_err(invalid)?;
        config.check(place)
    }

    /// Overrides fields by variables such as `CANDLEWICK_STREAMS_COMMIT_INTERVAL_MS`.
    ///
    /// ```
    /// use candlewick::StreamsConfig;
    /// // Of a program: `std::env::vars()`.
    /// let variables = [("CANDLEWICK_STREAMS_THREADS".to_owned(), "4".to_owned())];
    /// let config = StreamsConfig::new("counter").with_environment(variables).expect("valid");
    /// assert_eq!(config.threads, 4);
    /// ```
    ///
    /// # Errors
    /// When a variable names no key or holds a value of the wrong kind.
    pub fn with_environment(
        self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        const PREFIX: &str = "CANDLEWICK_STREAMS_";
        let mut overrides = BTreeMap::new();
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            let key = key.to_lowercase().replace('_', "-");
            known(&name, &key)?;
            let place = name.clone();
            let quoted =
                value.parse::<i64>().map_or_else(|_| toml::Value::String(value), toml::Value::Integer);
            overrides.insert(key, (place, quoted));
        }
        let mut config = self;
        for (key, (place, value)) in overrides {
            config = config.with(&key, value, &place)?;
        }
        Ok(config)
    }

    fn with(mut self, key: &str, value: toml::Value, place: &str) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        table.insert(key.to_owned(), value);
        let one: Self = table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid {
            place: place.to_owned(),
            reason: error.to_string(),
        })?;
        match key {
            "application-id" => self.application_id = one.application_id,
            "threads" => self.threads = one.threads,
            "guarantee" => self.guarantee = one.guarantee,
            "commit-interval-ms" => self.commit_interval_ms = one.commit_interval_ms,
            "cache-bytes-max" => self.cache_bytes_max = one.cache_bytes_max,
            "buffer-bytes-max" => self.buffer_bytes_max = one.buffer_bytes_max,
            "memory-bytes-max" => self.memory_bytes_max = one.memory_bytes_max,
            "state-dir" => self.state_dir = one.state_dir,
            "buffered-records-max" => self.buffered_records_max = one.buffered_records_max,
            "poll-records-max" => self.poll_records_max = one.poll_records_max,
            "poll-ms" => self.poll_ms = one.poll_ms,
            "max-task-idle-ms" => self.max_task_idle_ms = one.max_task_idle_ms,
            "replication-factor" => self.replication_factor = one.replication_factor,
            "dead-letter-topic" => self.dead_letter_topic = one.dead_letter_topic,
            "decode-errors" => self.decode_errors = one.decode_errors,
            "process-errors" => self.process_errors = one.process_errors,
            "produce-errors" => self.produce_errors = one.produce_errors,
            "session-timeout-ms" => self.session_timeout_ms = one.session_timeout_ms,
            "transaction-timeout-ms" => self.transaction_timeout_ms = one.transaction_timeout_ms,
            "topic-wait-ms" => self.topic_wait_ms = one.topic_wait_ms,
            "window-changelog-additional-retention-ms" => {
                self.window_changelog_additional_retention_ms = one.window_changelog_additional_retention_ms;
            }
            "repartition-purge-interval-ms" => {
                self.repartition_purge_interval_ms = one.repartition_purge_interval_ms;
            }
            "scheduled-rebalance-delay-ms" => {
                self.scheduled_rebalance_delay_ms = one.scheduled_rebalance_delay_ms;
            }
            "standby-replicas" => self.standby_replicas = one.standby_replicas,
            "warmup-replicas-max" => self.warmup_replicas_max = one.warmup_replicas_max,
            "acceptable-recovery-lag" => self.acceptable_recovery_lag = one.acceptable_recovery_lag,
            "snapshot-interval-ms" => self.snapshot_interval_ms = one.snapshot_interval_ms,
            "task-stuck-after-ms" => self.task_stuck_after_ms = one.task_stuck_after_ms,
            "endpoint" => self.endpoint = one.endpoint,
            _ => self.request_timeout_ms = one.request_timeout_ms,
        }
        self.check(place)
    }

    fn check(self, place: &str) -> Result<Self, ConfigError> {
        let reason = match () {
            () if self.threads == 0 => "threads must be at least 1",
            () if self.poll_records_max == 0 || self.buffered_records_max == 0 => {
                "poll-records-max and buffered-records-max must be at least 1"
            }
            () if self.guarantee == Guarantee::ExactlyOnce
                && self.commit_interval().as_millis() >= u128::from(self.transaction_timeout_ms) =>
            {
                "commit-interval-ms must be shorter than transaction-timeout-ms under exactly-once"
            }
            () => return Ok(self),
        };
        Err(ConfigError::Invalid { place: place.to_owned(), reason: reason.to_owned() })
    }

    /// Time between commits.
    ///
    /// ```
    /// use candlewick::{Guarantee, StreamsConfig};
    /// let config = StreamsConfig { guarantee: Guarantee::ExactlyOnce, ..StreamsConfig::new("app") };
    /// assert_eq!(config.commit_interval().as_millis(), 100);
    /// ```
    #[must_use]
    pub fn commit_interval(&self) -> std::time::Duration {
        let default = match self.guarantee {
            Guarantee::AtLeastOnce => 30_000,
            Guarantee::ExactlyOnce => 100,
        };
        std::time::Duration::from_millis(self.commit_interval_ms.unwrap_or(default))
    }
}

fn known(place: &str, key: &str) -> Result<(), ConfigError> {
    if KEYS.contains(&key) {
        return Ok(());
    }
    let nearest = KEYS.into_iter().min_by_key(|known| distance(known, key)).unwrap_or(KEYS[0]);
    Err(ConfigError::UnknownKey { place: place.to_owned(), key: key.to_owned(), nearest })
}

/// Edits between two keys (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_names_the_nearest_one() {
        let error = StreamsConfig::parse("app.toml", "commit-intervall-ms = 5").expect_err("misspelt");
        assert_eq!(
            error.to_string(),
            "app.toml: unknown key commit-intervall-ms; did you mean commit-interval-ms?"
        );
    }

    #[test]
    fn every_key_can_be_set_by_file_and_by_environment() {
        let config = StreamsConfig::parse("t", "threads = 3\nguarantee = \"exactly-once\"").expect("valid");
        let variables = [("CANDLEWICK_STREAMS_COMMIT_INTERVAL_MS".to_string(), "250".to_string())];
        let config = config.with_environment(variables).expect("valid");
        assert_eq!((config.threads, config.commit_interval().as_millis()), (3, 250));
        let wrong = [("CANDLEWICK_STREAMS_THREADS".to_string(), "many".to_string())];
        assert!(config.with_environment(wrong).is_err());
    }
}
