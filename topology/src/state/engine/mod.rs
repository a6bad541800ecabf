//! Where committed state lies: a closed set of engines behind one small surface of bytes. Owns keyspaces, atomic
//! batches, views and marks (named numbers, such as changelog positions). Must not know keys, values or windows.

#[cfg(feature = "lmdb")]
mod lmdb;
#[cfg(feature = "lmdb")]
mod lmdb_cut;
#[cfg(feature = "lmdb")]
mod lmdb_env;
mod memory;
#[cfg(feature = "lmdb")]
pub(super) mod snapshot;
#[cfg(feature = "lmdb")]
mod trust;

use std::ops::Bound;

#[cfg(feature = "lmdb")]
pub(crate) use self::lmdb::{LmdbEngine, LmdbView};
pub(crate) use self::memory::MemoryEngine;
use self::memory::Tables;
use super::error::StoreError;
use super::overlay::StagedMap;
use super::restore::RestoredRows;
use super::rows::{Grouping, RowBytes, is_reversed};

/// An ordered map of bytes within an engine. Valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Keyspace(pub(crate) u32);

/// A range of keys.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// What a scan calls for each row; `false` ends it.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError> + 'v;

/// What an engine is opened with.
#[cfg(feature = "lmdb")]
pub(crate) struct EngineLimits {
    /// Address space at first, in bytes.
    pub(crate) map_bytes: usize,
    /// Bytes of pages that one transaction may change, as far as it can be cut.
    pub(crate) dirty_bytes_max: usize,
    pub(crate) keyspaces_max: u32,
}

/// All writes of one commit. Whoever looks sees all of them or none; and so does who comes after a crash, or else he finds
/// some of the rows and the marks from before: the changelog, read from there, brings the same rows again.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    pub(crate) parts: Vec<(Keyspace, Rows<'a>)>,
    pub(crate) marks: Vec<(String, i64)>,
    /// Rows mean something only together: it is not cut.
    pub(crate) is_whole: bool,
}

/// Rows for one keyspace.
pub(crate) enum Rows<'a> {
    /// They may be taken out: whoever commits them drops them afterwards.
    Staged(&'a mut StagedMap),
    Restored(&'a RestoredRows),
}

impl Rows<'_> {
    /// The first key of rows that come from a changelog, and with them perhaps all that there will be.
    #[cfg(feature = "lmdb")]
    fn first_restored(&self) -> Option<&[u8]> {
        match self {
            Self::Staged(_) => None,
            Self::Restored(rows) => rows.iter().next().map(|(key, _)| key),
        }
    }

    /// How many there are.
    #[cfg(feature = "lmdb")]
    fn len(&self) -> usize {
        match self {
            Self::Staged(rows) => rows.len(),
            Self::Restored(rows) => rows.len(),
        }
    }

    /// Hands over each row, in no order that means anything. Staged ones are taken out.
    fn take_each(&mut self, mut write: impl FnMut(&[u8], Option<RowBytes>)) {
        match self {
            Self::Staged(rows) => rows.take_each(|key, staged| write(key, staged.value)),
            Self::Restored(rows) => rows.iter().for_each(|(key, value)| write(key, value.map(Into::into))),
        }
    }

    /// Hands over each row, in key order.
    #[cfg(feature = "lmdb")]
    fn in_order<E>(&self, mut write: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Staged(rows) => rows.for_each_in_order(|key, staged| write(key, staged.value.as_deref())),
            Self::Restored(rows) => rows.iter().try_for_each(|(key, value)| write(key, value)),
        }
    }
}

/// The engines there are.
#[derive(Debug)]
pub(crate) enum Engine {
    Memory(MemoryEngine),
    #[cfg(feature = "lmdb")]
    Lmdb(LmdbEngine),
}

/// One consistent state of an engine: all keyspaces and marks as of one commit. Short-lived.
pub(crate) enum View<'a> {
    Memory(&'a Tables),
    #[cfg(feature = "lmdb")]
    Lmdb(LmdbView<'a>),
}

impl Engine {
    /// Lets `f` look at the last committed state.
    pub(crate) fn view<R>(
        &self,
        f: impl FnOnce(&View<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        match self {
            Self::Memory(engine) => engine.view(|tables| f(&View::Memory(tables))),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.view(|view| f(&View::Lmdb(view))),
        }
    }

    /// The keyspace of this name, made when there is none. `grouping` tells which of its rows are asked for together.
    pub(crate) fn create(&self, name: &str, grouping: Grouping) -> Result<Keyspace, StoreError> {
        match self {
            Self::Memory(engine) => Ok(engine.create(name, grouping)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.create(name),
        }
    }

    /// Removes a keyspace with all its rows.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self {
            Self::Memory(engine) => {
                engine.remove(name);
                Ok(())
            }
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.remove(name),
        }
    }

    /// Writes a batch. The memory takes its rows out; they are not read again.
    pub(crate) fn write(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        match self {
            Self::Memory(engine) => {
                engine.write(batch);
                Ok(())
            }
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.write(batch),
        }
    }

    /// The longest key it takes.
    pub(crate) fn key_bytes_max(&self) -> usize {
        match self {
            Self::Memory(_) => usize::MAX,
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.key_bytes_max(),
        }
    }

    /// Forces everything to disk and says so beside it.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(engine) => engine.close(),
        }
    }
}

impl View<'_> {
    /// The keyspace of this name.
    pub(crate) fn keyspace(&self, name: &str) -> Result<Option<Keyspace>, StoreError> {
        match self {
            Self::Memory(tables) => Ok(tables.keyspace(name)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.keyspace(name),
        }
    }

    /// All keyspaces whose name begins with `prefix`, by name.
    pub(crate) fn keyspaces(&self, prefix: &str) -> Result<Vec<(String, Keyspace)>, StoreError> {
        match self {
            Self::Memory(tables) => Ok(tables.keyspaces(prefix)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.keyspaces(prefix),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        match self {
            Self::Memory(tables) => Ok(tables.get(keyspace, key)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.get(keyspace, key),
        }
    }

    /// Visits the rows of a range in key order, or against it.
    pub(crate) fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if is_reversed(bounds) {
            return Ok(());
        }
        match self {
            Self::Memory(tables) => tables.scan(keyspace, bounds, reverse, visit),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.scan(keyspace, bounds, reverse, visit),
        }
    }

    /// Visits the rows of one key, by the rest of their keys' bytes: those within `bounds`, in order or against it.
    pub(crate) fn scan_key(
        &self,
        keyspace: Keyspace,
        key: (&[u8], Grouping),
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Memory(tables) => tables.scan_key(keyspace, key.0, bounds, reverse, visit),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.scan_key(keyspace, key, bounds, reverse, visit),
        }
    }

    /// How many rows a keyspace has.
    pub(crate) fn len(&self, keyspace: Keyspace) -> Result<usize, StoreError> {
        match self {
            Self::Memory(tables) => Ok(tables.len(keyspace)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.len(keyspace),
        }
    }

    /// A named number.
    pub(crate) fn mark(&self, name: &str) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Memory(tables) => Ok(tables.mark(name)),
            #[cfg(feature = "lmdb")]
            Self::Lmdb(view) => view.mark(name),
        }
    }
}
