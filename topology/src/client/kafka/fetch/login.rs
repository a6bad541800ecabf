//! Logging in on a connection before its first request (KIP-43, KIP-152): the mechanism is agreed upon, then messages go
//! to and fro until both sides are content. Must not know sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use bytes::Bytes;

use super::messages::{Api, Refusal, begin, finish};
#[cfg(feature = "kafka-tls")]
use super::scram::{Hash, Scram};
use super::wire::{Malformed, Reader, Writer};

const HANDSHAKE: Api = Api::plain("SaslHandshake", 17, 1);
const AUTHENTICATE: Api = Api::plain("SaslAuthenticate", 36, 1);

/// How a user proves who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof that the password is known, from both sides.
    #[cfg(feature = "kafka-tls")]
    Scram(Hash),
    /// One that is librdkafka's alone.
    Foreign,
}

/// Who logs in, and how.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) mechanism: Mechanism,
    user: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:?}", self.user, self.mechanism)
    }
}

impl Credentials {
    /// Takes librdkafka's properties of a login; `None` when they are not complete.
    pub(super) fn take(said: &mut BTreeMap<&str, &str>) -> Option<Self> {
        let (one, other) = (said.remove("sasl.mechanism"), said.remove("sasl.mechanisms"));
        let (user, password) = (said.remove("sasl.username"), said.remove("sasl.password"));
        let mechanism = match one.or(other)?.to_ascii_uppercase().as_str() {
            "PLAIN" => Mechanism::Plain,
            #[cfg(feature = "kafka-tls")]
            "SCRAM-SHA-256" => Mechanism::Scram(Hash::Sha256),
            #[cfg(feature = "kafka-tls")]
            "SCRAM-SHA-512" => Mechanism::Scram(Hash::Sha512),
            _ => Mechanism::Foreign,
        };
        Some(Self { mechanism, user: user?.to_owned(), password: password?.to_owned() })
    }

    fn name(&self) -> &'static str {
        match self.mechanism {
            Mechanism::Plain => "PLAIN",
            #[cfg(feature = "kafka-tls")]
            Mechanism::Scram(hash) => hash.name(),
            Mechanism::Foreign => "",
        }
    }
}

/// What a login does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this, and give the answer to the login.
    Send(Vec<u8>),
    /// The broker knows who is there.
    Done,
}

/// A login under way.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Credentials,
    client_id: String,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Handshake,
    /// The last message has been sent.
    Last,
    #[cfg(feature = "kafka-tls")]
    First(Scram),
    #[cfg(feature = "kafka-tls")]
    Proof(Scram),
}

impl Login {
    /// Begins; the bytes are the first request.
    pub(super) fn begin(credentials: Credentials, client_id: &str) -> (Self, Vec<u8>) {
        let mut writer = begin(HANDSHAKE, 0, client_id);
        writer.text(credentials.name());
        (Self { credentials, client_id: client_id.to_owned(), step: Step::Handshake }, finish(writer))
    }

    /// Takes in a whole answer, without the length before it. An error of the kind `PermissionDenied` is a sentence that
    /// no further attempt mends.
    pub(super) fn on(&mut self, answer: &Bytes) -> io::Result<Next> {
        let mut reader = Reader::new(answer, "a login");
        // The number of the request: one is under way at a time.
        reader.i32().map_err(broken)?;
        match &self.step {
            Step::Handshake => self.on_handshake(&mut reader),
            _ => self.on_authenticate(&mut reader),
        }
    }

    fn on_handshake(&mut self, reader: &mut Reader<'_>) -> io::Result<Next> {
        let refusal = Refusal::read(reader).map_err(broken)?;
        if let Some(Refusal(code)) = refusal {
            let mut known = Vec::new();
            for _ in 0..reader.count().map_err(broken)? {
                known.push(reader.text().map_err(broken)?);
            }
            let (name, known) = (self.credentials.name(), known.join(", "));
            let reason = format!("the broker refuses to log in by {name} (error {code}); it knows {known}");
            return Err(denied(reason));
        }
        let message = match self.credentials.mechanism {
            #[cfg(feature = "kafka-tls")]
            Mechanism::Scram(hash) => {
                let (scram, first) = Scram::begin(hash, &self.credentials.user)?;
                self.step = Step::First(scram);
                first
            }
            Mechanism::Plain | Mechanism::Foreign => {
                self.step = Step::Last;
                format!("\0{}\0{}", self.credentials.user, self.credentials.password)
            }
        };
        Ok(Next::Send(self.request(message.as_bytes())))
    }

    fn on_authenticate(&mut self, reader: &mut Reader<'_>) -> io::Result<Next> {
        let refusal = Refusal::read(reader).map_err(broken)?;
        let text = reader.text_or_null().map_err(broken)?;
        if let Some(Refusal(code)) = refusal {
            let user = &self.credentials.user;
            let text = text.unwrap_or("it gives no reason");
            let reason = format!("the broker refuses the login of the user `{user}` (error {code}): {text}");
            return Err(denied(reason));
        }
        match std::mem::replace(&mut self.step, Step::Last) {
            Step::Handshake | Step::Last => Ok(Next::Done),
            #[cfg(feature = "kafka-tls")]
            Step::First(mut scram) => {
                let proof = scram.prove(reader.bytes().map_err(broken)?, &self.credentials.password)?;
                self.step = Step::Proof(scram);
                Ok(Next::Send(self.request(proof.as_bytes())))
            }
            #[cfg(feature = "kafka-tls")]
            Step::Proof(scram) => scram.check(reader.bytes().map_err(broken)?).map(|()| Next::Done),
        }
    }

    fn request(&self, message: &[u8]) -> Vec<u8> {
        let mut writer: Writer = begin(AUTHENTICATE, 0, &self.client_id);
        writer.count(message.len());
        writer.0.extend_from_slice(message);
        finish(writer)
    }
}

fn broken(error: Malformed) -> io::Error {
    io::Error::other(error)
}

pub(super) fn denied(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Login {
        let mut said = BTreeMap::from([
            ("sasl.mechanism", "plain"),
            ("sasl.username", "market"),
            ("sasl.password", "secret"),
        ]);
        Login::begin(Credentials::take(&mut said).expect("complete"), "test").0
    }

    fn answer(write: impl FnOnce(&mut Writer)) -> Bytes {
        let mut writer = Writer::default();
        writer.i32(0);
        write(&mut writer);
        writer.0.into()
    }

    #[test]
    fn plain_sends_user_and_password_once_the_mechanism_is_agreed_upon() {
        let mut login = plain();
        let agreed = answer(|writer| {
            writer.i16(0);
            writer.count(0);
        });
        let Next::Send(sent) = login.on(&agreed).expect("agreed") else { panic!("something is sent") };
        assert!(sent.ends_with(b"\0\0\0\x0e\0market\0secret"), "{sent:?}");
        let content = answer(|writer| {
            writer.i16(0);
            writer.null_text();
            writer.count(0);
            writer.i64(0);
        });
        assert_eq!(login.on(&content).expect("content"), Next::Done);
    }

    #[test]
    fn a_refusal_is_a_sentence_without_the_password() {
        let unknown = answer(|writer| {
            writer.i16(33);
            writer.count(1);
            writer.text("SCRAM-SHA-512");
        });
        let said = plain().on(&unknown).expect_err("refused").to_string();
        assert!(said.contains("by PLAIN") && said.contains("it knows SCRAM-SHA-512"), "{said}");
        let mut login = plain();
        let agreed = answer(|writer| {
            writer.i16(0);
            writer.count(0);
        });
        login.on(&agreed).expect("agreed");
        let wrong = answer(|writer| {
            writer.i16(58);
            writer.text("Authentication failed: Invalid username or password");
            writer.count(0);
            writer.i64(0);
        });
        let said = login.on(&wrong).expect_err("refused");
        assert_eq!(said.kind(), io::ErrorKind::PermissionDenied);
        let said = said.to_string();
        assert!(said.contains("`market`") && said.contains("Invalid") && !said.contains("secret"), "{said}");
    }
}
