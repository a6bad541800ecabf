//! What librdkafka says by itself: log lines, which go to `tracing`, and errors of its connections, which are kept so
//! that a call that fails for want of a broker can say why.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rdkafka::ClientContext;
use rdkafka::bindings::rd_kafka_resp_err_t;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::permission::principal;
use super::settings::KafkaSettings;

/// Shared by a client and its callbacks.
#[derive(Debug, Default)]
pub(super) struct Signals {
    bootstrap: String,
    /// Whom the brokers take this client for.
    who: String,
    /// A topic that a transaction may not write to.
    denied: Mutex<Option<String>>,
    last: Mutex<Option<String>>,
    /// All brokers were lost since the last look.
    down: AtomicBool,
    /// Connections that were closed, by whomever.
    closed: AtomicU64,
}

impl Signals {
    pub(super) fn new(settings: &KafkaSettings) -> Self {
        Self { bootstrap: settings.bootstrap.clone(), who: principal(settings), ..Self::default() }
    }

    /// Whom the brokers take this client for.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// The topic that a transaction was found not to be allowed to write to.
    pub(super) fn denied(&self) -> Option<String> {
        self.denied.lock().ok().and_then(|denied| denied.clone())
    }

    /// A line of librdkafka's log. Lost connections are ordinary and told by the calls that fail of them: they are
    /// warnings to librdkafka and details to us.
    pub(super) fn log(&self, level: i32, facility: &str, line: &str) {
        // The only place where librdkafka names the topic. The transaction fails after this line.
        if let (Some(topic), Ok(mut denied)) = (refused_topic(facility, line), self.denied.lock()) {
            *denied = Some(topic);
        }
        // Calls fail of it, and say it in a sentence.
        let is_told = line.to_ascii_lowercase().contains("authorization") || self.denied().is_some();
        match level {
            0..=2 if !is_told => tracing::error!(target: "librdkafka", "{facility}: {line}"),
            0..=4 => tracing::debug!(target: "librdkafka", "{facility}: {line}"),
            _ => tracing::trace!(target: "librdkafka", "{facility}: {line}"),
        }
    }

    /// An error that belongs to no call.
    pub(super) fn failed(&self, code: i32, reason: &str) {
        tracing::debug!(target: "librdkafka", "{reason}");
        if code == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN as i32 {
            self.down.store(true, Ordering::Release);
        } else if let Ok(mut last) = self.last.lock() {
            *last = Some(reason.to_owned());
        }
    }

    /// Whether all brokers were lost since the last call.
    pub(super) fn take_down(&self) -> bool {
        self.down.load(Ordering::Acquire) && self.down.swap(false, Ordering::AcqRel)
    }

    /// A connection is being closed.
    pub(super) fn closing(&self) {
        self.closed.fetch_add(1, Ordering::AcqRel);
    }

    /// How many connections were closed so far.
    pub(super) fn closed(&self) -> u64 {
        self.closed.load(Ordering::Acquire)
    }

    /// Address and last error of a connection, for a sentence.
    pub(super) fn why(&self, fallback: &str) -> String {
        let last = self.last.lock().ok().and_then(|last| last.clone());
        format!("{}: {}", self.bootstrap, last.as_deref().unwrap_or(fallback))
    }
}

/// The topic of a partition that could not be added to a transaction for want of a permission.
fn refused_topic(facility: &str, line: &str) -> Option<String> {
    let (_, rest) = line.split_once("Failed to add partition \"").filter(|_| facility == "ADDPARTS")?;
    let (topic, rest) = rest.split_once('"')?;
    rest.contains("Topic authorization failed").then(|| topic.to_owned())
}

/// [`Signals`] as rdkafka's own clients take them.
#[derive(Debug, Clone)]
pub(super) struct SignalContext(pub(super) std::sync::Arc<Signals>);

impl ClientContext for SignalContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(0, |code| code as i32);
        self.0.failed(code, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for SignalContext {}
