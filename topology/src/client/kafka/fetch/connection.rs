//! One connection to a broker: requests go out, answers come back in the same order, and no call waits. Where a login is
//! asked for, it goes first, and the requests wait for its end. Must not know what is asked.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::login::{Login, Next};
use super::messages::{Api, begin, finish};
use super::security::Security;
use super::stream::Stream;
use super::wire::Writer;

/// An answer longer than this is not Kafka's: somebody else listens there.
const ANSWER_MAX: usize = 1 << 30;

#[derive(Debug)]
struct Question<T> {
    correlation: i32,
    is_compact: bool,
    at: Duration,
    remember: T,
}

/// A connection; `T` is what the asker wants to be reminded of when the answer comes.
#[derive(Debug)]
pub(super) struct Connection<T> {
    stream: Stream,
    /// The login that is under way, and the requests that wait for it.
    login: Option<(Login, Vec<u8>)>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    asked: VecDeque<Question<T>>,
    next: i32,
    connected: bool,
}

impl<T> Connection<T> {
    /// Begins to connect; `host` is whom an encrypted connection must find there.
    pub(super) fn open(
        address: SocketAddr,
        (host, client_id): (&str, &str),
        security: &Security,
        registry: &Registry,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
        let stream = Stream::over(socket, host, security)?;
        let (mut outgoing, mut login) = (Vec::new(), None);
        if let Some(credentials) = &security.login {
            let (begun, first) = Login::begin(credentials.clone(), client_id);
            (outgoing, login) = (first, Some((begun, Vec::new())));
        }
        let (incoming, asked) = (Vec::new(), VecDeque::new());
        Ok(Self { stream, login, outgoing, incoming, asked, next: 0, connected: false })
    }

    /// Puts a request behind those that are on their way; it is now `at`.
    pub(super) fn ask(
        &mut self,
        api: Api,
        client_id: &str,
        (remember, at): (T, Duration),
        write: impl FnOnce(&mut Writer),
    ) {
        let correlation = self.next;
        let mut writer = begin(api, correlation, client_id);
        write(&mut writer);
        self.asked.push_back(Question { correlation, is_compact: api.is_compact, at, remember });
        self.next = correlation.wrapping_add(1);
        let queue = self.login.as_mut().map_or(&mut self.outgoing, |(_, waiting)| waiting);
        queue.extend_from_slice(&finish(writer));
    }

    /// Since when the oldest question waits for its answer.
    pub(super) fn waits_since(&self) -> Option<Duration> {
        self.asked.front().map(|question| question.at)
    }

    /// How many answers are awaited.
    pub(super) fn awaited(&self) -> usize {
        self.asked.len()
    }

    /// What was asked and will never be answered, when the connection is given up.
    pub(super) fn into_asked(self) -> impl Iterator<Item = T> {
        self.asked.into_iter().map(|question| question.remember)
    }

    /// Sends what can be sent now.
    pub(super) fn send(&mut self) -> io::Result<()> {
        if !self.is_connected()? {
            return Ok(());
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => drop(self.outgoing.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// The next answer, without its head, if it is there in full.
    pub(super) fn receive(&mut self) -> io::Result<Option<(T, Bytes)>> {
        if !self.has_logged_in()? {
            return Ok(None);
        }
        let Some(mut answer) = self.frame()? else { return Ok(None) };
        let question =
            self.asked.pop_front().ok_or_else(|| io::Error::other("an answer came to no question"))?;
        if answer.get_i32() != question.correlation {
            return Err(io::Error::other("an answer came to another question: is this a Kafka broker?"));
        }
        if question.is_compact {
            // Tags of the answer's head; brokers write none.
            answer.advance(1);
        }
        Ok(Some((question.remember, answer)))
    }

    /// Goes on with the login; `true` once there is nothing left of it.
    fn has_logged_in(&mut self) -> io::Result<bool> {
        while self.login.is_some() {
            let Some(answer) = self.frame()? else { return Ok(false) };
            let Some((login, waiting)) = &mut self.login else { return Ok(true) };
            match login.on(&answer)? {
                Next::Send(request) => self.outgoing.extend_from_slice(&request),
                Next::Done => {
                    self.outgoing.append(waiting);
                    self.login = None;
                }
            }
            self.send()?;
        }
        Ok(true)
    }

    /// What has come, without the length before it, if it is there in full.
    fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let is_whole = self.is_connected()? && self.fill(4)? && self.fill(4 + self.announced()?)?;
        if !is_whole {
            return Ok(None);
        }
        let mut frame = Bytes::from(std::mem::take(&mut self.incoming));
        frame.advance(4);
        Ok(Some(frame))
    }

    fn is_connected(&mut self) -> io::Result<bool> {
        if self.connected {
            return Ok(true);
        }
        if let Some(error) = self.stream.socket().take_error()? {
            return Err(error);
        }
        match self.stream.socket().peer_addr() {
            Ok(_) => {
                self.connected = true;
                self.stream.socket().set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn announced(&self) -> io::Result<usize> {
        let len = self.incoming.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        match usize::try_from(len.unwrap_or(0)) {
            Ok(len @ 5..ANSWER_MAX) => Ok(len),
            _ => Err(io::Error::other("the answer is not of Kafka's protocol: is this a Kafka broker?")),
        }
    }

    /// Reads until `len` bytes are there; `false` when more must come first.
    fn fill(&mut self, len: usize) -> io::Result<bool> {
        let missing = len.saturating_sub(self.incoming.len());
        if missing == 0 {
            return Ok(true);
        }
        self.incoming.reserve_exact(missing);
        match (&mut self.stream).take(missing as u64).read_to_end(&mut self.incoming) {
            Ok(read) if read < missing => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
