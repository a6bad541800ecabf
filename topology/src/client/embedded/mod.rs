//! The embedded log: an implementation of the client traits in process, durable in a folder or in memory. Owns its files
//! and their format. Must not know Kafka, tasks or stores.
//!
//! Layout of a folder: `lock`; `format`; `state-N.log`, the internal log of transactions and groups; `synced`, how far
//! things are known to be on disk; `topics/<name>/topic.json`; `topics/<name>/<partition>/<first offset>.log`, segments of
//! batches; `drafts/`, emptied at open. Everything else is derived at open by reading those.
//!
//! A killed process loses nothing that was written (`poll` and `flush` of a producer write). A machine that stops without
//! warning loses at most what was written since the last sync, for each file on its own: a transaction decided in that
//! time may be whole in one partition and cut off in another.

mod admin;
mod balance;
mod batch;
mod clean;
mod consumer;
mod coordination;
mod group;
mod housekeeper;
mod inner;
mod journal;
mod membership;
mod partition;
mod producer;
mod read;
mod recover;
mod segment;
mod settings;
mod topic_config;
mod topics;
mod transactions;
mod waker;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::admin::EmbeddedAdmin;
use self::consumer::EmbeddedConsumer;
use self::group::EmbeddedGroup;
use self::housekeeper::Housekeeper;
use self::inner::Inner;
use self::producer::EmbeddedProducer;
pub use self::settings::EmbeddedSettings;
use super::{Admin, ClientError, Consumer, ConsumerSettings, Group, Log, Producer, ProducerSettings};

/// A log in this process, for all its threads.
///
/// ```
/// use std::time::Duration;
/// use candlewick::client::{EmbeddedLog, Log, NewTopic};
/// let log = EmbeddedLog::in_memory();
/// let topic = NewTopic { name: "trades".into(), partitions: 3, replication: -1, config: Default::default() };
/// let mut admin = log.admin().expect("an embedded log makes clients at once");
/// admin.create(&[topic], Duration::ZERO).expect("the name is free");
/// assert_eq!(admin.topics(Duration::ZERO).expect("they are at hand"), ["trades"]);
/// ```
#[derive(Debug)]
pub struct EmbeddedLog {
    // Dropped before `inner`, so that its thread never is the last to hold it.
    _housekeeper: Option<Housekeeper>,
    inner: Arc<Inner>,
}

impl EmbeddedLog {
    /// A log that lives in memory, as long as it or one of its clients does.
    ///
    /// ```
    /// use candlewick::client::{EmbeddedLog, Log};
    /// let log = EmbeddedLog::in_memory();
    /// let mut admin = log.admin().expect("an embedded log makes clients at once");
    /// assert!(admin.topics(std::time::Duration::ZERO).expect("they are at hand").is_empty());
    /// ```
    #[must_use]
    pub fn in_memory() -> Arc<Self> {
        Self::in_memory_with(EmbeddedSettings::default())
    }

    /// A log in memory with settings of its own: another clock, say.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use candlewick::client::{EmbeddedLog, EmbeddedSettings};
    /// use candlewick::{ManualClock, Timestamp};
    /// // Sessions and retention by a clock that a test moves.
    /// let clock = Arc::new(ManualClock::at(Timestamp(0)));
    /// let settings = EmbeddedSettings { clock: Arc::clone(&clock) as _, ..EmbeddedSettings::default() };
    /// let log = EmbeddedLog::in_memory_with(settings);
    /// clock.advance_millis(60_000);
    /// log.look_after().expect("in memory");
    /// ```
    #[must_use]
    pub fn in_memory_with(settings: EmbeddedSettings) -> Arc<Self> {
        Self::over(Inner::in_memory(settings))
    }

    /// Opens the log in the folder `path`, or makes one there. Transactions left open by the process before are ended:
    /// committed when that had been decided, else aborted. An unfinished write at the end of a file is cut off.
    ///
    /// ```
    /// use std::time::Duration;
    /// use candlewick::client::{ClientError, EmbeddedLog, EmbeddedSettings, Log, NewTopic};
    /// # fn main() -> Result<(), ClientError> {
    /// let folder = tempfile::tempdir().expect("a temporary folder");
    /// let log = EmbeddedLog::open(folder.path(), EmbeddedSettings::default())?;
    /// let topic = NewTopic { name: "trades".into(), partitions: 3, replication: -1, config: Default::default() };
    /// log.admin()?.create(&[topic], Duration::ZERO)?;
    /// log.sync()?;
    /// drop(log);
    /// let again = EmbeddedLog::open(folder.path(), EmbeddedSettings::default())?;
    /// assert_eq!(again.admin()?.topics(Duration::ZERO)?, ["trades"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Io`] when the folder is open in another process, or damaged, or cannot be written.
    pub fn open(path: &Path, settings: EmbeddedSettings) -> Result<Arc<Self>, ClientError> {
        let inner = Inner::open(path, settings);
        let inner =
            inner.map_err(|source| ClientError::Io { operation: "opening the embedded log", source })?;
        Ok(Self::over(inner))
    }

    /// A log in memory without a thread of its own: nothing is looked after but by [`look_after`](Self::look_after).
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn unattended(settings: EmbeddedSettings) -> Arc<Self> {
        Arc::new(Self { _housekeeper: None, inner: Arc::new(Inner::in_memory(settings)) })
    }

    fn over(inner: Inner) -> Arc<Self> {
        let inner = Arc::new(inner);
        let housekeeper = Housekeeper::start(&inner);
        if let Err(error) = &housekeeper {
            tracing::error!(%error, "the embedded log runs without its background thread; call look_after and sync");
        }
        Arc::new(Self { _housekeeper: housekeeper.ok(), inner })
    }

    /// Sessions, transaction timeouts, retention and compaction, at once. A background thread does this all the time;
    /// a test that moves its clock by hand calls it to see the effect.
    ///
    /// ```
    /// use candlewick::client::EmbeddedLog;
    /// EmbeddedLog::in_memory().look_after().expect("in memory");
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Io`] when files cannot be read or written.
    pub fn look_after(&self) -> Result<(), ClientError> {
        let done = self.inner.look_after();
        done.map_err(|source| ClientError::Io { operation: "looking after the embedded log", source })
    }

    /// Forces everything written so far to the disk. A background thread does this every `log_sync_interval_ms`.
    ///
    /// ```
    /// use candlewick::client::{EmbeddedLog, EmbeddedSettings};
    /// let folder = tempfile::tempdir().expect("a temporary folder");
    /// let log = EmbeddedLog::open(folder.path(), EmbeddedSettings::default()).expect("nobody else uses it");
    /// log.sync().expect("the disk takes it");
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Io`] when the disk refuses.
    pub fn sync(&self) -> Result<(), ClientError> {
        let done = self.inner.sync();
        done.map_err(|source| ClientError::Io { operation: "syncing the embedded log", source })
    }
}

impl Log for EmbeddedLog {
    fn consumer_with(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, ClientError> {
        let ConsumerSettings { group, isolation, .. } = settings;
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.inner), group, *isolation)))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, ClientError> {
        Ok(Box::new(EmbeddedProducer::new(Arc::clone(&self.inner), settings)))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, ClientError> {
        Ok(Box::new(EmbeddedAdmin::new(Arc::clone(&self.inner))))
    }

    fn group(
        &self,
        group: &str,
        topic: &str,
        session_timeout: Duration,
    ) -> Result<Box<dyn Group>, ClientError> {
        Ok(Box::new(EmbeddedGroup::new(Arc::clone(&self.inner), group, topic, session_timeout)))
    }
}
