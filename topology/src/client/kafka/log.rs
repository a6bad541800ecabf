//! The Kafka engine of [`Log`]: makes the clients.

use std::sync::Arc;
use std::time::Duration;

use super::admin::KafkaAdmin;
use super::consumer::KafkaConsumer;
use super::fetch::{FetchConsumer, FetchSettings};
use super::group::KafkaGroup;
use super::producer::KafkaProducer;
use super::settings::KafkaSettings;
use crate::client::error::ClientError;
use crate::client::traits::{Admin, Consumer, ConsumerSettings, Group, Log, Producer, ProducerSettings};

/// A Kafka cluster.
///
/// ```no_run
/// use candlewick::client::Log;
/// use candlewick::client::kafka::{KafkaLog, KafkaSettings};
/// let log = KafkaLog::connect(KafkaSettings::new("localhost:9092", "candles"))?;
/// let admin = log.admin()?;
/// # Ok::<(), candlewick::client::ClientError>(())
/// ```
#[derive(Clone)]
pub struct KafkaLog {
    settings: Arc<KafkaSettings>,
    admin: KafkaAdmin,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KafkaLog({})", self.settings.bootstrap)
    }
}

impl KafkaLog {
    /// Reaches the cluster once, to fail early and with a reason.
    ///
    /// ```no_run
    /// use candlewick::client::ClientError;
    /// use candlewick::client::kafka::{KafkaLog, KafkaSettings};
    /// match KafkaLog::connect(KafkaSettings::new("localhost:9092", "candles")) {
    ///     Err(ClientError::Unavailable { .. }) => println!("start Kafka first"),
    ///     connected => drop(connected.expect("the settings are those of this build")),
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Unavailable`] with the address when no broker answers in time; [`ClientError::Fatal`] when the
    /// settings ask for what this build cannot do.
    pub fn connect(settings: KafkaSettings) -> Result<Self, ClientError> {
        settings.check()?;
        let mut admin = KafkaAdmin::new(&settings)?;
        admin.reach(settings.connect_timeout)?;
        Ok(Self { settings: Arc::new(settings), admin })
    }
}

impl Log for KafkaLog {
    fn consumer_with(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, ClientError> {
        match FetchSettings::of(&self.settings, settings)? {
            Some(fetch) => Ok(Box::new(FetchConsumer::new(self.admin.clone(), fetch, &settings.group)?)),
            None => Ok(Box::new(KafkaConsumer::new(&self.settings, settings)?)),
        }
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, ClientError> {
        Ok(Box::new(KafkaProducer::new(&self.settings, settings)?))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, ClientError> {
        Ok(Box::new(self.admin.clone()))
    }

    fn group(
        &self,
        group: &str,
        topic: &str,
        session_timeout: Duration,
    ) -> Result<Box<dyn Group>, ClientError> {
        Ok(Box::new(KafkaGroup::join(&self.settings, group, topic, session_timeout)?))
    }
}
