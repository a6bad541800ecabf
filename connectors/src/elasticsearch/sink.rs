//! The sink's thread and its handle. Owns the start, the stop and what others see of it; the work itself is `pump`'s.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use candlewick::client::Log;

use super::client::Client;
use super::config::ElasticsearchConfig;
use super::error::ElasticsearchError;
use super::pump::Pump;
use super::status::{SharedStatus, SinkState, SinkStatus};

/// Writes a topic into an Elasticsearch index, on a thread of its own.
///
/// Every record that was committed when the sink read it stands in the index at least once, and, because ids and
/// versions are made from the record, exactly once. Offsets are committed after Elasticsearch has answered.
///
/// ```no_run
/// use candlewick::client::EmbeddedLog;
/// use candlewick_connectors::elasticsearch::{ElasticsearchConfig, ElasticsearchSink, JsonDocuments};
/// use std::{sync::Arc, time::Duration};
/// let log = EmbeddedLog::in_memory();
/// let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "minutes", Arc::new(JsonDocuments));
/// let sink = ElasticsearchSink::spawn(config, log)?;
/// let status = sink.stop(Duration::from_secs(10))?;
/// println!("{} documents written", status.written);
/// # Ok::<(), candlewick_connectors::elasticsearch::ElasticsearchError>(())
/// ```
#[derive(Debug)]
pub struct ElasticsearchSink;

/// A running sink. Dropping it stops the sink without waiting for it.
///
/// ```no_run
/// # use candlewick_connectors::elasticsearch::{ElasticsearchConfig, ElasticsearchSink, JsonDocuments, SinkState};
/// # use std::{sync::Arc, time::Duration};
/// # let log = candlewick::client::EmbeddedLog::in_memory();
/// # let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "candles-1m", Arc::new(JsonDocuments));
/// let sink = ElasticsearchSink::spawn(config, log)?;
/// if let SinkState::Waiting { reason } = sink.status().state {
///     println!("{reason}");
/// }
/// sink.stop(Duration::from_secs(10))?;
/// # Ok::<(), candlewick_connectors::elasticsearch::ElasticsearchError>(())
/// ```
#[derive(Debug)]
pub struct SinkHandle {
    status: SharedStatus,
    stop: Arc<Stop>,
    ended: Receiver<Result<(), ElasticsearchError>>,
}

/// The wish to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    wanted: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl Stop {
    fn ask(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.wanted.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// How long a call may take at most: its own time, or what is left until the deadline.
    pub(super) fn bound(&self, time: Duration) -> Duration {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.map_or(time, |deadline| deadline.saturating_duration_since(Instant::now()).min(time))
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_wanted() && self.bound(Duration::from_secs(1)).is_zero()
    }
}

impl ElasticsearchSink {
    /// Starts a sink. Elasticsearch and the topic may be missing: the sink says so in its status and waits for them.
    ///
    /// ```no_run
    /// # use candlewick_connectors::elasticsearch::{ElasticsearchConfig, ElasticsearchSink, JsonDocuments, SinkState};
    /// # use std::{sync::Arc, time::Duration};
    /// # let log = candlewick::client::EmbeddedLog::in_memory();
    /// # let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "candles-1m", Arc::new(JsonDocuments));
    /// let sink = ElasticsearchSink::spawn(config, log)?;
    /// # sink.stop(Duration::from_secs(10))?;
    /// # Ok::<(), candlewick_connectors::elasticsearch::ElasticsearchError>(())
    /// ```
    ///
    /// # Errors
    /// When the settings cannot be used, or no thread can be started.
    pub fn spawn(config: ElasticsearchConfig, log: Arc<dyn Log>) -> Result<SinkHandle, ElasticsearchError> {
        let client = Client::new(&config)?;
        let status = SharedStatus::new(&config.topic);
        let stop = Arc::new(Stop::default());
        let (done, ended) = channel();
        let name = format!("sink-{}", config.index);
        let (own_status, own_stop) = (status.clone(), Arc::clone(&stop));
        let work = move || {
            let topic = config.topic.clone();
            let answer = Pump::new(config, client, log, own_status.clone(), own_stop).run();
            match &answer {
                Ok(()) => own_status.set(SinkState::Stopped),
                Err(error) => {
                    tracing::error!(topic, %error, "the Elasticsearch sink ended");
                    own_status.set(SinkState::Failed { reason: error.to_string() })
                }
            };
            // Nobody listens when the handle was dropped.
            let _ = done.send(answer);
        };
        let spawned = std::thread::Builder::new().name(name).spawn(work);
        spawned.map_err(|error| ElasticsearchError::Thread { reason: error.to_string() })?;
        Ok(SinkHandle { status, stop, ended })
    }
}

impl SinkHandle {
    /// What the sink is doing, and its counts.
    ///
    /// ```no_run
    /// # use candlewick_connectors::elasticsearch::{ElasticsearchConfig, ElasticsearchSink, JsonDocuments, SinkState};
    /// # use std::{sync::Arc, time::Duration};
    /// # let log = candlewick::client::EmbeddedLog::in_memory();
    /// # let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "candles-1m", Arc::new(JsonDocuments));
    /// let sink = ElasticsearchSink::spawn(config, log)?;
    /// assert_eq!(sink.status().written, 0);
    /// # Ok::<(), candlewick_connectors::elasticsearch::ElasticsearchError>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        self.status.get()
    }

    /// Stops the sink: what is pending is sent and committed if that can be done within `deadline`; what is not is read
    /// again at the next start.
    ///
    /// ```no_run
    /// # use candlewick_connectors::elasticsearch::{ElasticsearchConfig, ElasticsearchSink, JsonDocuments, SinkState};
    /// # use std::{sync::Arc, time::Duration};
    /// # let log = candlewick::client::EmbeddedLog::in_memory();
    /// # let config = ElasticsearchConfig::new("http://localhost:9200", "candles", "candles-1m", Arc::new(JsonDocuments));
    /// let sink = ElasticsearchSink::spawn(config, log)?;
    /// assert_eq!(sink.stop(Duration::from_secs(10))?.state, SinkState::Stopped);
    /// # Ok::<(), candlewick_connectors::elasticsearch::ElasticsearchError>(())
    /// ```
    ///
    /// # Errors
    /// The error by which the sink had ended, or [`ElasticsearchError::Thread`] when it does not end in time.
    pub fn stop(self, deadline: Duration) -> Result<SinkStatus, ElasticsearchError> {
        self.stop.ask(Instant::now() + deadline);
        // The last call may be on its way when the deadline comes.
        match self.ended.recv_timeout(deadline + Duration::from_secs(5)) {
            Ok(answer) => answer.map(|()| self.status.get()),
            Err(_) => Err(ElasticsearchError::Thread { reason: "it did not end in time".to_string() }),
        }
    }
}

impl Drop for SinkHandle {
    fn drop(&mut self) {
        if !self.stop.is_wanted() {
            self.stop.ask(Instant::now());
        }
    }
}
