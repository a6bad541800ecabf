//! Who may ask the status server, and how it is asked over encrypted connections. Owns the rule that what other machines
//! reach is protected; must not know what is answered.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::error::ServerError;

/// Who may ask. Without a token and certificates, whoever can connect: such a server listens on this machine's own
/// address only.
///
/// ```
/// use candlewick_server::Access;
/// let access = Access::default().with_token("a long and random word");
/// assert!(access.check(([0, 0, 0, 0], 8080).into()).is_ok());
/// assert!(Access::default().check(([0, 0, 0, 0], 8080).into()).is_err());
/// assert!(!format!("{access:?}").contains("random"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    token: Option<String>,
    pub(crate) tls: Option<TlsFiles>,
}

/// Files in PEM for encrypted connections.
///
/// ```
/// use candlewick_server::{Access, TlsFiles};
/// let files = TlsFiles { certificate: "server.crt".into(), key: "server.key".into(), clients: Some("ca.crt".into()) };
/// let access = Access::default().with_tls(files);
/// assert!(access.check(([0, 0, 0, 0], 8080).into()).is_ok(), "clients show certificates");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority. Shown to other instances, too.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
    /// The authority that signs clients' certificates, and those of other instances. With it whoever shows such a
    /// certificate may ask.
    pub clients: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("tls", &self.tls)
            .finish()
    }
}

impl Access {
    /// Whoever says this token may ask: as `Authorization: Bearer …`, or as the password of any user, which is what
    /// browsers ask people for. Instances of an application ask each other with it.
    ///
    /// ```
    /// use candlewick_server::Access;
    /// let access = Access::default().with_token("a long and random word");
    /// assert!(access.check(([0, 0, 0, 0], 8080).into()).is_ok());
    /// ```
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Connections are encrypted.
    ///
    /// ```
    /// use candlewick_server::{Access, TlsFiles};
    /// let files = TlsFiles { certificate: "server.crt".into(), key: "server.key".into(), clients: None };
    /// let access = Access::default().with_tls(files);
    /// assert!(access.check(([0, 0, 0, 0], 8080).into()).is_err(), "anybody can ask, though nobody listens in");
    /// ```
    #[must_use]
    pub fn with_tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Whether a server may listen on this address so.
    ///
    /// ```
    /// use candlewick_server::Access;
    /// assert!(Access::default().check(([127, 0, 0, 1], 8080).into()).is_ok());
    /// assert!(Access::default().check(([0, 0, 0, 0], 8080).into()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Unprotected`] when other machines reach the address and anybody could ask.
    pub fn check(&self, address: SocketAddr) -> Result<(), ServerError> {
        match address.ip().is_loopback() || self.is_protected() {
            true => Ok(()),
            false => Err(ServerError::Unprotected { address }),
        }
    }

    /// Whether not everybody who can connect may ask.
    pub(crate) fn is_protected(&self) -> bool {
        self.token.is_some() || self.tls.as_ref().is_some_and(|files| files.clients.is_some())
    }

    /// The token, for requests to other instances.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// How addresses of the application's servers begin.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether this is the token. Takes as long for a wrong one as for the right one.
    pub(crate) fn is_token(&self, said: &[u8]) -> bool {
        let Some(token) = self.token.as_deref().map(str::as_bytes) else { return false };
        let differing = token.iter().zip(said).fold(0, |all, (a, b)| all | (a ^ b));
        token.len() == said.len() && differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_the_token() {
        let access = Access::default().with_token("secret");
        assert!(access.is_token(b"secret"));
        for wrong in [&b""[..], b"secre", b"secrets", b"Secret"] {
            assert!(!access.is_token(wrong));
        }
        assert!(!Access::default().is_token(b""));
    }

    #[test]
    fn encryption_alone_protects_nothing() {
        let mut files = TlsFiles { certificate: "a".into(), key: "b".into(), clients: None };
        let anywhere = ([0, 0, 0, 0], 8080).into();
        assert!(Access::default().with_tls(files.clone()).check(anywhere).is_err());
        files.clients = Some("c".into());
        assert!(Access::default().with_tls(files).check(anywhere).is_ok());
        assert!(Access::default().check(([127, 0, 0, 1], 8080).into()).is_ok());
    }
}
