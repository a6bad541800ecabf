//! The server's thread: binding, serving and stopping in good order. Must not know what is served.

use std::future::IntoFuture;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::access::Access;
use crate::application::Application;
use crate::endpoint::{self, Peers, Shared};
use crate::error::ServerError;
use crate::feed::Feed;
use crate::metrics::{MetricsHandle, UPKEEP_INTERVAL};
use crate::tls::{self, Peer, TlsListener};

/// Where the status server listens unless it is told otherwise: port 8080, seen by this machine alone.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Browsers that may follow the feed at the same time.
const FOLLOWERS_MAX: usize = 64;
/// Threads for questions to the application, which may block.
const BLOCKING_THREADS_MAX: usize = 16;
/// How long requests in progress may take when the server stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// A status server on its own thread. Dropping it stops it.
///
/// ```
/// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
/// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
/// let application = StreamsApplication::new(running.handle());
/// let server = StatusServer::start(
///     ([127, 0, 0, 1], 0).into(),
///     &Access::default(),
///     Arc::new(application),
///     Arc::new(Feed::default()),
///     install_recorder()?,
/// )?;
/// assert_eq!(ask_health(server.local_addr(), "/health/live", false)?.0, 200);
/// server.stop();
/// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StatusServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl StatusServer {
    /// Starts to answer on `address` whom `access` lets in; port 0 takes a free one. It answers when this returns.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// let server = StatusServer::start(
    ///     ([127, 0, 0, 1], 0).into(),
    ///     &Access::default(),
    ///     Arc::new(application),
    ///     Arc::new(Feed::default()),
    ///     install_recorder()?,
    /// )?;
    /// assert!(server.local_addr().ip().is_loopback());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Unprotected`] when other machines reach the address and nothing protects it, and
    /// [`ServerError::Certificate`] when a certificate cannot be used.
    /// [`ServerError::AddressInUse`] and [`ServerError::Bind`] when it cannot listen there, [`ServerError::Thread`] when
    /// the system refuses a thread.
    pub fn start(
        address: SocketAddr,
        access: &Access,
        application: Arc<dyn Application>,
        feed: Arc<Feed>,
        metrics: MetricsHandle,
    ) -> Result<Self, ServerError> {
        access.check(address)?;
        let acceptor = access.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(address).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressInUse { address, source },
            _ => ServerError::Bind { address, source },
        })?;
        listener.set_nonblocking(true).map_err(ServerError::Thread)?;
        let address = listener.local_addr().map_err(ServerError::Thread)?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("status-read")
            .build()
            .map_err(ServerError::Thread)?;
        let (stop, stopped) = watch::channel(false);
        let followers = Arc::new(Semaphore::new(FOLLOWERS_MAX));
        let peers = Peers::new(access).map_err(ServerError::Client)?;
        let access = Arc::new(access.clone());
        let shared = Shared { application, access, feed, metrics, peers, followers, stopped };
        let thread = thread::Builder::new()
            .name("status-server".to_owned())
            .spawn(move || run(runtime, listener, acceptor, shared))
            .map_err(ServerError::Thread)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens, with the real port.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// # let server = StatusServer::start(([127, 0, 0, 1], 0).into(), &Access::default(), Arc::new(application), Arc::default(), install_recorder()?)?;
    /// assert_ne!(server.local_addr().port(), 0);
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops it: requests in progress are answered, for at most two seconds, and followers of the feed are let go.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, candlewick_server::*, std::{sync::Arc, time::Duration}};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory());
    /// # builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// # let running = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).start()?;
    /// # let application = StreamsApplication::new(running.handle());
    /// # let server = StatusServer::start(([127, 0, 0, 1], 0).into(), &Access::default(), Arc::new(application), Arc::default(), install_recorder()?)?;
    /// let address = server.local_addr();
    /// server.stop();
    /// assert!(ask_health(address, "/health/live", false).is_err());
    /// # running.stop(Duration::from_secs(10))?; Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the status server's thread had panicked before it was stopped");
        }
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn run(runtime: Runtime, listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Shared) {
    if let Err(error) = runtime.block_on(serve(listener, acceptor, shared)) {
        tracing::error!(%error, "the status server stopped; the application goes on without it");
    }
    runtime.shutdown_timeout(STOP_DEADLINE);
}

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Shared) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let metrics = shared.metrics.clone();
    let upkeep = tokio::spawn(async move {
        let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            tick.tick().await;
            metrics.upkeep();
        }
    });
    let stopped = shared.stopped.clone();
    let service = endpoint::router(shared).into_make_service_with_connect_info::<Peer>();
    let stop = wait_for_stop(stopped.clone());
    let finished: Pin<Box<dyn Future<Output = io::Result<()>> + Send>> = match acceptor {
        None => Box::pin(axum::serve(listener, service).with_graceful_shutdown(stop).into_future()),
        Some(acceptor) => {
            let listener = TlsListener::new(listener, acceptor)?;
            Box::pin(axum::serve(listener, service).with_graceful_shutdown(stop).into_future())
        }
    };
    let deadline = async {
        wait_for_stop(stopped).await;
        tokio::time::sleep(STOP_DEADLINE).await;
    };
    let result = tokio::select! {
        result = finished => result,
        () = deadline => Ok(()),
    };
    upkeep.abort();
    result
}

/// Returns when the server is to stop, or when nobody is left who could say so.
pub(crate) async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
