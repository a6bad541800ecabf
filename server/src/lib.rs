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
//! | `/stores`, `/stores/{name}`, `/stores/{name}/{key}` | the stores; a page of rows; the rows of a key |
//! | `/feed?since=N`, `/feed/snapshot` | server-sent market events; all that are kept |
//!
//! An answer that went wrong is `{"error": "…"}` with a sentence that says what to do.
//!
//! # Stores
//!
//! Rows are read from the last commit. `/stores/{name}` takes `from` and `to` (keys, both included) or `prefix`,
//! `from_time` and `to_time` (Unix milliseconds: of windows when they start, of sessions any moment within, of versions
//! since when they hold), `reverse=true`, `limit` (100; at most 1,000) and `after`. It answers
//! `{"store", "entries": [{"key", "value", "timestamp", …}], "next", "position"}`; `next`, if it is not null, goes into
//! `after` for the next page, with everything else the same. A page may be shorter than its limit. Entries of window stores
//! carry `window: {start, end}`, those of session stores `session: {start, end}`.
//!
//! `/stores/{name}/{key}` is one value of a key-value store or global table, or the latest version of a versioned one;
//! `at` names the start of a window, the start of a session (with `end`), or the moment a version held at. Without `at` it
//! is a page of all windows or sessions of the key; `versions=true` makes it a page of the key's versions.
//!
//! `staleness_max_ms` bounds the age of any answer: an early commit is made when the last one is older.
//!
//! Whichever instance is asked answers for all: it asks the owners of what it does not have by their
//! [`endpoint`](candlewick::StreamsConfig). With `local=true` it does not: a key that is elsewhere is a 307 to its owner, and
//! a page names under `elsewhere` the tasks it is without. While tasks are being moved or restored the answer is a 503 with a
//! sentence.
//!
//! # Who may ask
//!
//! A server on this machine's own address answers whoever asks. Any other address needs a token or clients' certificates
//! ([`Access`]): then all but `/health/live` and `/health/ready` is a 401 without `Authorization: Bearer …`, the token as the
//! password of any user, or a certificate that is trusted.
//!
//! Everything runs on one thread of its own, so that a slow browser costs the stream threads nothing.

mod access;
mod application;
mod endpoint;
mod error;
mod feed;
mod instances;
mod metrics;
mod page;
mod status_server;
mod streams;
mod tls;

pub use access::{Access, TlsFiles};
pub use application::{Application, Question, Range, ReadError, Reply, Row, Rows, Sample};
pub use error::ServerError;
pub use feed::{CandleEvent, Feed, FeedEvent, FeedLimits, PredictionEvent};
pub use instances::Instances;
pub use metrics::{MetricsHandle, install_recorder};
pub use status_server::{DEFAULT_ADDRESS, StatusServer};
pub use streams::StreamsApplication;
pub use tls::ask_health;
