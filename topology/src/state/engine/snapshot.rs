//! An environment as one file that can be carried elsewhere: copied while it is written to, and put in the place of one
//! that is not there. Must not know where such files are kept.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;

use heed::CompactionOption;

use super::lmdb::{LmdbEngine, engine_fault};
use super::trust::{DATA, Mark};
use crate::state::error::StoreError;
use crate::state::folder::fault;

impl LmdbEngine {
    /// Writes the last commit to `file`, without the room that nothing fills. Commits go on meanwhile; growing the map
    /// waits for the end.
    pub(crate) fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let _no_growth = self.copying.read().unwrap_or_else(PoisonError::into_inner);
        let copied = self.env.copy_to_path(file, CompactionOption::Enabled);
        copied.map_err(|error| engine_fault(&self.folder, error))?.sync_all().map_err(fault("write", file))
    }

    /// What tells this environment from every other.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// Whether there is no environment in `folder`.
pub(crate) fn is_vacant(folder: &Path) -> bool {
    !folder.join(DATA).exists()
}

/// Makes `file`, a copy of the environment `id`, the environment of `folder`, where there is none.
pub(crate) fn install(folder: &Path, file: &Path, id: &str) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(fault("make the folder", folder))?;
    let data = folder.join(DATA);
    fs::rename(file, &data).map_err(fault("move a snapshot to", &data))?;
    // Until the mark is there, nobody trusts the file.
    Mark::now(folder, id, true).write(folder)
}
