//! Accepting connections and serving each of them, up to as many as may be. Must not know what is served.

use std::sync::Arc;

use pgwire::api::cancel::DefaultCancelHandler;
use pgwire::api::{ConnectionManager, PgWireServerHandlers};
use pgwire::tokio::process_socket;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::handler::Handler;
use super::log_in::Login;
use super::startup::Startup;
use crate::engine::Engine;

/// Connections that are told at the same time that there are too many; others are closed without a word.
const REFUSALS_MAX: usize = 16;

/// What every connection is let in by.
pub(crate) struct Door {
    pub(crate) engine: Arc<Engine>,
    pub(crate) login: Login,
}

/// What one connection is answered by.
struct Handlers {
    engine: Arc<Engine>,
    login: Login,
    connections: Arc<ConnectionManager>,
    is_full: bool,
}

impl PgWireServerHandlers for Handlers {
    fn startup_handler(&self) -> Arc<impl pgwire::api::auth::StartupHandler> {
        Arc::new(Startup::new(self.login.clone(), &self.connections, self.is_full))
    }

    fn simple_query_handler(&self) -> Arc<impl pgwire::api::query::SimpleQueryHandler> {
        Arc::new(Handler::new(Arc::clone(&self.engine)))
    }

    fn extended_query_handler(&self) -> Arc<impl pgwire::api::query::ExtendedQueryHandler> {
        Arc::new(Handler::new(Arc::clone(&self.engine)))
    }

    fn cancel_handler(&self) -> Arc<impl pgwire::api::cancel::CancelHandler> {
        Arc::new(DefaultCancelHandler::new(Arc::clone(&self.connections)))
    }
}

/// Serves connections until `stopped` becomes true; then all of them end.
pub(crate) async fn serve(listener: TcpListener, door: Door, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(door.engine.options.connections_max));
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    let connections = Arc::new(ConnectionManager::new());
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => return,
            Some(_) = tasks.join_next() => continue,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // Files have run out, most likely: they come back when a connection ends.
                tracing::warn!(%error, "a connection for SQL could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let (place, is_full) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (place, false),
            Err(_) => match Arc::clone(&refusals).try_acquire_owned() {
                Ok(place) => (place, true),
                Err(_) => continue,
            },
        };
        let handlers = Handlers {
            engine: Arc::clone(&door.engine),
            login: door.login.clone(),
            connections: Arc::clone(&connections),
            is_full,
        };
        tasks.spawn(async move {
            if let Err(error) = process_socket(socket, None, handlers).await {
                tracing::debug!(%error, "a connection for SQL has ended");
            }
            drop(place);
        });
    }
}
