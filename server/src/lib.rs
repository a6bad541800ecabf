//! # candlewick-server
//!
//! The status server of an application: health, metrics, topology, tasks, stores and the live page, over HTTP. It asks an
//! [`Application`] and a [`Feed`] when a request comes. It must not know how records are processed, and must not start,
//! stop or change the application.
//!
//! | path | answers |
//! |---|---|
//! | `/` | the page: chart, forecast, numbers, topology and tasks |
//! | `/health/live`, `/health/ready` | 200 or 503, with the state and the reason |
//! | `/metrics` | Prometheus' text format |
//! | `/status`, `/tasks` | the [`Status`](candlewick::Status); its tasks with their lag |
//! | `/topology`, `/topology.txt` | JSON, or a page for browsers; Kafka Streams' text |
//! | `/stores`, `/stores/{name}?from&to&limit`, `/stores/{name}/{key}` | names, entries in order, one value |
//! | `/feed?since=N`, `/feed/snapshot` | server-sent market events; all that are kept |
//!
//! An answer that went wrong is `{"error": "…"}` with a sentence that says what to do.
//!
//! Everything runs on one thread of its own, so that a slow browser costs the stream threads nothing.

mod application;
mod endpoint;
mod error;
mod feed;
mod metrics;
mod page;
mod status_server;

pub use application::{Application, ReadError};
pub use error::ServerError;
pub use feed::{CandleEvent, Feed, FeedEvent, FeedLimits, PredictionEvent};
pub use metrics::{MetricsHandle, install_recorder};
pub use status_server::{DEFAULT_ADDRESS, StatusServer};
