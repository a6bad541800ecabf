//! SCRAM-SHA-256 from the server's side: a client proves that it knows the password without sending it, and the server that
//! it knows it too. Owns the messages and what is computed; must not know connections.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::num::NonZeroU32;

/// The method's name.
pub(super) const METHOD: &str = "SCRAM-SHA-256";

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;
/// As PostgreSQL does by default.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).expect("it is not nought");

/// What the server keeps of a password: enough to check a proof, too little to make one.
pub(crate) struct Verifier {
    salt: [u8; SALT_BYTES],
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// A conversation whose proof is awaited.
pub(super) struct Challenge {
    /// What the proof is about, up to the client's last message.
    said: String,
    nonce: String,
    /// How the client has called channels: to be repeated by it.
    channel: String,
    /// The server's message.
    pub(super) message: String,
}

impl Verifier {
    /// Of a password; `None` when the system gives no random numbers.
    pub(crate) fn new(password: &str) -> Option<Self> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).ok()?;
        Some(Self::with_salt(password, salt))
    }

    fn with_salt(password: &str, salt: [u8; SALT_BYTES]) -> Self {
        let mut salted = [0; KEY_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let stored_key = digest(&SHA256, &hmac(&salted, b"Client Key")).as_ref().to_vec();
        Self { salt, stored_key, server_key: hmac(&salted, b"Server Key") }
    }

    /// The answer to a client's first message; `None` where it is none.
    pub(super) fn challenge(&self, first: &str) -> Option<Challenge> {
        let mut random = [0; NONCE_BYTES];
        rand::fill(&mut random).ok()?;
        self.challenge_with(first, &STANDARD.encode(random))
    }

    fn challenge_with(&self, first: &str, own: &str) -> Option<Challenge> {
        let bare = first.strip_prefix("n,,").or_else(|| first.strip_prefix("y,,"))?;
        let nonce =
            bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty())?;
        let nonce = format!("{nonce}{own}");
        let message = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(self.salt));
        let channel = STANDARD.encode(&first[..first.len() - bare.len()]);
        Some(Challenge { said: format!("{bare},{message}"), nonce, channel, message })
    }

    /// The server's own proof, when the client's last message holds one; `None` when it does not.
    pub(super) fn answer(&self, challenge: &Challenge, last: &str) -> Option<String> {
        let (unproven, proof) = last.rsplit_once(",p=")?;
        let expected = format!("c={},r={}", challenge.channel, challenge.nonce);
        if unproven != expected {
            return None;
        }
        let said = format!("{},{unproven}", challenge.said);
        let proof = STANDARD.decode(proof).ok().filter(|proof| proof.len() == KEY_BYTES)?;
        let signature = hmac(&self.stored_key, said.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        verify_slices_are_equal(digest(&SHA256, &client_key).as_ref(), &self.stored_key).ok()?;
        Some(format!("v={}", STANDARD.encode(hmac(&self.server_key, said.as_bytes()))))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversation of RFC 7677, section 3.
    #[test]
    fn the_conversation_of_the_standard_is_held_word_for_word() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let verifier = Verifier::with_salt("pencil", salt.try_into().expect("sixteen bytes"));
        let own = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let challenge =
            verifier.challenge_with("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", own).expect("a challenge");
        let nonce = format!("rOprNGfwEbeRWgbNEkqO{own}");
        assert_eq!(challenge.message, format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(
            verifier.answer(&challenge, &last).as_deref(),
            Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        );
        let wrong = Verifier::with_salt("pencils", verifier.salt);
        assert_eq!(wrong.answer(&challenge, &last), None);
        for broken in ["", "c=biws", "c=eSws,r=x,p=", &last[..last.len() - 4]] {
            assert_eq!(verifier.answer(&challenge, broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_no_first_message_has_no_answer() {
        let verifier = Verifier::new("x").expect("random numbers");
        for broken in ["", "n,,", "n,,n=user", "p=tls-unique,,n=user,r=abc", "n,,n=user,r="] {
            assert!(verifier.challenge(broken).is_none(), "{broken}");
        }
        assert!(verifier.challenge("n,,n=,r=abc").is_some());
    }
}
