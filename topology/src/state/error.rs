//! What can go wrong in a store. Owns the one error enum of this room; must not know processors or clients.

use std::path::PathBuf;
use std::sync::Arc;

use crate::serde::SerdeError;

/// Why a store could not do what it was asked to.
///
/// ```
/// use candlewick::{StateFolder, StoreError};
/// let parent = tempfile::tempdir().expect("a temporary folder");
/// let folder = StateFolder::lock(parent.path().join("app")).expect("nobody else uses it");
/// let error = StateFolder::lock(folder.path()).expect_err("it is locked already");
/// assert!(matches!(error, StoreError::Locked { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A key or value of a store has no bytes, or bytes in a store are not a key or value.
    #[error("store {store}: {source}")]
    Serde {
        /// The store.
        store: Arc<str>,
        /// The cause.
        #[source]
        source: SerdeError,
    },
    /// What lies in a task's folder cannot be trusted: wipe it and restore the stores from their changelogs.
    #[error("the state in {folder} cannot be trusted ({reason}): wipe it and restore it from the changelogs")]
    Corrupt {
        /// The task's folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A changelog record is not in the format its store writes.
    #[error(
        "store {store}: the changelog record at offset {offset} is malformed ({reason}): rebuild the changelog"
    )]
    Changelog {
        /// The store.
        store: Arc<str>,
        /// The record's offset.
        offset: i64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Another process uses the state folder.
    #[error(
        "the state folder {folder} is in use by another process: stop it, or give this one its own folder"
    )]
    Locked {
        /// The state folder.
        folder: PathBuf,
    },
    /// The folder lies on a file system that stores cannot be kept on.
    #[error(
        "the state folder {folder} lies on {kind}: stores need a local disk, set the state folder to one"
    )]
    Filesystem {
        /// The state folder.
        folder: PathBuf,
        /// The kind of file system, as the operating system calls it.
        kind: String,
    },
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A key is longer than the engine can hold.
    #[error(
        "store {store}: a key of {bytes} bytes is longer than the engine's {bytes_max}: shorten it or use an in-memory store"
    )]
    KeyTooLong {
        /// The store.
        store: Arc<str>,
        /// The key's length.
        bytes: usize,
        /// The longest key.
        bytes_max: usize,
    },
    /// The engine failed.
    #[error("the engine of {folder}: {source}")]
    Engine {
        /// The task's folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A commit was asked for while a store held changes its changelog has not seen: flush first.
    #[error("store {store} holds changes its changelog has not seen: flush before commit")]
    NotFlushed {
        /// The store.
        store: Arc<str>,
    },
    /// Two stores of a task have one name.
    #[error("two stores are named {store}: give each its own name")]
    DuplicateName {
        /// The name.
        store: Arc<str>,
    },
    /// A query names a store this task does not have.
    #[error("there is no store {store} in this task")]
    Unknown {
        /// The name.
        store: String,
    },
    /// This build has no persistent engine.
    #[error("this build has no persistent engine: enable the feature lmdb or keep the stores in memory")]
    NoPersistentEngine,
}
