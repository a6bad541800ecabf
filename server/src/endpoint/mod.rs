//! The table of endpoints. Owns the paths and what all endpoints share; must not know how an answer is made.

mod answer;
mod feed;
mod forward;
mod guard;
mod health;
mod page;
mod status;
mod store;
mod topology;

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::{Semaphore, watch};

use crate::access::Access;
use crate::application::Application;
use crate::feed::Feed;
use crate::metrics::MetricsHandle;

use answer::Failure;
pub(crate) use forward::{Peers, to_hex};

/// What every endpoint may ask.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) application: Arc<dyn Application>,
    /// Who may ask.
    pub(crate) access: Arc<Access>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) metrics: MetricsHandle,
    /// Asks other instances.
    pub(crate) peers: Peers,
    /// One permit for each follower of the feed.
    pub(crate) followers: Arc<Semaphore>,
    /// Becomes true when the server stops.
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Shared {
    /// Asks the application on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Application) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let application = Arc::clone(&self.application);
        tokio::task::spawn_blocking(move || question(&*application)).await.map_err(|_| Failure::no_answer())
    }
}

/// All endpoints.
pub(crate) fn router(shared: Shared) -> Router {
    let guard = middleware::from_fn_with_state(Arc::clone(&shared.access), guard::guard);
    Router::new()
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(status::metrics))
        .route("/status", get(status::status))
        .route("/tasks", get(status::tasks))
        .route("/topology", get(topology::topology))
        .route("/topology.txt", get(topology::text))
        .route("/stores", get(store::list))
        .route("/stores/{name}", get(store::many))
        .route("/stores/{name}/{*key}", get(store::key))
        .route("/feed", get(feed::follow))
        .route("/feed/snapshot", get(feed::snapshot))
        .fallback(answer::unknown_path)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(guard)
        .with_state(shared)
}
