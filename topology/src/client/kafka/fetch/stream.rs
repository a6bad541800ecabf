//! The socket of a connection, encrypted or not. Must not know what goes over it.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::security::Security;
#[cfg(feature = "kafka-tls")]
use super::tls::TlsStream;

/// A socket that does not wait.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    #[cfg(feature = "kafka-tls")]
    Tls(TlsStream),
}

impl Stream {
    /// Over this socket, as secured as it is asked.
    #[cfg_attr(not(feature = "kafka-tls"), allow(clippy::unnecessary_wraps))] // plain sockets need no making
    pub(super) fn over(socket: TcpStream, host: &str, security: &Security) -> io::Result<Self> {
        #[cfg(feature = "kafka-tls")]
        if let Some(tls) = &security.tls {
            return tls.wrap(host, socket).map(Self::Tls);
        }
        let _ = (host, security);
        Ok(Self::Plain(socket))
    }

    /// The socket itself.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            #[cfg(feature = "kafka-tls")]
            Self::Tls(tls) => tls.socket(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            #[cfg(feature = "kafka-tls")]
            Self::Tls(tls) => tls.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            #[cfg(feature = "kafka-tls")]
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            #[cfg(feature = "kafka-tls")]
            Self::Tls(tls) => tls.flush(),
        }
    }
}
