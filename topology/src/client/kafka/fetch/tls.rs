//! Encrypted connections by rustls: which certificates are trusted, which one is shown, and a socket that encrypts. Must
//! not know Kafka's protocol.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::login::denied;

/// Read from the socket at once: some of TLS's records, each of 16 KiB at most.
const READ_BYTES: usize = 64 << 10;

/// Where a text in PEM is.
#[derive(Debug, PartialEq, Eq)]
enum Pem {
    File(String),
    Text(String),
}

/// What librdkafka's properties say about encryption.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TlsPlan {
    /// Who is trusted; whom the system trusts when nobody is named.
    authorities: Option<Pem>,
    /// The certificate that is shown, and its key.
    own: Option<(Pem, Pem)>,
}

impl TlsPlan {
    /// Takes the properties that are known here; `None` where they ask for what is librdkafka's alone.
    pub(super) fn take(said: &mut BTreeMap<&str, &str>) -> Option<Self> {
        let mut pem = |file: &str, text: &str| {
            let file = said.remove(file).map(|path| Pem::File(path.to_owned()));
            said.remove(text).map(|text| Pem::Text(text.to_owned())).or(file)
        };
        let authorities = pem("ssl.ca.location", "ssl.ca.pem");
        let certificate = pem("ssl.certificate.location", "ssl.certificate.pem");
        let key = pem("ssl.key.location", "ssl.key.pem");
        let is_checked =
            said.remove("enable.ssl.certificate.verification").is_none_or(|value| value == "true");
        let is_named =
            said.remove("ssl.endpoint.identification.algorithm").is_none_or(|value| value == "https");
        let is_folder = match &authorities {
            Some(Pem::File(path)) => path == "probe" || fs::metadata(path).is_ok_and(|file| file.is_dir()),
            _ => false,
        };
        let own = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return None,
        };
        (is_checked && is_named && !is_folder).then_some(Self { authorities, own })
    }
}

/// Makes encrypted sockets.
#[derive(Clone)]
pub(super) struct TlsClient(Arc<ClientConfig>);

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS")
    }
}

impl TlsClient {
    /// Reads certificates and key; an error is a sentence.
    pub(super) fn new(plan: &TlsPlan) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(roots(plan)?);
        let config = match &plan.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("ssl.certificate", certificate)?;
                let key = PrivateKeyDer::from_pem_slice(&read("ssl.key", key)?).map_err(|error| {
                    format!("ssl.key holds no private key that can be read ({error}): give one in PEM, not encrypted")
                })?;
                let refused = |error| format!("ssl.certificate and ssl.key cannot be used: {error}");
                builder.with_client_auth_cert(chain, key).map_err(refused)?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// An encrypted socket to this host; nothing has been sent.
    pub(super) fn wrap(&self, host: &str, socket: TcpStream) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let socket = Buffered { socket, buffer: vec![0; READ_BYTES], from: 0, to: 0 };
        Ok(TlsStream(Box::new(StreamOwned::new(session, socket))))
    }
}

fn roots(plan: &TlsPlan) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &plan.authorities {
        Some(pem) => {
            for certificate in certificates("ssl.ca", pem)? {
                roots.add(certificate).map_err(|error| format!("ssl.ca holds no authority: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    match roots.is_empty() {
        true => Err("no certificate authority is known: name one by ssl.ca.location".to_owned()),
        false => Ok(roots),
    }
}

fn certificates(name: &str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(name, pem)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{name} holds no certificate: give them in PEM")),
        Err(error) => Err(format!("{name} cannot be read as PEM: {error}")),
    }
}

fn read(name: &str, pem: &Pem) -> Result<Vec<u8>, String> {
    match pem {
        // librdkafka takes a text in one line, too.
        Pem::Text(text) => Ok(text.replace("\\n", "\n").into_bytes()),
        Pem::File(path) => {
            fs::read(path).map_err(|error| format!("{name}.location={path} cannot be read: {error}"))
        }
    }
}

/// An encrypted socket that does not wait.
#[derive(Debug)]
pub(super) struct TlsStream(Box<StreamOwned<ClientConnection, Buffered>>);

impl TlsStream {
    pub(super) fn socket(&self) -> &TcpStream {
        &self.0.sock.socket
    }

    /// Sends what is encrypted and has not been sent.
    fn send(&mut self) -> io::Result<()> {
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut self.0.sock)?;
        }
        Ok(())
    }
}

impl Read for TlsStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(explained)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(explained)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// Says what to do about certificates: an error of the kind `PermissionDenied`, which no further attempt mends.
fn explained(error: io::Error) -> io::Error {
    let sentence = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!(
                "the broker's certificate is not trusted ({error}): name who has signed it by ssl.ca.location"
            )
        }
        Some(rustls::Error::AlertReceived(_)) => format!(
            "the broker ends the handshake ({error}): if it asks for a certificate, name one that it trusts by \
             ssl.certificate.location and ssl.key.location"
        ),
        _ => return error,
    };
    denied(sentence)
}

/// A socket that is read in large pieces: TLS asks for 4 KiB at a time.
#[derive(Debug)]
struct Buffered {
    socket: TcpStream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
            self.to = self.socket.read(&mut self.buffer)?;
        }
        let read = (&self.buffer[self.from..self.to]).read(into)?;
        self.from += read;
        Ok(read)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
