//! How stores are declared in the plan: their types forgotten. Owns what a task needs to open one; must not know which
//! stores there are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::record::{Headers, RecordRun};
use crate::state::StateStore;
use crate::state::cache::CacheLimits;
use crate::state::engine::Engine;
use crate::state::error::StoreError;
use crate::state::format::RowFormats;
use crate::state::queryable::KeptTypes;
use crate::state::schema::buffer::VERSION_HEADER;

/// What a store is given when a task opens it.
pub(crate) struct StoreSettings {
    pub(crate) engine: Arc<Engine>,
    pub(crate) topic: Arc<str>,
    pub(crate) limits: CacheLimits,
}

/// Opens one store of a task.
pub(crate) type MakeStore =
    Arc<dyn Fn(&StoreSettings) -> Result<Box<dyn StateStore>, StoreError> + Send + Sync>;

/// The kinds of store; it decides the changelog topic's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// The newest value of each key: a compacted changelog.
    KeyValue,
    /// Values by key and window start: a changelog that is compacted and expires.
    Window {
        /// How long windows are kept, in milliseconds.
        retention_ms: i64,
        /// The windows' size, in milliseconds.
        size_ms: i64,
    },
    /// Values by key and session: a changelog that is compacted and expires.
    Session {
        /// How long sessions are kept, in milliseconds.
        retention_ms: i64,
    },
    /// Records a suppression holds back: a compacted changelog whose values carry the header `v`.
    Suppress,
    /// Records of a join that wait for a match, or for the table to be known at their time: a compacted changelog.
    JoinBuffer,
    /// Versions of each key's value: a changelog that is compacted only behind the history.
    Versioned {
        /// How long versions are kept, in milliseconds.
        history_ms: i64,
    },
}

impl StoreKind {
    /// The headers of every changelog record that carries a value; a tombstone carries none.
    pub(crate) fn value_headers(self) -> Headers {
        let mut headers = Headers::default();
        if self == Self::Suppress {
            headers.push(VERSION_HEADER.0, Some(Bytes::from_static(VERSION_HEADER.1)));
        }
        headers
    }
}

/// Turns records of a source topic into those of a changelog; what the table would not take is left out.
pub(crate) type ReadSource = Arc<dyn Fn(&RecordRun) -> RecordRun + Send + Sync>;

/// A source topic that is the changelog of a table's store too.
#[derive(Clone)]
pub(crate) struct SourceTopic {
    pub(crate) topic: Arc<str>,
    pub(crate) read: ReadSource,
}

/// A declared store, its types forgotten.
#[derive(Clone)]
pub(crate) struct StoreDecl {
    pub(crate) name: Arc<str>,
    pub(crate) kind: StoreKind,
    pub(crate) logged: bool,
    /// What the store is restored from in place of a changelog of its own.
    pub(crate) source: Option<SourceTopic>,
    pub(crate) persistent: bool,
    pub(crate) cached: bool,
    pub(crate) cache_bytes_max: Option<usize>,
    pub(crate) changelog_config: BTreeMap<String, String>,
    pub(crate) make: MakeStore,
    pub(crate) types: KeptTypes,
    pub(crate) formats: RowFormats,
}

impl fmt::Debug for StoreDecl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreDecl")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("logged", &self.logged)
            .field("persistent", &self.persistent)
            .field("cached", &self.cached)
            .finish_non_exhaustive()
    }
}
