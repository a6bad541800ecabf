//! Queries of the last committed state, from any thread. Owns the handle and its snapshots; sees no cache and no overlay,
//! and takes no lock that a task holds while it works.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Weak};

use super::engine::{Bounds, Engine, View};
use super::error::StoreError;
use super::overlay::{Layer, Layout, keyspace_name, mark_name};
use super::rows::Grouping;
use crate::time::Timestamp;

/// Reads the committed state of one task. Cloned freely; answers [`StoreError::Unknown`] once the task is closed.
#[derive(Clone)]
pub(crate) struct StateReader {
    stores: Arc<BTreeMap<Arc<str>, Place>>,
}

/// Where a store lies. Weak: a query never keeps a task's environment open.
type Place = (Weak<Engine>, Layout);

impl fmt::Debug for StateReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stores.keys()).finish()
    }
}

/// One store as of one commit. Short-lived: copy what you need and let it go.
pub(crate) struct StateSnapshot<'s> {
    view: &'s View<'s>,
    store: &'s str,
    layout: Layout,
}

impl StateReader {
    pub(crate) fn new<'l>(layers: impl Iterator<Item = &'l Layer>) -> Self {
        let store = |layer: &Layer| (layer.store.clone(), (Arc::downgrade(layer.engine()), layer.layout()));
        Self { stores: Arc::new(layers.map(store).collect()) }
    }

    /// Lets `f` read a store as of its last commit.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when the task has no such store or is closed; the engine's errors and `f`'s.
    pub(crate) fn read<R>(
        &self,
        store: &str,
        f: impl FnOnce(&StateSnapshot<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let unknown = || StoreError::Unknown { store: store.to_owned() };
        let (engine, layout) = self.stores.get(store).ok_or_else(unknown)?;
        let engine = engine.upgrade().ok_or_else(unknown)?;
        engine.view(|view| f(&StateSnapshot { view, store, layout: *layout }))
    }
}

impl StateSnapshot<'_> {
    /// The changelog offset behind this state; `None` when nothing was committed.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) fn position(&self) -> Result<Option<i64>, StoreError> {
        self.view.mark(&mark_name("position", self.store))
    }

    /// The newest time that a store of windows, sessions or versions was given.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) fn observed(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.view.mark(&mark_name("observed", self.store))?.map(Timestamp))
    }

    /// The bytes of a key's row: eight bytes of timestamp, then the value. `segment` is 0 except in window stores.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) fn get(&self, segment: i64, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        match self.view.keyspace(&keyspace_name(self.store, self.layout, segment))? {
            Some(keyspace) => self.view.get(keyspace, key),
            None => Ok(None),
        }
    }

    /// The segments there are: 0 alone except in window stores.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) fn segments(&self) -> Result<Vec<i64>, StoreError> {
        if self.layout == Layout::Whole {
            return Ok(vec![super::overlay::WHOLE]);
        }
        let prefix = format!("{}/", self.store);
        let keyspaces = self.view.keyspaces(&prefix)?;
        let mut segments: Vec<i64> =
            keyspaces.iter().filter_map(|(name, _)| name[prefix.len()..].parse().ok()).collect();
        segments.sort_unstable();
        Ok(segments)
    }

    /// Calls `visit` with the rows of a range of keys of a segment, in the order of the keys' bytes or against it, until
    /// it answers `false`: a page at a time, so that the snapshot stays short.
    ///
    /// # Errors
    /// When the engine fails; `visit`'s errors.
    pub(crate) fn range(
        &self,
        segment: i64,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        match self.view.keyspace(&keyspace_name(self.store, self.layout, segment))? {
            Some(keyspace) => self.view.scan(keyspace, (from, to), reverse, &mut visit),
            None => Ok(()),
        }
    }

    /// As [`range`](Self::range), of the rows of one key, by the rest of their keys' bytes.
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub(crate) fn of_key(
        &self,
        segment: i64,
        key: (&[u8], Grouping),
        bounds: Bounds<'_>,
        reverse: bool,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        match self.view.keyspace(&keyspace_name(self.store, self.layout, segment))? {
            Some(keyspace) => self.view.scan_key(keyspace, key, bounds, reverse, &mut visit),
            None => Ok(()),
        }
    }
}
