//! The state of stream tasks: typed stores over a cache, an overlay of what is not committed, and an engine. Owns what a
//! store holds, when it is durable and how it comes back; must not know processors: it *returns* what changed.
//!
//! A change goes three steps down. It is made in the typed **cache**, in place, as often as the records want. A flush
//! (`take_dirty`, or [`TaskState::flush`] at commit) serializes it once into the **overlay** and, from there, once into
//! the changelog. [`TaskState::commit`], called when the changelog is durable, moves the overlay and the changelog
//! positions into the **engine** in one atomic batch. Nothing reaches the engine before that, so an abort only forgets.

mod builder;
mod cache;
mod codec;
mod custom;
mod engine;
mod entry;
mod error;
mod folder;
mod format;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod global;
mod handle;
mod join_buffer;
mod key_value;
mod overlay;
mod query;
mod queryable;
mod reader;
mod record_buffer;
mod restore;
mod rows;
mod schema;
mod session;
mod staging;
mod suppress;
mod task_state;
mod versioned;
mod window;

#[cfg(test)]
mod tests;

use std::any::Any;

pub(crate) use builder::{SourceTopic, StoreDecl, StoreKind};
pub use builder::{StoreBuilder, Stores};
pub(crate) use cache::CacheCounts;
pub(crate) use codec::Codec;
pub use custom::{CustomStore, RowSink, UserStore};
pub use entry::{Dirty, Entry};
pub use error::StoreError;
pub use folder::StateFolder;
pub(crate) use folder::random_id;
#[cfg(feature = "sim")]
pub use folder::seeded::seed_ids;
pub(crate) use global::GlobalTables;
pub use global::{GlobalHandle, GlobalStore};
pub use handle::StoreHandle;
pub(crate) use join_buffer::{JoinBuffer, JoinClock, Released, Sided};
pub use key_value::KeyValueStore;
pub(crate) use query::{KeyBytes, RowShape, Run, Wanted, merge};
pub use queryable::QueryableStore;
pub(crate) use reader::StateReader;
pub(crate) use record_buffer::RecordBuffer;
pub(crate) use rows::Grouping;
pub(crate) use schema::join::Side;
pub use session::{DirtySession, Session, SessionStore};
pub use suppress::{BufferStats, Buffered, ChangeSerde, Evicted, SuppressBuffer};
pub(crate) use task_state::{EngineChoice, Snapshot, TaskSettings, TaskState};
pub use versioned::{Put, VersionedStore};
pub use window::{DirtyWindow, WindowStore};

use self::engine::Batch;
use self::overlay::{Layer, Log, WHOLE};
use crate::record::RecordRun;

/// What a task asks of each of its stores. What stands here is for stores of one keyspace, whose rows are their changelog's.
pub(crate) trait StateStore: Send {
    /// The bytes of the store.
    fn layer(&self) -> &Layer;

    /// The same, to be changed.
    fn layer_mut(&mut self) -> &mut Layer;

    /// For the handle's downcast.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// The store's name.
    fn name(&self) -> &str {
        &self.layer().store
    }

    /// How often its cache had what was asked for; nothing where there is no cache.
    fn cache_counts(&self) -> Option<CacheCounts> {
        None
    }

    /// Whether it looks for rows in memory by a record's key: to have touched them before may pay.
    fn pays_ahead(&self) -> bool {
        false
    }

    /// Serializes what changed into the overlay and takes it for reported.
    fn settle(&mut self) -> Result<(), StoreError>;

    /// Hands each change to `log` that it has not seen, in the changelog's format.
    fn drain_log(&mut self, log: &mut Log<'_>) {
        self.layer_mut().drain_log(log);
    }

    /// Whether every change is in the overlay and was handed to the changelog.
    fn is_flushed(&self) -> bool {
        !self.layer().has_unlogged()
    }

    /// Whether there is nothing for the engine, neither rows nor marks.
    fn is_committed(&self) -> bool {
        self.layer().bytes() == 0
    }

    /// Makes the keyspaces that the next batch needs.
    fn prepare(&mut self) -> Result<(), StoreError> {
        self.layer_mut().prepare(WHOLE)
    }

    /// Adds the overlay and the store's own marks to a batch.
    fn add_to<'a>(&'a mut self, batch: &mut Batch<'a>) {
        self.layer_mut().add_to(WHOLE, batch);
    }

    /// The batch is in the engine.
    fn committed(&mut self) -> Result<(), StoreError> {
        self.layer_mut().clear();
        Ok(())
    }

    /// Forgets what it keeps of its rows in memory: they are read again.
    fn unload(&mut self) {}

    /// Forgets every change since the last commit.
    fn rollback(&mut self) -> Result<(), StoreError> {
        self.unload();
        self.layer_mut().clear();
        Ok(())
    }

    /// Takes a run of the store's changelog. Its rows wait to be written.
    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError>;

    /// Writes the restored rows, `marks` and its own marks into the engine.
    fn write_restored(&mut self, marks: Vec<(String, i64)>) -> Result<(), StoreError> {
        self.unload();
        self.layer_mut().write_restored(WHOLE, marks)
    }
}
