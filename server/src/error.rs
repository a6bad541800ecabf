//! Why the status server could not be started. Must not know HTTP: a failed request is answered by its endpoint.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why the status server or its metrics could not be started.
///
/// ```
/// use candlewick_server::{Access, ServerError};
/// let refused = Access::default().check(([0, 0, 0, 0], 8080).into());
/// assert!(matches!(refused, Err(ServerError::Unprotected { .. })));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Something else listens there.
    #[error(
        "The status server cannot listen on {address}, because another program already does: stop that program, or \
         listen on another port."
    )]
    AddressInUse {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error(
        "The status server cannot listen on {address} ({source}): give an address of this machine and a port that this \
         user may open."
    )]
    Bind {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Other machines would reach it, and anybody could ask.
    #[error(
        "The status server does not listen on {address}, which other machines reach, without a token or clients' \
         certificates: set one (CANDLEWICK_TOKEN, or CANDLEWICK_TLS_CLIENTS with a certificate), or listen on 127.0.0.1."
    )]
    Unprotected {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// A certificate or a key cannot be used.
    #[error("{path}: {reason}: give certificates and keys in PEM, and keys that are not encrypted")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server's own thread could not be set up.
    #[error(
        "The status server's thread could not be started ({0}): raise the limits on threads and open files of this user."
    )]
    Thread(#[source] io::Error),
    /// The client that asks other instances could not be made.
    #[error(
        "The client that asks other instances could not be made ({0}): check this machine's certificates."
    )]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Metrics are collected once per process.
    #[error(
        "Metrics are already collected in this process: install the recorder once, and share its handle."
    )]
    RecorderInstalled,
}
