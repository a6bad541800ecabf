//! What the status server asks of an application. Owns the questions; must not know how they are answered.

use candlewick::{Status, TopologyView};
use serde_json::Value;
use thiserror::Error;

/// A running application, as the status server sees it.
///
/// The methods are called from the server's own threads, several at a time. They may block briefly, and must not wait for
/// a record to be processed.
pub trait Application: Send + Sync + 'static {
    /// What it is doing right now.
    fn status(&self) -> Status;

    /// The drawing of its topology; the same for as long as it runs.
    fn topology(&self) -> TopologyView;

    /// The description of its topology, in the text format of Kafka Streams.
    fn describe(&self) -> String;

    /// The value of `key` in `store` as JSON, or `None` if there is none. The key is given as text.
    ///
    /// # Errors
    /// A [`ReadError`] when this instance cannot answer for that store and key right now.
    fn read_key(&self, store: &str, key: &str) -> Result<Option<Value>, ReadError>;

    /// At most `limit` entries of `store` in the order of their keys, from `from` to `to`, both included; an end that is
    /// left out is open.
    ///
    /// # Errors
    /// A [`ReadError`] when this instance cannot answer for that store right now.
    fn read_range(
        &self,
        store: &str,
        from: Option<&str>,
        to: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Value)>, ReadError>;
}

/// Why a store could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The topology has no store of that name.
    #[error("The topology has no such store; `/stores` lists the ones it has.")]
    UnknownStore,
    /// Tasks are being assigned or restored; the answer would be incomplete.
    #[error("The store cannot be read while tasks are being assigned or restored; ask again in a moment.")]
    Rebalancing,
    /// Another instance holds the partition.
    #[error("The key is held by another instance; ask {to}.")]
    Moved {
        /// Where that instance answers, as `host:port`.
        to: String,
    },
    /// The store's keys or values have no form in text and JSON.
    #[error("The store's keys and values have no form as text and JSON; read it inside the application.")]
    NotReadable,
}
