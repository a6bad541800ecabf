//! How a cluster is reached, and what each kind of client is told: defaults, then the user's properties, then what the
//! traits of `client` promise and nobody may change.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::client::error::ClientError;
use crate::client::traits::{ConsumerSettings, Isolation, ProducerSettings};

/// A fetch that gathers is answered before its time when this much is there.
const GATHER_BYTES: usize = 256 << 10;

/// How to reach a Kafka cluster.
///
/// `properties` are librdkafka's. A plain key goes to all clients; one with a prefix (`consumer.`, `producer.`,
/// `admin.` or `control.`, the group's own member) goes to that kind alone and is stronger. One is candlewick's own:
/// `fetcher` says what reads records, `plain` (connections of our own, a fraction of the cost) or `librdkafka`. When it is
/// not given, `plain` is taken unless a consumer was given one of librdkafka's properties other than those of TLS (files in
/// PEM, a key that is not encrypted) and of a login by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
///
/// ```
/// use candlewick::client::kafka::KafkaSettings;
/// let mut settings = KafkaSettings::new("localhost:9092", "candles");
/// settings.properties.insert("producer.compression.type".to_owned(), "zstd".to_owned());
/// assert_eq!(settings.connect_timeout.as_secs(), 10);
/// ```
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, or several with commas.
    pub bootstrap: String,
    /// What brokers call this client in their logs and quotas.
    pub client_id: String,
    /// librdkafka's properties.
    pub properties: BTreeMap<String, String>,
    /// Memory that one consumer's fetched, not yet polled records may take, in bytes.
    pub fetch_bytes_max: usize,
    /// How long connecting waits for the first answer of a broker.
    pub connect_timeout: Duration,
}

/// Passwords and keys are left out.
impl std::fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_secret = |key: &str| SECRETS.iter().any(|part| key.contains(part));
        let shown = |(key, value): (&String, &String)| {
            (key.clone(), if is_secret(key) { "…".to_owned() } else { value.clone() })
        };
        f.debug_struct("KafkaSettings")
            .field("bootstrap", &self.bootstrap)
            .field("client_id", &self.client_id)
            .field("properties", &self.properties.iter().map(shown).collect::<BTreeMap<_, _>>())
            .field("fetch_bytes_max", &self.fetch_bytes_max)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

impl KafkaSettings {
    /// The defaults for this address.
    ///
    /// ```
    /// use candlewick::client::kafka::KafkaSettings;
    /// let settings = KafkaSettings::new("localhost:9092", "candles");
    /// assert_eq!(settings.bootstrap, "localhost:9092");
    /// ```
    #[must_use]
    pub fn new(bootstrap: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            client_id: client_id.into(),
            properties: BTreeMap::new(),
            fetch_bytes_max: 32 << 20,
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// Refuses, in one sentence, what this build or this engine cannot do.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        let refuse = |reason: String| Err(ClientError::Fatal { operation: "connecting to Kafka", reason });
        for (key, value) in &self.properties {
            let (_, plain) = split(key);
            if KEPT.contains(&plain) {
                return refuse(format!("the property `{key}` is set by candlewick itself: remove it"));
            }
            let is_file = plain.starts_with("ssl.") && plain.ends_with(".location") && value != "probe";
            if let Some(error) = is_file.then(|| std::fs::metadata(value).err()).flatten() {
                return refuse(format!("{key}={value} cannot be read: {error}"));
            }
            let tls = cfg!(feature = "kafka-tls");
            let value = value.to_ascii_lowercase();
            if plain == "security.protocol" && value.ends_with("ssl") && !tls {
                let reason = "needs TLS, which this build lacks: build with the cargo feature `kafka-tls`";
                return refuse(format!("security.protocol={value} {reason}"));
            }
            if matches!(plain, "sasl.mechanism" | "sasl.mechanisms") {
                if value == "gssapi" {
                    let reason = "Kerberos is not supported: use SCRAM-SHA-512, OAUTHBEARER or PLAIN";
                    return refuse(format!("{plain}=GSSAPI: {reason}"));
                }
                if value != "plain" && !tls {
                    let reason = "is not in this build: build with the cargo feature `kafka-tls`";
                    return refuse(format!("{plain}={value} {reason}"));
                }
            }
        }
        Ok(())
    }

    fn base(&self, prefix: &str, defaults: &[(&str, String)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("client.id", &self.client_id);
        // A broker that comes back is found soon; the default backs off to ten seconds.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "2000");
        config.set("log.connection.close", "false");
        for (key, value) in defaults {
            config.set(*key, value);
        }
        for strong in [false, true] {
            for (key, value) in &self.properties {
                let (kind, plain) = split(key);
                if kind == strong.then_some(prefix) && plain != "fetcher" {
                    config.set(plain, value);
                }
            }
        }
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// A consumer of assigned partitions.
    pub(super) fn consumer(&self, settings: &ConsumerSettings) -> ClientConfig {
        // The queue's limit counts keys and values alone. A queued record costs librdkafka some 250 bytes beside its own,
        // and a response is decompressed whole: measured, four times the limit and more, so it is an eighth.
        let queue = (settings.fetch_bytes_max.unwrap_or(self.fetch_bytes_max) / 8).max(256 << 10);
        let response = (queue / 2).max(64 << 10);
        // The end of a partition is known after at most the wait.
        let (least, wait) = match settings.gather.as_millis() {
            0 => (1, 100),
            gather => (GATHER_BYTES.min(response), gather),
        };
        let defaults = [
            ("queued.max.messages.kbytes", (queue / 1024).to_string()),
            ("queued.min.messages", (queue / 100).to_string()),
            ("fetch.max.bytes", response.to_string()),
            // Four partitions share a response: with two, the first ones run far ahead of the others.
            ("fetch.message.max.bytes", (response / 4).to_string()),
            // Means nothing to a consumer, but must not be above a response. A larger batch is fetched all the same.
            ("message.max.bytes", response.min(1_000_000).to_string()),
            // A full queue is looked at again after this; the default of a second starves a small one.
            ("fetch.queue.backoff.ms", "2".to_owned()),
            ("fetch.min.bytes", least.to_string()),
            ("fetch.wait.max.ms", wait.to_string()),
            ("fetch.error.backoff.ms", "100".to_owned()),
            ("check.crcs", "false".to_owned()),
        ];
        let mut config = self.base("consumer", &defaults);
        config.set("group.id", &settings.group);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error").set("enable.partition.eof", "true");
        config.set(
            "isolation.level",
            match settings.isolation {
                Isolation::ReadCommitted => "read_committed",
                Isolation::ReadUncommitted => "read_uncommitted",
            },
        );
        config
    }

    /// The member that speaks for the group.
    pub(super) fn control(&self, group: &str, session_timeout: Duration) -> ClientConfig {
        let session = session_timeout.as_millis().max(1);
        let mut config = self.base("control", &[]);
        // Under the `consumer` protocol the broker decides on timeouts and assignors, and refuses to be told.
        if config.get("group.protocol") != Some("consumer") {
            for (key, value) in [
                ("session.timeout.ms", session.to_string()),
                ("heartbeat.interval.ms", (session / 4).clamp(1, 3_000).to_string()),
                ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ] {
                if config.get(key).is_none() {
                    config.set(key, value);
                }
            }
        }
        config.set("group.id", group);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "latest").set("isolation.level", "read_committed");
        // Its records are dropped: it fetches as little as can be.
        config.set("queued.min.messages", "1").set("queued.max.messages.kbytes", "64");
        config
    }

    pub(super) fn producer(&self, settings: &ProducerSettings) -> ClientConfig {
        let linger = settings.linger.unwrap_or(Duration::from_millis(10));
        let queue = settings.queue_bytes_max.unwrap_or(8 << 20).max(1 << 20);
        // librdkafka wants no record to outlive its transaction, whose timeout is a minute unless said.
        let delivery = match (&settings.transactional_id, settings.transaction_timeout) {
            (Some(_), limit) => limit.unwrap_or(Duration::from_secs(60)),
            (None, _) => Duration::from_secs(120),
        };
        let defaults = [
            ("compression.type", "lz4".to_owned()),
            ("linger.ms", linger.as_millis().to_string()),
            ("queue.buffering.max.kbytes", (queue / 1024).to_string()),
            // A record in the queue costs some 300 bytes beside its own. Long queues and batches fall out of the
            // processor's caches: measured, 0.7 CPU-seconds a million records so, and 1.1 with ten times as long ones.
            ("queue.buffering.max.messages", (queue / 400).to_string()),
            ("batch.num.messages", "1000".to_owned()),
            ("message.timeout.ms", delivery.as_millis().to_string()),
            ("retry.backoff.ms", "20".to_owned()),
            ("topic.metadata.propagation.max.ms", "10000".to_owned()),
        ];
        let mut config = self.base("producer", &defaults);
        config.set("enable.idempotence", "true").set("acks", "all");
        if let Some(id) = &settings.transactional_id {
            config.set("transactional.id", id);
            if let Some(limit) = settings.transaction_timeout {
                config.set("transaction.timeout.ms", limit.as_millis().to_string());
            }
        }
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = self.base("admin", &[]);
        config.set_log_level(RDKafkaLogLevel::Emerg);
        config
    }

    /// A client of a group without members, to set its offsets.
    pub(super) fn outsider(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer(&ConsumerSettings::new(group, Isolation::ReadUncommitted));
        config.set("enable.partition.eof", "false");
        config
    }
}

/// A property's plain key, if it is meant for consumers of assigned partitions.
pub(super) fn consumer_property(key: &str) -> Option<&str> {
    meant_for(key, None).or_else(|| meant_for(key, Some("consumer")))
}

/// A property's plain key, if it has this prefix of a kind of client, or none.
pub(super) fn meant_for<'a>(key: &'a str, kind: Option<&str>) -> Option<&'a str> {
    let (prefix, plain) = split(key);
    (prefix == kind).then_some(plain)
}

/// What properties are called that hold secrets.
const SECRETS: [&str; 5] = ["password", "secret", "key.pem", "oauthbearer.config", "token"];

/// What the traits promise.
const KEPT: [&str; 9] = [
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "isolation.level",
    "enable.idempotence",
    "transactional.id",
    "group.id",
    "bootstrap.servers",
];

fn split(key: &str) -> (Option<&str>, &str) {
    match key.split_once('.') {
        Some((kind @ ("consumer" | "producer" | "admin" | "control"), rest)) => (Some(kind), rest),
        _ => (None, key),
    }
}
