//! SCRAM from the client's side (RFC 5802, RFC 7677): the password is never sent, and the broker proves that it knows it
//! too. Must not know connections.

use std::fmt;
use std::io;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::login::denied;

const NONCE_BYTES: usize = 18;
/// Fewer would let whoever pretends to be a broker guess the password; more would let him keep us busy for ever.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

/// Which hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn salted(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let (algorithm, len) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = vec![0; len];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }

    fn digest(self, message: &[u8]) -> digest::Digest {
        match self {
            Self::Sha256 => digest::digest(&digest::SHA256, message),
            Self::Sha512 => digest::digest(&digest::SHA512, message),
        }
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message)
    }
}

/// A conversation.
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    /// The client's first message without its head.
    bare: String,
    /// What the broker must prove, once it has been asked.
    expected: Vec<u8>,
}

impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())
    }
}

impl Scram {
    /// Begins; the text is the first message.
    pub(super) fn begin(hash: Hash, user: &str) -> io::Result<(Self, String)> {
        let mut random = [0; NONCE_BYTES];
        rand::fill(&mut random).map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok(Self::begin_with(hash, user, &STANDARD.encode(random)))
    }

    fn begin_with(hash: Hash, user: &str, nonce: &str) -> (Self, String) {
        let bare = format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"));
        let first = format!("n,,{bare}");
        (Self { hash, nonce: nonce.to_owned(), bare, expected: Vec::new() }, first)
    }

    /// The proof for the broker's first message.
    pub(super) fn prove(&mut self, message: &[u8], password: &str) -> io::Result<String> {
        let message = std::str::from_utf8(message).map_err(|_| broken())?;
        let (mut nonce, mut salt, mut iterations) = (None, None, None);
        for part in message.split(',') {
            match part.split_once('=') {
                Some(("r", value)) => nonce = Some(value).filter(|value| value.starts_with(&self.nonce)),
                Some(("s", value)) => salt = STANDARD.decode(value).ok(),
                Some(("i", value)) => iterations = value.parse().ok(),
                _ => {}
            }
        }
        let (nonce, salt) = (nonce.ok_or_else(broken)?, salt.ok_or_else(broken)?);
        let iterations = iterations.filter(|count| ITERATIONS.contains(count)).and_then(NonZeroU32::new);
        let salted = self.hash.salted(password, &salt, iterations.ok_or_else(broken)?);
        let unproven = format!("c=biws,r={nonce}");
        let said = format!("{},{message},{unproven}", self.bare);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = self.hash.digest(client_key.as_ref());
        let signature = self.hash.hmac(stored_key.as_ref(), said.as_bytes());
        let proof: Vec<u8> =
            client_key.as_ref().iter().zip(signature.as_ref()).map(|(key, sign)| key ^ sign).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        self.hash.hmac(server_key.as_ref(), said.as_bytes()).as_ref().clone_into(&mut self.expected);
        Ok(format!("{unproven},p={}", STANDARD.encode(proof)))
    }

    /// Whether the broker has proven in its last message that it knows the password.
    pub(super) fn check(&self, message: &[u8]) -> io::Result<()> {
        let proof = std::str::from_utf8(message).ok().and_then(|text| text.strip_prefix("v="));
        let proof =
            proof.and_then(|text| STANDARD.decode(text.split(',').next()?).ok()).ok_or_else(broken)?;
        verify_slices_are_equal(&proof, &self.expected).map_err(|_| {
            denied("the broker does not know this user's password itself: is it the right one?".to_owned())
        })
    }
}

fn broken() -> io::Error {
    io::Error::other("the broker's part of the login makes no sense: is this a Kafka broker?")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversation of RFC 7677, section 3.
    #[test]
    fn the_conversation_of_the_standard_is_held_word_for_word() {
        let (mut scram, first) = Scram::begin_with(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove(server.as_bytes(), "pencil").expect("a proof");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(proof, format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        scram.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").expect("it knows the password");
        let other = scram.check(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").expect_err("it does not");
        assert_eq!(other.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_no_broker_says_is_refused() {
        let salt = "s=W22ZaJ0SNY7soEsUEjb6gQ==";
        for message in [
            String::new(),
            format!("r=other,{salt},i=4096"),
            "r=abcd,i=4096".to_owned(),
            format!("r=abcd,{salt}"),
            format!("r=abcd,{salt},i=1"),
            format!("r=abcd,{salt},i=4000000000"),
        ] {
            let (mut scram, _) = Scram::begin_with(Hash::Sha512, "user", "abc");
            assert!(scram.prove(message.as_bytes(), "pencil").is_err(), "{message}");
        }
    }

    #[test]
    fn names_may_hold_what_separates() {
        assert_eq!(Scram::begin_with(Hash::Sha512, "a=b,c", "x").1, "n,,n=a=3Db=2Cc,r=x");
    }
}
