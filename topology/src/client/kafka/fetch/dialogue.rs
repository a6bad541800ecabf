//! Questions to brokers, one after the other, each waited for: what is asked seldom has connections of its own. Must not
//! know what is asked.

use std::time::Duration;

use bytes::Bytes;

use super::super::settings::KafkaSettings;
use super::cluster::{Asked, Cluster};
use super::messages::Api;
use super::wire::{Malformed, Writer};
use crate::client::error::ClientError;
use crate::time::{Clock, SystemClock};

/// Connections for questions that must all be answered within one time.
pub(super) struct Dialogue {
    pub(super) cluster: Cluster,
    /// What the questions are for, in errors.
    operation: &'static str,
    clock: SystemClock,
    until: Duration,
}

impl Dialogue {
    pub(super) fn new(
        settings: &KafkaSettings,
        operation: &'static str,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let clock = SystemClock::default();
        let cluster = Cluster::new((settings, "admin"), operation, clock.clone())?;
        let until = clock.monotonic() + timeout;
        Ok(Self { cluster, operation, clock, until })
    }

    /// How much is left of the time.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_sub(self.clock.monotonic())
    }

    /// The error for a time that is over.
    pub(super) fn too_late(&self, reason: &str) -> ClientError {
        ClientError::Unavailable { operation: self.operation, reason: self.cluster.why(reason) }
    }

    /// The error for an answer that makes no sense.
    pub(super) fn malformed(&self, error: Malformed) -> ClientError {
        ClientError::Fatal { operation: self.operation, reason: error.to_string() }
    }

    /// Asks one broker, or any, and waits for the answer.
    pub(super) fn ask(
        &mut self,
        broker: Option<i32>,
        api: Api,
        write: impl Fn(&mut Writer),
    ) -> Result<Bytes, ClientError> {
        let mut answers = Vec::new();
        loop {
            let is_asked = match broker {
                Some(id) => self.cluster.ask(id, api, Asked::Awaited, &write),
                None => self.cluster.ask_any(api, Asked::Awaited, &write),
            };
            loop {
                self.cluster.exchange(Duration::from_millis(20), &mut answers);
                match answers.pop() {
                    Some(answer) if answer.frame.is_some() => return Ok(answer.frame.unwrap_or_default()),
                    // The connection was lost: asked again.
                    Some(_) => break,
                    None if is_asked && self.clock.monotonic() < self.until => {}
                    None => break,
                }
            }
            if let Some(reason) = self.cluster.denied.take() {
                return Err(ClientError::Denied { operation: self.operation, reason });
            }
            if let Some(reason) = self.cluster.refused.take() {
                return Err(ClientError::Fatal { operation: self.operation, reason });
            }
            if self.clock.monotonic() >= self.until {
                return Err(self.too_late("it did not answer in time"));
            }
        }
    }
}
