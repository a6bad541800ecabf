//! What librdkafka says by itself: log lines, which go to `tracing`, and errors of its connections, which are kept so
//! that a call that fails for want of a broker can say why.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::bindings::rd_kafka_resp_err_t;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// Shared by a client and its callbacks.
#[derive(Debug, Default)]
pub(super) struct Signals {
    bootstrap: String,
    last: Mutex<Option<String>>,
    /// All brokers were lost since the last look.
    down: AtomicBool,
}

impl Signals {
    pub(super) fn new(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), ..Self::default() }
    }

    /// A line of librdkafka's log. Lost connections are ordinary and told by the calls that fail of them: they are
    /// warnings to librdkafka and details to us.
    pub(super) fn log(&self, level: i32, facility: &str, line: &str) {
        match level {
            0..=2 => tracing::error!(target: "librdkafka", "{facility}: {line}"),
            3 | 4 => tracing::debug!(target: "librdkafka", "{facility}: {line}"),
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

    /// Address and last error of a connection, for a sentence.
    pub(super) fn why(&self, fallback: &str) -> String {
        let last = self.last.lock().ok().and_then(|last| last.clone());
        format!("{}: {}", self.bootstrap, last.as_deref().unwrap_or(fallback))
    }
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
