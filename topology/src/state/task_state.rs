//! All stores of one task and the order in which their changes become durable. Owns flush, commit, rollback and restore;
//! must not know who writes changelogs or when a commit is due.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StateStore;
#[cfg(feature = "lmdb")]
use super::builder::StoreKind;
use super::builder::{ReadSource, StoreDecl, StoreSettings};
use super::cache::{CacheCounts, CacheLimits};
#[cfg(feature = "lmdb")]
use super::engine::EngineLimits;
use super::engine::{Batch, Engine, MemoryEngine};
use super::error::StoreError;
use super::overlay::{Layer, mark_name};
use super::reader::StateReader;
use crate::record::RecordRun;
use crate::time::Timestamp;

const POSITION: &str = "position";

/// Where persistent stores keep their state.
#[derive(Clone, Debug)]
pub(crate) enum EngineChoice {
    /// Nowhere: all stores are kept in memory.
    Memory,
    /// In this folder of the task, see [`StateFolder::task`](super::StateFolder).
    Lmdb {
        /// The task's folder; made when there is none.
        folder: PathBuf,
        /// Address space of the engine at first, in bytes: it grows by itself.
        #[cfg_attr(not(feature = "lmdb"), expect(dead_code, reason = "there is no engine to read it"))]
        map_bytes: usize,
        /// Bytes of pages that one transaction of the engine may change, as far as it can be cut.
        #[cfg_attr(not(feature = "lmdb"), expect(dead_code, reason = "there is no engine to read it"))]
        dirty_bytes_max: usize,
    },
}

/// What a task opens its stores with.
#[derive(Clone, Debug)]
pub(crate) struct TaskSettings {
    pub(crate) engine: EngineChoice,
    /// Bytes of the caches of all stores.
    pub(crate) cache_bytes_max: usize,
    /// The changelog topic of each store, also of those that write none: serdes are told its name.
    pub(crate) changelog_topics: Vec<Arc<str>>,
}

/// All stores of one task over one engine environment.
///
/// The order of a commit: [`flush`](Self::flush) and write the changelogs; when they are durable, [`commit`](Self::commit)
/// with the offsets behind their last records. After an abort, [`rollback`](Self::rollback).
pub(crate) struct TaskState {
    stores: Vec<Box<dyn StateStore>>,
    logged: Vec<bool>,
    /// For each store, how the records of the source topic are read that it is restored from.
    sources: Vec<Option<ReadSource>>,
    persistent: Option<Arc<Engine>>,
    memory: Arc<Engine>,
    folder: Option<PathBuf>,
    positions: Vec<Option<i64>>,
    /// The offset behind the restored rows of each store that wait to be written.
    restored: BTreeMap<usize, i64>,
}

impl TaskState {
    /// Opens the stores of a task.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when what lies in the folder cannot be trusted: [`wipe_folder`](Self::wipe_folder), open
    /// again and restore.
    pub(crate) fn open(decls: &[StoreDecl], settings: &TaskSettings) -> Result<Self, StoreError> {
        let (persistent, folder) = open_engine(&settings.engine, decls)?;
        let memory = Arc::new(Engine::Memory(MemoryEngine::default()));
        let mut state = Self {
            stores: Vec::with_capacity(decls.len()),
            logged: decls.iter().map(|decl| decl.logged).collect(),
            sources: decls.iter().map(|decl| Some(Arc::clone(&decl.source.as_ref()?.read))).collect(),
            persistent,
            memory,
            folder,
            positions: Vec::new(),
            restored: BTreeMap::new(),
        };
        let shared = settings.cache_bytes_max / decls.len().max(1);
        for (index, decl) in decls.iter().enumerate() {
            if decls[..index].iter().any(|other| other.name == decl.name) {
                return Err(StoreError::DuplicateName { store: decl.name.clone() });
            }
            let engine = state.persistent.as_ref().filter(|_| decl.persistent).unwrap_or(&state.memory);
            let limits = CacheLimits {
                bytes_max: decl.cache_bytes_max.unwrap_or(shared),
                write_through: !decl.cached,
                keeps_clean: decl.cached || !matches!(**engine, Engine::Memory(_)),
            };
            let topic = settings.changelog_topics[index].clone();
            let store = (decl.make)(&StoreSettings { engine: engine.clone(), topic, limits })?;
            state.positions.push(store.layer().mark(POSITION)?);
            state.stores.push(store);
        }
        Ok(state)
    }

    /// Whether a store looks for rows in memory by a record's key: to have touched them before may pay.
    pub(crate) fn pays_ahead(&self, store: usize) -> bool {
        self.stores[store].pays_ahead()
    }

    /// Touches the rows of these keys.
    pub(crate) fn warm(&self, store: usize, keys: &mut dyn Iterator<Item = &[u8]>) {
        self.stores[store].layer().warm(keys);
    }

    /// The stores, in the order of their declarations: what [`StoreHandle`](super::StoreHandle)s point into.
    pub(crate) fn stores_mut(&mut self) -> &mut [Box<dyn StateStore>] {
        &mut self.stores
    }

    /// Hands every change since the last call to `sink`, in the changelogs' format, one record a key: store index, key,
    /// value (`None` is a tombstone) and time, unknown where Kafka lets the log stamp the record. A value carries the
    /// headers of its store's [`StoreKind`]. Changes that no node has taken are taken.
    ///
    /// # Errors
    /// When a key or value cannot be written.
    pub(crate) fn flush(
        &mut self,
        mut sink: impl FnMut(usize, &[u8], Option<&[u8]>, Timestamp),
    ) -> Result<(), StoreError> {
        for (index, store) in self.stores.iter_mut().enumerate() {
            store.settle()?;
            let logged = self.logged[index];
            store.drain_log(&mut |key, value, timestamp| {
                if logged {
                    sink(index, key, value, timestamp);
                }
            });
        }
        Ok(())
    }

    /// The changelogs are durable: the changes and `positions` (store index, next changelog offset) become the committed
    /// state, in one atomic batch.
    ///
    /// # Errors
    /// [`StoreError::NotFlushed`] when a store has changed since [`flush`](Self::flush); the engine's errors.
    pub(crate) fn commit(&mut self, positions: &[(usize, i64)]) -> Result<(), StoreError> {
        if let Some(store) = self.stores.iter().find(|store| !store.is_flushed()) {
            return Err(StoreError::NotFlushed { store: store.name().into() });
        }
        if self.stores.iter().all(|store| store.is_committed())
            && positions.iter().all(|&(store, offset)| self.positions[store] == Some(offset))
        {
            return Ok(());
        }
        for store in &mut self.stores {
            store.prepare()?;
        }
        // Disk before memory: if the disk refuses, nothing has happened yet.
        for engine in self.persistent.iter().chain([&self.memory]) {
            engine.write(&mut batch(&mut self.stores, engine, positions))?;
        }
        for &(store, offset) in positions {
            self.positions[store] = Some(offset);
        }
        self.stores.iter_mut().try_for_each(|store| store.committed())
    }

    /// Forgets every change since the last commit.
    ///
    /// # Errors
    /// When the engine fails.
    pub(crate) fn rollback(&mut self) -> Result<(), StoreError> {
        self.stores.iter_mut().try_for_each(|store| store.rollback())
    }

    /// Takes a run of a store's changelog, or of the source topic in its place, with the offset behind it. Runs are
    /// gathered, up to `bytes_max`: sorted by key and with the newest row of each key alone, many of them cost an engine
    /// little more than one.
    ///
    /// # Errors
    /// When the engine fails or a record is malformed.
    pub(crate) fn restore(
        &mut self,
        store: usize,
        run: &RecordRun,
        next_offset: i64,
        bytes_max: usize,
    ) -> Result<(), StoreError> {
        let target = &mut self.stores[store];
        match &self.sources[store] {
            Some(read) => target.restore(&read(run))?,
            None => target.restore(run)?,
        }
        self.restored.insert(store, next_offset);
        if target.layer().restored_bytes() > bytes_max { self.write_restored(store) } else { Ok(()) }
    }

    /// Brings what is gathered into the engine: restoration is at its end.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub(crate) fn finish_restore(&mut self) -> Result<(), StoreError> {
        for store in 0..self.stores.len() {
            self.write_restored(store)?;
            self.stores[store].layer_mut().end_restore();
        }
        Ok(())
    }

    /// Writes the restored rows of a store into the engine, together with the offset behind them.
    fn write_restored(&mut self, store: usize) -> Result<(), StoreError> {
        let Some(next_offset) = self.restored.remove(&store) else { return Ok(()) };
        let mark = (mark_name(POSITION, self.stores[store].name()), next_offset);
        self.stores[store].write_restored(vec![mark])?;
        self.positions[store] = Some(next_offset);
        Ok(())
    }

    /// The changelog offset behind the committed state of each store; `None` where nothing was committed or restored.
    pub(crate) fn positions(&self) -> &[Option<i64>] {
        &self.positions
    }

    /// Bytes that wait for a commit.
    pub(crate) fn overlay_bytes(&self) -> usize {
        self.stores.iter().map(|store| store.layer().bytes()).sum()
    }

    /// The stores that have a cache, with what it was good for.
    pub(crate) fn cache_counts(&self) -> impl Iterator<Item = (&str, CacheCounts)> {
        self.stores.iter().filter_map(|store| Some((store.name(), store.cache_counts()?)))
    }

    /// The bytes of each store.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.stores.iter().map(|store| store.layer())
    }

    /// What a snapshot is taken from: the persistent stores as of their last commit.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.persistent.as_ref().map(|engine| Snapshot(Arc::clone(engine)))
    }

    /// A handle for queries of the last committed state; it ends with the task.
    pub(crate) fn reader(&self) -> StateReader {
        StateReader::new(self.stores.iter().map(|store| store.layer()))
    }

    /// Forces what is committed to disk, marks it clean and closes it; what is not committed is forgotten.
    ///
    /// # Errors
    /// When the disk fails: the state is then not trusted after a machine crash.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.persistent.as_ref().map_or(Ok(()), |engine| engine.close())
    }

    /// Closes the stores and removes all they held.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub(crate) fn wipe(mut self) -> Result<(), StoreError> {
        let folder = self.folder.take();
        drop(self);
        folder.map_or(Ok(()), |folder| Self::wipe_folder(&folder))
    }

    /// Removes what lies in the folder of a task that is not open.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub(crate) fn wipe_folder(folder: &Path) -> Result<(), StoreError> {
        match std::fs::remove_dir_all(folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Io { action: "remove", path: folder.to_owned(), source })
            }
            _ => Ok(()),
        }
    }
}

/// The persistent stores of a task, to be copied while they are used.
pub(crate) struct Snapshot(Arc<Engine>);

#[cfg(feature = "lmdb")]
impl Snapshot {
    /// Writes them to a file, as of their last commit.
    pub(crate) fn write(&self, file: &Path) -> Result<(), StoreError> {
        match &*self.0 {
            Engine::Memory(_) => Err(StoreError::NoPersistentEngine),
            Engine::Lmdb(engine) => engine.copy_to(file),
        }
    }

    /// What [`install`](Self::install) has to be told.
    pub(crate) fn id(&self) -> &str {
        match &*self.0 {
            Engine::Memory(_) => "",
            Engine::Lmdb(engine) => engine.id(),
        }
    }

    /// Whether a task's folder holds no stores.
    pub(crate) fn is_vacant(folder: &Path) -> bool {
        super::engine::snapshot::is_vacant(folder)
    }

    /// Makes a file that [`write`](Self::write) has written the stores of a folder that is vacant.
    pub(crate) fn install(folder: &Path, file: &Path, id: &str) -> Result<(), StoreError> {
        super::engine::snapshot::install(folder, file, id)
    }
}

/// Without the persistent engine there is nothing to take.
#[cfg(not(feature = "lmdb"))]
impl Snapshot {
    pub(crate) fn write(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::NoPersistentEngine)
    }

    pub(crate) fn id(&self) -> &str {
        ""
    }

    pub(crate) fn is_vacant(_: &Path) -> bool {
        false
    }

    pub(crate) fn install(_: &Path, _: &Path, _: &str) -> Result<(), StoreError> {
        Err(StoreError::NoPersistentEngine)
    }
}

/// What the stores of an engine have to be written.
fn batch<'a>(
    stores: &'a mut [Box<dyn StateStore>],
    engine: &Arc<Engine>,
    positions: &[(usize, i64)],
) -> Batch<'a> {
    let mut batch = Batch::default();
    for (index, store) in stores.iter_mut().enumerate() {
        if !Arc::ptr_eq(store.layer().engine(), engine) {
            continue;
        }
        let offsets = positions.iter().filter(|(of, _)| *of == index);
        batch.marks.extend(offsets.map(|(_, offset)| (mark_name(POSITION, store.name()), *offset)));
        store.add_to(&mut batch);
    }
    batch
}

/// Keyspaces the stores need at once. A window store holds up to five segments, and one more before it drops the oldest.
#[cfg(feature = "lmdb")]
fn keyspaces_max(decls: &[StoreDecl]) -> u32 {
    let keyspaces = |decl: &StoreDecl| match decl.kind {
        StoreKind::Window { .. } | StoreKind::Session { .. } => 8,
        _ => 1,
    };
    decls.iter().map(keyspaces).sum()
}

#[cfg(feature = "lmdb")]
fn open_engine(
    choice: &EngineChoice,
    decls: &[StoreDecl],
) -> Result<(Option<Arc<Engine>>, Option<PathBuf>), StoreError> {
    match choice {
        EngineChoice::Memory => Ok((None, None)),
        EngineChoice::Lmdb { folder, map_bytes, dirty_bytes_max } => {
            let limits = EngineLimits {
                map_bytes: *map_bytes,
                dirty_bytes_max: *dirty_bytes_max,
                keyspaces_max: keyspaces_max(decls),
            };
            let engine = super::engine::LmdbEngine::open(folder, &limits)?;
            Ok((Some(Arc::new(Engine::Lmdb(engine))), Some(folder.clone())))
        }
    }
}

#[cfg(not(feature = "lmdb"))]
fn open_engine(
    choice: &EngineChoice,
    _: &[StoreDecl],
) -> Result<(Option<Arc<Engine>>, Option<PathBuf>), StoreError> {
    match choice {
        EngineChoice::Memory => Ok((None, None)),
        EngineChoice::Lmdb { .. } => Err(StoreError::NoPersistentEngine),
    }
}
