//! Reads of the last committed state by other threads than the tasks' own. They take no lock that a task takes while it
//! processes. Bytes in and out: what they mean is known where the store was declared.

use std::ops::Bound;

use super::status::ApplicationState;
use super::streams::StreamsHandle;
use crate::state::StoreError;
use crate::time::Timestamp;

/// A row as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The key's bytes; for a window store, followed by the window's start and a sequence number.
    pub key: Vec<u8>,
    /// The value's bytes.
    pub value: Vec<u8>,
    /// The value's time.
    pub timestamp: Timestamp,
}

/// Why a store cannot be read here and now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The topology has no store of this name.
    #[error("there is no store {store}")]
    UnknownStore {
        /// The name.
        store: String,
    },
    /// Tasks are being assigned or restored.
    #[error("tasks are being assigned or restored; ask again in a moment")]
    Rebalancing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StreamsHandle {
    /// The committed row of a key, from whichever task of this instance holds it.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] while not every task runs.
    pub fn read_row(&self, store: &str, key: &[u8]) -> Result<Option<StoredRow>, QueryError> {
        let mut found = None;
        self.each_reader(store, |snapshot| {
            for segment in snapshot.segments()? {
                if let Some(row) = snapshot.get(segment, key)? {
                    found = stored(key, row);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// At most `limit` committed rows whose keys lie between these, both included, in the order of their bytes within
    /// each task. Across tasks there is no common moment.
    ///
    /// # Errors
    /// [`QueryError::Rebalancing`] while not every task runs.
    pub fn read_rows(
        &self,
        store: &str,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, QueryError> {
        let mut rows = Vec::new();
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        let to = to.map_or(Bound::Unbounded, Bound::Included);
        self.each_reader(store, |snapshot| {
            let mut held = 0;
            for segment in snapshot.segments()? {
                snapshot.range(segment, from, to, false, |key, row| {
                    rows.extend(stored(key, row));
                    held += 1;
                    Ok(held < limit)
                })?;
            }
            Ok(())
        })?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows.truncate(limit);
        Ok(rows)
    }

    fn each_reader(
        &self,
        store: &str,
        mut read: impl FnMut(&crate::state::StateSnapshot<'_>) -> Result<(), StoreError>,
    ) -> Result<(), QueryError> {
        if !self.has_store(store) {
            return Err(QueryError::UnknownStore { store: store.to_owned() });
        }
        if self.state() != ApplicationState::Running {
            return Err(QueryError::Rebalancing);
        }
        for (_, reader) in self.readers() {
            match reader.read(store, &mut read) {
                // Another sub-topology's task, or one that was closed just now.
                Ok(()) | Err(StoreError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Rows begin with eight bytes of time.
fn stored(key: &[u8], row: &[u8]) -> Option<StoredRow> {
    let (time, value) = row.split_first_chunk::<8>()?;
    let timestamp = Timestamp(i64::from_be_bytes(*time));
    Some(StoredRow { key: key.to_vec(), value: value.to_vec(), timestamp })
}
