//! The brokers of a cluster and the connections to them: who can be asked, what was answered, and what was lost. Must not
//! know partitions' positions.

use std::collections::BTreeMap;
use std::io;
use std::net::ToSocketAddrs;
use std::time::Duration;

use bytes::Bytes;
use mio::{Events, Poll};

use super::super::permission::principal;
use super::super::settings::KafkaSettings;
use super::connection::Connection;
use super::messages::{API_VERSIONS, Api, BrokerAddress, check_versions, knows};
use super::security::Security;
use super::wire::{Reader, Writer};
use crate::client::error::ClientError;
use crate::record::TopicPartition;
use crate::time::{Clock, SystemClock};

/// A question that is not answered in this time has lost its connection. No fetch waits that long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A broker is tried again after the first, then after twice as long, up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What a connection was asked, to know what its answer is about.
#[derive(Debug)]
pub(super) enum Asked {
    Versions,
    Metadata,
    Offsets,
    /// Something that somebody waits for.
    Awaited,
    /// The places that were asked for.
    Fetch(Vec<(TopicPartition, i64)>),
}

/// An answer of a broker, or `None` when its connection was lost before.
pub(super) struct Answer {
    pub(super) broker: i32,
    pub(super) asked: Asked,
    pub(super) frame: Option<Bytes>,
}

#[derive(Debug)]
struct Broker {
    host: String,
    port: u16,
    connection: Option<Connection<Asked>>,
    retry_at: Duration,
    backoff: Duration,
    /// Attempts, to try the addresses of a name in turn.
    attempts: usize,
    /// Why it failed since any broker has answered.
    failure: Option<String>,
}

impl Broker {
    fn new(host: &str, port: u16) -> Self {
        let host = host.to_owned();
        let (retry_at, backoff) = (Duration::ZERO, RETRY.0);
        Self { host, port, connection: None, retry_at, backoff, attempts: 0, failure: None }
    }

    fn open(&mut self, poll: &Poll, client_id: &str, security: &Security) -> io::Result<Connection<Asked>> {
        let addresses: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        let turn = self.attempts.checked_rem(addresses.len());
        let turn = turn.ok_or_else(|| io::Error::other("its name has no address"))?;
        self.attempts += 1;
        Connection::open(addresses[turn], (&self.host, client_id), security, poll.registry())
    }
}

/// Brokers by id; those that the user named, before they have told their ids, by negative ones.
pub(super) struct Cluster {
    brokers: BTreeMap<i32, Broker>,
    bootstrap: String,
    client_id: String,
    /// Whom the brokers take this client for.
    who: String,
    security: Security,
    poll: Poll,
    events: Events,
    clock: SystemClock,
    /// A broker that cannot be spoken with at all: a sentence.
    pub(super) refused: Option<String>,
    /// A login or a certificate that was refused, by this side or the other: a sentence.
    pub(super) denied: Option<String>,
    /// What the broker that connected last said of itself.
    versions: Bytes,
}

impl Cluster {
    /// The brokers that the user names, reached as properties with the prefix `kind` say.
    pub(super) fn new(
        (cluster, kind): (&KafkaSettings, &str),
        operation: &'static str,
        clock: SystemClock,
    ) -> Result<Self, ClientError> {
        let security = Security::of(cluster, kind)?;
        let bootstrap = &cluster.bootstrap;
        let mut brokers = BTreeMap::new();
        for (id, address) in (i32::MIN..).zip(bootstrap.split(',')) {
            let address = address.trim();
            let address = address.split_once("://").map_or(address, |(_security, address)| address);
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().unwrap_or(9092)),
                None => (address, 9092),
            };
            brokers.insert(id, Broker::new(host.trim_matches(['[', ']']), port));
        }
        Ok(Self {
            brokers,
            bootstrap: bootstrap.clone(),
            client_id: cluster.client_id.clone(),
            who: principal(cluster),
            security,
            poll: Poll::new().map_err(|source| ClientError::Io { operation, source })?,
            events: Events::with_capacity(16),
            clock,
            refused: None,
            denied: None,
            versions: Bytes::new(),
        })
    }

    /// Whom the brokers take this client for, in sentences about permissions.
    pub(super) fn who(&self) -> &str {
        &self.who
    }

    /// Whether the broker that connected last knows this request.
    pub(super) fn knows(&self, api: Api) -> bool {
        knows(&mut Reader::new(&self.versions, "the broker's versions"), api).unwrap_or(false)
    }

    /// Every broker has failed since the last answer of any.
    pub(super) fn is_down(&self) -> bool {
        self.brokers.values().all(|broker| broker.failure.is_some())
    }

    /// Address and reason, for a sentence.
    pub(super) fn why(&self, fallback: &str) -> String {
        let reason = self.brokers.values().rev().find_map(|broker| broker.failure.as_deref());
        format!("{}: {}", self.bootstrap, reason.unwrap_or(fallback))
    }

    /// Takes in the addresses of a cluster's brokers. One whom the user named keeps the connection it has.
    pub(super) fn learn(&mut self, addresses: &[BrokerAddress<'_>]) {
        if addresses.is_empty() {
            return;
        }
        self.brokers.retain(|id, _| *id < 0 || addresses.iter().any(|address| address.id == *id));
        for address in addresses {
            let Ok(port) = u16::try_from(address.port) else { continue };
            let known = self.brokers.get(&address.id);
            if known.is_some_and(|known| known.host == address.host && known.port == port) {
                continue;
            }
            let mut broker = Broker::new(address.host, port);
            let named = self.brokers.range_mut(..0).map(|(_, named)| named);
            if let Some(named) =
                named.into_iter().find(|named| named.host == address.host && named.port == port)
            {
                broker.connection = named.connection.take();
            }
            self.brokers.insert(address.id, broker);
        }
    }

    /// Asks this broker; `false` when it cannot be reached now.
    pub(super) fn ask(&mut self, id: i32, api: Api, asked: Asked, write: impl FnOnce(&mut Writer)) -> bool {
        let now = self.clock.monotonic();
        if !self.connect(id, now) {
            return false;
        }
        let connection = self.brokers.get_mut(&id).and_then(|broker| broker.connection.as_mut());
        let Some(connection) = connection else { return false };
        connection.ask(api, &self.client_id, (asked, now), write);
        true
    }

    /// The brokers that have told their ids.
    pub(super) fn ids(&self) -> Vec<i32> {
        self.brokers.keys().copied().filter(|id| *id >= 0).collect()
    }

    /// Asks whoever can answer soonest; `false` when nobody can be reached now.
    pub(super) fn ask_any(&mut self, api: Api, asked: Asked, write: impl FnOnce(&mut Writer)) -> bool {
        let now = self.clock.monotonic();
        let mut ids: Vec<(usize, i32)> =
            self.brokers.iter().map(|(id, broker)| (broker.rank(), *id)).collect();
        ids.sort_unstable();
        let Some((_, id)) = ids.into_iter().find(|(_, id)| self.connect(*id, now)) else { return false };
        self.ask(id, api, asked, write)
    }

    /// Whether there is a connection to this broker, made or in the making.
    fn connect(&mut self, id: i32, now: Duration) -> bool {
        let Some(broker) = self.brokers.get_mut(&id) else { return false };
        if broker.connection.is_some() {
            return true;
        }
        if now < broker.retry_at {
            return false;
        }
        match broker.open(&self.poll, &self.client_id, &self.security) {
            Ok(mut connection) => {
                connection.ask(API_VERSIONS, &self.client_id, (Asked::Versions, now), |_| {});
                broker.connection = Some(connection);
                true
            }
            Err(error) => {
                broker.fail(now, &error);
                false
            }
        }
    }

    /// Sends what was asked and brings what was answered, waiting up to `timeout` for the first answer.
    pub(super) fn exchange(&mut self, timeout: Duration, answers: &mut Vec<Answer>) {
        let until = self.clock.monotonic() + timeout;
        loop {
            let now = self.clock.monotonic();
            let ids: Vec<i32> = self.brokers.keys().copied().collect();
            for id in ids {
                self.exchange_with(id, now, answers);
            }
            let left = until.saturating_sub(now);
            if !answers.is_empty() || left.is_zero() {
                return;
            }
            // Interrupted or not: the connections say what there is.
            let _ = self.poll.poll(&mut self.events, Some(left.min(Duration::from_millis(100))));
        }
    }

    fn exchange_with(&mut self, id: i32, now: Duration, answers: &mut Vec<Answer>) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        let Some(connection) = &mut broker.connection else { return };
        let (mut outcome, mut is_heard) = (connection.send(), false);
        while outcome.is_ok() {
            match connection.receive() {
                Ok(None) => break,
                Ok(Some((asked, frame))) => {
                    (is_heard, broker.backoff) = (true, RETRY.0);
                    match asked {
                        Asked::Versions => {
                            outcome = broker_speaks(&frame, &mut self.refused);
                            self.versions = frame;
                        }
                        asked => answers.push(Answer { broker: id, asked, frame: Some(frame) }),
                    }
                }
                Err(error) => outcome = Err(error),
            }
        }
        if outcome.is_ok() && connection.waits_since().is_some_and(|since| now > since + ANSWER_TIMEOUT) {
            outcome = Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
        }
        if let Err(error) = outcome {
            if error.kind() == io::ErrorKind::PermissionDenied {
                self.denied = Some(format!("{}:{}: {error}", broker.host, broker.port));
            }
            let lost = broker.connection.take().into_iter().flat_map(Connection::into_asked);
            answers.extend(lost.map(|asked| Answer { broker: id, asked, frame: None }));
            broker.fail(now, &error);
        } else if is_heard {
            self.brokers.values_mut().for_each(|broker| broker.failure = None);
        }
    }

    /// Gives up the connection to a broker whose answer makes no sense.
    pub(super) fn hang_up(&mut self, id: i32, reason: &dyn std::fmt::Display) {
        let now = self.clock.monotonic();
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.connection = None;
            broker.fail(now, reason);
        }
    }
}

fn broker_speaks(frame: &Bytes, refused: &mut Option<String>) -> io::Result<()> {
    match check_versions(&mut Reader::new(frame, "the broker's versions")) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => {
            *refused = Some(reason.clone());
            Err(io::Error::other(reason))
        }
        Err(malformed) => Err(io::Error::other(malformed)),
    }
}

impl Broker {
    /// Lower is better to ask: connected and with little to answer first.
    fn rank(&self) -> usize {
        self.connection.as_ref().map_or(usize::MAX, Connection::awaited)
    }

    fn fail(&mut self, now: Duration, error: &dyn std::fmt::Display) {
        tracing::debug!(target: "fetch", host = self.host, port = self.port, %error, "a broker is not reachable");
        self.failure = Some(format!("{}:{}: {error}", self.host, self.port));
        self.retry_at = now + self.backoff;
        self.backoff = (self.backoff * 2).min(RETRY.1);
    }
}
