//! Encrypted connections to the status server, by rustls, and the client for those of other instances. Must not know what
//! is asked or answered, nor who may ask.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::{Access, TlsFiles};
use crate::error::ServerError;

/// How long a client may take to agree on encryption.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Clients that may be agreeing at the same time.
const HANDSHAKES_MAX: usize = 64;
/// How long another instance may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the client of a connection has shown a certificate that is trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) has_certificate: bool,
}

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(_: IncomingStream<'_, TcpListener>) -> Self {
        Self { has_certificate: false }
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, session) = stream.io().get_ref();
        // The handshake has failed with one that is not trusted.
        Self { has_certificate: session.peer_certificates().is_some_and(|shown| !shown.is_empty()) }
    }
}

fn unfit(path: &Path, reason: impl std::fmt::Display) -> ServerError {
    ServerError::Certificate { path: path.to_owned(), reason: reason.to_string() }
}

fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    std::fs::read(path).map_err(|error| unfit(path, error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(unfit(path, "there is no certificate in it")),
        Err(error) => Err(unfit(path, error)),
    }
}

/// Reads what the server needs.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&files.certificate, error))?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| unfit(path, error))?;
            }
            // Who shows none is told by an answer that he may not ask, and may ask how the application is.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.allow_unauthenticated().build().map_err(|error| unfit(path, error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| unfit(&files.key, error))?;
    let config = builder
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|error| unfit(&files.certificate, error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Connections whose handshake is done: a slow one keeps no other waiting.
pub(crate) struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Takes connections until it is dropped. To be called inside tokio.
    pub(crate) fn new(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(HANDSHAKES_MAX);
        tokio::spawn(accept(listener, acceptor, done));
        Ok(Self { ready, address })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    // A place in the channel is taken before a client is: that bounds how many are under way.
    while let Ok(place) = done.clone().reserve_owned().await {
        let (socket, address) = tokio::select! {
            taken = Listener::accept(&mut listener) => taken,
            () = done.closed() => return,
        };
        let handshake = acceptor.accept(socket);
        tokio::spawn(async move {
            // Who cannot agree has hung up, or is told so by TLS.
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, handshake).await {
                drop(place.send((stream, address)));
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(taken) => taken,
            // The runtime is ending.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Asks the status server at `address` of this machine how the application is: the answer's status and text. Whose
/// certificate it shows is not looked at, for nothing secret is said to it.
///
/// ```
/// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
/// # let application = StreamsApplication::new(running.handle());
/// # let server = StatusServer::start(([127, 0, 0, 1], 0).into(), &Access::default(), Arc::new(application), Arc::default(), install_recorder()?)?;
/// let (status, _) = ask_health(server.local_addr(), "/health/live", false)?;
/// assert_eq!(status, 200);
/// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When it does not answer.
pub fn ask_health(address: SocketAddr, path: &str, is_encrypted: bool) -> Result<(u16, String), String> {
    let scheme = if is_encrypted { "https" } else { "http" };
    let url = format!("{scheme}://{address}{path}");
    let client = reqwest::blocking::Client::builder()
        .timeout(Duration::from_secs(3))
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .build();
    let answer = client.and_then(|client| client.get(&url).send());
    let answer = answer.map_err(|error| format!("{url} does not answer: {error}"))?;
    let status = answer.status().as_u16();
    answer.text().map(|text| (status, text)).map_err(|error| format!("{url} does not answer: {error}"))
}

/// The client that asks other instances.
pub(crate) fn client(access: &Access) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let no_redirect = reqwest::redirect::Policy::none();
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy().redirect(no_redirect);
    if let Some(token) = access.token() {
        let mut value = reqwest::header::HeaderValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        builder = builder.default_headers([(reqwest::header::AUTHORIZATION, value)].into_iter().collect());
    }
    if let Some(files) = &access.tls {
        let own = [std::fs::read(&files.key)?, std::fs::read(&files.certificate)?].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&own)?);
        if let Some(authority) = &files.clients {
            builder =
                builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&std::fs::read(authority)?)?);
        }
    }
    Ok(builder.build()?)
}
