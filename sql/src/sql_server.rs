//! The endpoint's threads: binding, serving and stopping in good order. Must not know what is served.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use candlewick_server::{Application, Instances};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::engine::Engine;
use crate::error::SqlError;
use crate::options::SqlOptions;
use crate::tables::Tables;
use crate::wire::{Door, Login, serve};

/// Threads for reads of stores, which may block.
const BLOCKING_THREADS_MAX: usize = 16;
/// Stack of the threads that plan: a statement with many operators is a deep tree.
const STACK_BYTES: usize = 32 << 20;
/// How long reads in progress may take when the endpoint stops.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// A SQL endpoint on threads of its own. Dropping it stops it.
#[derive(Debug)]
pub struct SqlServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl SqlServer {
    /// Starts to answer on `address`; port 0 takes a free one. It answers when this returns.
    ///
    /// The tables are the stores that `application` shows. Those of other instances are asked for theirs at their
    /// [`endpoint`](candlewick::StreamsConfig), where a [`StatusServer`](candlewick_server::StatusServer) has to answer.
    ///
    /// ```no_run
    /// # fn serve(streams: &candlewick::RunningStreams) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use candlewick_server::StreamsApplication;
    /// use candlewick_sql::{SqlOptions, SqlServer};
    /// let application = Arc::new(StreamsApplication::new(streams.handle()));
    /// let server = SqlServer::start(candlewick_sql::DEFAULT_ADDRESS, application, SqlOptions::default())?;
    /// println!("psql -h 127.0.0.1 -p {}", server.local_addr().port());
    /// # server.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SqlError::PasswordMissing`] when other machines could connect without one, [`SqlError::Bind`] when it cannot listen
    /// there, and others when the system refuses what it needs.
    pub fn start(
        address: SocketAddr,
        application: Arc<dyn Application>,
        options: SqlOptions,
    ) -> Result<Self, SqlError> {
        if options.password.is_none() && !address.ip().is_loopback() {
            return Err(SqlError::PasswordMissing { address });
        }
        let listener = TcpListener::bind(address).map_err(|source| SqlError::Bind { address, source })?;
        listener.set_nonblocking(true).map_err(SqlError::Thread)?;
        let address = listener.local_addr().map_err(SqlError::Thread)?;
        let login = Login::new(options.password.as_deref()).ok_or(SqlError::Random)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_stack_size(STACK_BYTES)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("sql")
            .enable_io()
            .enable_time()
            .build()
            .map_err(SqlError::Thread)?;
        let tables = Tables::new(Instances::new(application, &options.access)?, options.clone());
        let engine = Engine::new(Arc::new(tables), options);
        let engine = engine.map_err(|error| SqlError::Engine(Box::new(error)))?;
        let door = Door { engine: Arc::new(engine), login };
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("sql-server".to_owned())
            .spawn(move || run(runtime, listener, door, stopped))
            .map_err(SqlError::Thread)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops it: all connections end.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the SQL endpoint's thread had panicked before it was stopped");
        }
    }
}

impl Drop for SqlServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn run(runtime: Runtime, listener: TcpListener, door: Door, stopped: watch::Receiver<bool>) {
    let served = runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        // On a thread of the runtime's own, whose stack is deep enough.
        let serving = tokio::spawn(serve(listener, door, stopped));
        serving.await.map_err(io::Error::other)
    });
    if let Err(error) = served {
        tracing::error!(%error, "the SQL endpoint stopped; the application goes on without it");
    }
    runtime.shutdown_timeout(STOP_DEADLINE);
}
