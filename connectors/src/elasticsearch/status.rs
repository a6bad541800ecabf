//! What the sink tells of itself to others: its state in words, its counts, and the metrics of the same names. Owns
//! nothing of the work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the sink is doing.
///
/// ```
/// use candlewick_connectors::elasticsearch::SinkState;
/// let is_over = |state: &SinkState| matches!(state, SinkState::Stopped | SinkState::Failed { .. });
/// assert!(!is_over(&SinkState::Waiting { reason: "Elasticsearch does not answer".to_owned() }));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SinkState {
    /// It reaches for Elasticsearch and its group.
    #[default]
    Starting,
    /// It reads and writes.
    Running,
    /// It holds its input and tries again.
    Waiting {
        /// Why, as a sentence.
        reason: String,
    },
    /// It was stopped in good order.
    Stopped,
    /// It ended by itself.
    Failed {
        /// Why, as a sentence.
        reason: String,
    },
}

/// State and counts of a sink since its start.
///
/// ```
/// use candlewick_connectors::elasticsearch::{SinkState, SinkStatus};
/// let status = SinkStatus::default();
/// assert_eq!((status.state, status.written), (SinkState::Starting, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkStatus {
    /// What it is doing.
    pub state: SinkState,
    /// Documents written.
    pub written: u64,
    /// Documents deleted.
    pub deleted: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Records that were left out.
    pub skipped: u64,
    /// Bulk requests.
    pub requests: u64,
    /// Requests and items that were sent again.
    pub retries: u64,
    /// Partitions it reads.
    pub partitions: usize,
}

/// The status, shared between the sink's thread and its handle.
#[derive(Clone, Debug)]
pub(super) struct SharedStatus {
    held: Arc<Mutex<SinkStatus>>,
    written: metrics::Counter,
    dead_letters: metrics::Counter,
    skipped: metrics::Counter,
    retries: metrics::Counter,
    waiting: metrics::Gauge,
    partitions: metrics::Gauge,
    pending: metrics::Gauge,
    request: metrics::Histogram,
}

impl SharedStatus {
    pub(super) fn new(topic: &str) -> Self {
        let labels = [("sink", "elasticsearch".to_string()), ("topic", topic.to_string())];
        Self {
            held: Arc::default(),
            written: metrics::counter!("candlewick_sink_written_total", &labels),
            dead_letters: metrics::counter!("candlewick_sink_dead_letters_total", &labels),
            skipped: metrics::counter!("candlewick_sink_skipped_total", &labels),
            retries: metrics::counter!("candlewick_sink_retries_total", &labels),
            waiting: metrics::gauge!("candlewick_sink_waiting", &labels),
            partitions: metrics::gauge!("candlewick_sink_partitions", &labels),
            pending: metrics::gauge!("candlewick_sink_pending_documents", &labels),
            request: metrics::histogram!("candlewick_sink_request_seconds", &labels),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SinkStatus> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self) -> SinkStatus {
        self.lock().clone()
    }

    /// Sets the state; whether it is another one than before.
    pub(super) fn set(&self, state: SinkState) -> bool {
        let mut held = self.lock();
        self.waiting.set(if matches!(state, SinkState::Waiting { .. }) { 1.0 } else { 0.0 });
        let other = std::mem::discriminant(&held.state) != std::mem::discriminant(&state);
        held.state = state;
        other
    }

    #[expect(clippy::cast_precision_loss, reason = "few partitions")]
    pub(super) fn set_partitions(&self, count: usize) {
        self.partitions.set(count as f64);
        self.lock().partitions = count;
    }

    pub(super) fn count_done(&self, deletes: bool) {
        self.written.increment(1);
        let mut held = self.lock();
        if deletes {
            held.deleted += 1;
        } else {
            held.written += 1;
        }
    }

    pub(super) fn count_dead_letter(&self) {
        self.dead_letters.increment(1);
        self.lock().dead_letters += 1;
    }

    pub(super) fn count_skipped(&self) {
        self.skipped.increment(1);
        self.lock().skipped += 1;
    }

    /// One request was answered, or not, after this time; so many documents are on their way still.
    #[expect(clippy::cast_precision_loss, reason = "few documents wait at once")]
    pub(super) fn count_request(&self, took: Duration, pending: usize) {
        self.request.record(took);
        self.pending.set(pending as f64);
        self.lock().requests += 1;
    }

    pub(super) fn count_retries(&self, count: usize) {
        let count = count as u64;
        self.retries.increment(count);
        self.lock().retries += count;
    }
}
