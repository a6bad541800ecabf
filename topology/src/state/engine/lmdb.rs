//! The persistent engine: one LMDB environment a task. Owns the pool of named databases that keyspaces are lent from, the
//! growth of the map and the trust mark. Must not know what the bytes mean.
//!
//! Every transaction is begun and ended under `pool`: shared for views and batches, exclusively to make or remove a
//! keyspace and to grow the map, which LMDB allows only while no transaction runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use heed::types::Bytes;
use heed::{Database, Env, MdbError, RoTxn, WithoutTls};

use super::lmdb_cut::{Cut, Place, escaped, plain};
use super::lmdb_env::{self, EnvSize};
use super::trust::{DATA, Mark};
use super::{Batch, Bounds, EngineLimits, Keyspace, Visit};
use crate::state::error::StoreError;
use crate::state::folder::{fault, random_id};
use crate::state::rows::{Grouping, after_prefix};

pub(super) type Db = Database<Bytes, Bytes>;

const PAGE_BYTES: usize = 64 * 1024;
/// What LMDB changes at least for a row.
const DIRTY_PAGE_BYTES: usize = 4 * 1024;
const FORMAT: i64 = 1;

/// How long an environment that is still being read is waited for when its folder is opened again.
const READERS_MAX: Duration = Duration::from_secs(10);

/// One environment in one folder.
#[derive(Debug)]
pub(crate) struct LmdbEngine {
    pub(super) env: Env<WithoutTls>,
    pub(super) folder: PathBuf,
    pub(super) id: String,
    meta: Db,
    pool: RwLock<Pool>,
    dirty: AtomicBool,
    /// Rows that one transaction may change where it can be cut: what it changes lies in memory, a page for each row at
    /// worst, and the room for it is kept for the next one.
    rows_max: usize,
    /// Held while the file is copied, in a transaction that is begun and ended elsewhere: the map does not grow under it.
    pub(super) copying: RwLock<()>,
}

/// Named databases, lent to keyspaces and taken back empty.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    databases: Vec<Db>,
    names: BTreeMap<String, Keyspace>,
    free: Vec<Keyspace>,
}

/// One read transaction.
pub(crate) struct LmdbView<'a> {
    engine: &'a LmdbEngine,
    txn: &'a RoTxn<'a, WithoutTls>,
    pool: &'a Pool,
}

impl LmdbEngine {
    /// Opens the environment in `folder`, made when there is none.
    pub(crate) fn open(folder: &Path, limits: &EngineLimits) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(fault("make the folder", folder))?;
        wait_for_readers(folder)?;
        let data = folder.join(DATA);
        let corrupt = |reason| StoreError::Corrupt { folder: folder.to_owned(), reason };
        let mark = if data.exists() { Some(Mark::read(folder).map_err(corrupt)?) } else { None };
        let file_bytes = fs::metadata(&data).map_or(0, |data| usize::try_from(data.len()).unwrap_or(0));
        let pages = |bytes: usize| bytes.div_ceil(PAGE_BYTES).max(1) * PAGE_BYTES;
        let mut size = EnvSize {
            map_bytes: pages(limits.map_bytes.max(file_bytes)),
            // One beside the pool for the directory; a few for stores that the topology no longer has.
            databases_max: limits.keyspaces_max + 9,
        };
        loop {
            let engine = Self::open_env(folder, &size).and_then(|(env, meta)| Self::load(folder, env, meta));
            let engine = match engine {
                Ok(engine) => engine,
                Err(heed::Error::Mdb(MdbError::DbsFull)) => {
                    wait_for_readers(folder)?;
                    size.databases_max *= 2;
                    continue;
                }
                Err(heed::Error::Mdb(MdbError::MapFull)) => {
                    wait_for_readers(folder)?;
                    size.map_bytes *= 2;
                    continue;
                }
                Err(heed::Error::Mdb(error)) => return Err(corrupt(error.to_string())),
                Err(error) => return Err(engine_fault(folder, error)),
            };
            let rows_max = (limits.dirty_bytes_max / DIRTY_PAGE_BYTES).max(1);
            return Self { rows_max, ..engine }.examine(mark);
        }
    }

    fn open_env(folder: &Path, size: &EnvSize) -> Result<(Env<WithoutTls>, Db), heed::Error> {
        let env = lmdb_env::open(folder, size)?;
        if let Some(bytes) = lmdb_env::missing_bytes(&env)? {
            tracing::warn!(folder = %folder.display(), bytes, "the file of a store was cut");
            return Err(heed::Error::Mdb(MdbError::Corrupted));
        }
        let mut txn = env.write_txn()?;
        let meta: Db = env.create_database(&mut txn, Some("meta"))?;
        txn.commit()?;
        Ok((env, meta))
    }

    /// Reads the directory and opens the pool.
    fn load(folder: &Path, env: Env<WithoutTls>, meta: Db) -> Result<Self, heed::Error> {
        let mut pool = Pool::default();
        let mut txn = env.write_txn()?;
        let count = number(&meta, &txn, b"pool")?.unwrap_or(0);
        for number in 0..count {
            pool.databases.push(env.create_database(&mut txn, Some(&format!("k{number}")))?);
        }
        for row in meta.prefix_iter(&txn, b"keyspace/")? {
            let (name, place) = row?;
            let place = place.try_into().map(i64::from_be_bytes).ok().and_then(|p| u32::try_from(p).ok());
            let name = String::from_utf8_lossy(&name[b"keyspace/".len()..]).into_owned();
            pool.names.insert(name, Keyspace(place.unwrap_or(u32::MAX)));
        }
        let lent: Vec<Keyspace> = pool.names.values().copied().collect();
        let all = (0..u32::try_from(count).unwrap_or(0)).map(Keyspace);
        pool.free = all.filter(|keyspace| !lent.contains(keyspace)).collect();
        let id = meta.get(&txn, b"id")?.map(|id| String::from_utf8_lossy(id).into_owned());
        txn.commit()?;
        Ok(Self {
            env,
            folder: folder.to_owned(),
            id: id.unwrap_or_default(),
            meta,
            pool: RwLock::new(pool),
            dirty: AtomicBool::new(false),
            rows_max: usize::MAX,
            copying: RwLock::default(),
        })
    }

    /// Says whether what was opened is what the mark speaks of; marks it when it is new.
    fn examine(mut self, mark: Option<Mark>) -> Result<Self, StoreError> {
        let corrupt = |reason: String| StoreError::Corrupt { folder: self.folder.clone(), reason };
        let Some(mark) = mark else {
            self.id = random_id()?;
            let made = || {
                let mut txn = self.env.write_txn()?;
                self.meta.put(&mut txn, b"id", self.id.as_bytes())?;
                self.meta.put(&mut txn, b"format", &FORMAT.to_be_bytes())?;
                txn.commit()?;
                self.env.force_sync()
            };
            made().map_err(|error| engine_fault(&self.folder, error))?;
            Mark::now(&self.folder, &self.id, true).write(&self.folder)?;
            return Ok(self);
        };
        if mark.environment != self.id {
            return Err(corrupt("its mark speaks of another environment".to_owned()));
        }
        let format = self.view(|view| view.number(b"format"))?;
        if format != Some(FORMAT) {
            return Err(corrupt(format!("its format is {format:?}, not {FORMAT}")));
        }
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        if pool.names.values().any(|keyspace| keyspace.0 as usize >= pool.databases.len()) {
            return Err(corrupt("its directory names a database that is not there".to_owned()));
        }
        drop(pool);
        Ok(self)
    }

    pub(crate) fn key_bytes_max(&self) -> usize {
        self.env.max_key_size() - 1
    }

    pub(crate) fn view<R>(
        &self,
        f: impl FnOnce(LmdbView<'_>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
        let txn = self.env.read_txn().map_err(|error| engine_fault(&self.folder, error))?;
        f(LmdbView { engine: self, txn: &txn, pool: &pool })
    }

    pub(crate) fn create(&self, name: &str) -> Result<Keyspace, StoreError> {
        self.write_growing(|| {
            let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(&keyspace) = pool.names.get(name) {
                return Ok(keyspace);
            }
            let mut txn = self.env.write_txn()?;
            let reused = pool.free.last().copied();
            let fresh = Keyspace(u32::try_from(pool.databases.len()).expect("LMDB allows fewer databases"));
            let keyspace = reused.unwrap_or(fresh);
            let database = match reused {
                Some(_) => None,
                None => {
                    self.meta.put(&mut txn, b"pool", &i64::from(fresh.0 + 1).to_be_bytes())?;
                    Some(self.env.create_database(&mut txn, Some(&format!("k{}", fresh.0)))?)
                }
            };
            self.meta.put(&mut txn, &directory_key(name), &i64::from(keyspace.0).to_be_bytes())?;
            txn.commit()?;
            pool.databases.extend(database);
            if reused.is_some() {
                pool.free.pop();
            }
            pool.names.insert(name.to_owned(), keyspace);
            Ok(keyspace)
        })
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.write_growing(|| {
            let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
            let Some(&keyspace) = pool.names.get(name) else { return Ok(()) };
            let mut txn = self.env.write_txn()?;
            pool.databases[keyspace.0 as usize].clear(&mut txn)?;
            self.meta.delete(&mut txn, &directory_key(name))?;
            txn.commit()?;
            pool.names.remove(name);
            pool.free.push(keyspace);
            Ok(())
        })
    }

    pub(crate) fn write(&self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let rows: usize = batch.parts.iter().map(|(_, rows)| rows.len()).sum();
        if rows <= self.rows_max || batch.is_whole {
            return self.write_growing(|| {
                let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner);
                self.write_cut(batch, &pool, usize::MAX)
            });
        }
        self.write_growing(|| {
            // Nobody looks between two transactions of a batch.
            let pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
            self.write_cut(batch, &pool, self.rows_max)
        })
    }

    /// Writes a batch in transactions of at most so many rows; the marks come with the last.
    fn write_cut(&self, batch: &Batch<'_>, pool: &Pool, rows_max: usize) -> Result<(), heed::Error> {
        let mut cut = Cut::new(&self.env, rows_max);
        for (keyspace, rows) in &batch.parts {
            let database = pool.databases[keyspace.0 as usize];
            let place = match rows.first_restored() {
                Some(key) => cut.place_of(database, key)?,
                None => Place::Anywhere,
            };
            rows.in_order(|key, value| cut.write(database, place, key, value))?;
        }
        for (name, value) in &batch.marks {
            self.meta.put(cut.transaction()?, &mark_key(name), &value.to_be_bytes())?;
        }
        cut.commit()
    }

    /// Runs a write transaction, again with a larger map as often as the map is full.
    fn write_growing<R>(&self, write: impl Fn() -> Result<R, heed::Error>) -> Result<R, StoreError> {
        if !self.dirty.load(Ordering::Acquire) {
            Mark::now(&self.folder, &self.id, false).write(&self.folder)?;
            self.dirty.store(true, Ordering::Release);
        }
        loop {
            match write() {
                Err(heed::Error::Mdb(MdbError::MapFull)) => {
                    let _no_copy = self.copying.write().unwrap_or_else(PoisonError::into_inner);
                    let _exclusive = self.pool.write().unwrap_or_else(PoisonError::into_inner);
                    let grown = lmdb_env::resize(&self.env, self.env.info().map_size * 2);
                    grown.map_err(|error| engine_fault(&self.folder, error))?;
                }
                outcome => return outcome.map_err(|error| engine_fault(&self.folder, error)),
            }
        }
    }

    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.env.force_sync().map_err(|error| engine_fault(&self.folder, error))?;
        Mark::now(&self.folder, &self.id, true).write(&self.folder)?;
        self.dirty.store(false, Ordering::Release);
        Ok(())
    }
}

impl LmdbView<'_> {
    fn database(&self, keyspace: Keyspace) -> Db {
        self.pool.databases[keyspace.0 as usize]
    }

    fn fault(&self, error: heed::Error) -> StoreError {
        engine_fault(&self.engine.folder, error)
    }

    fn number(&self, key: &[u8]) -> Result<Option<i64>, StoreError> {
        number(&self.engine.meta, self.txn, key).map_err(|error| self.fault(error))
    }

    /// By the directory as of this transaction: the one in memory may be newer.
    pub(crate) fn keyspace(&self, name: &str) -> Result<Option<Keyspace>, StoreError> {
        Ok(self.number(&directory_key(name))?.and_then(|place| self.place(place)))
    }

    fn place(&self, number: i64) -> Option<Keyspace> {
        let place = u32::try_from(number).ok()?;
        (self.pool.databases.len() > place as usize).then_some(Keyspace(place))
    }

    pub(crate) fn keyspaces(&self, prefix: &str) -> Result<Vec<(String, Keyspace)>, StoreError> {
        let mut found = Vec::new();
        let rows = self.engine.meta.prefix_iter(self.txn, &directory_key(prefix));
        for row in rows.map_err(|error| self.fault(error))? {
            let (name, place) = row.map_err(|error| self.fault(error))?;
            let name = String::from_utf8_lossy(&name[b"keyspace/".len()..]).into_owned();
            let place = place.try_into().map(i64::from_be_bytes).ok().and_then(|place| self.place(place));
            found.extend(place.map(|place| (name, place)));
        }
        Ok(found)
    }

    pub(crate) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        self.database(keyspace).get(self.txn, &escaped(key)).map_err(|error| self.fault(error))
    }

    pub(crate) fn scan(
        &self,
        keyspace: Keyspace,
        (from, to): Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let (from, to) = (from.map(escaped), to.map(escaped));
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) =
            (from.as_ref().map(|key| &**key), to.as_ref().map(|key| &**key));
        let database = self.database(keyspace);
        if reverse {
            let mut rows = database.rev_range(self.txn, &bounds).map_err(|error| self.fault(error))?;
            self.visit_all(&mut rows, visit)
        } else {
            let mut rows = database.range(self.txn, &bounds).map_err(|error| self.fault(error))?;
            self.visit_all(&mut rows, visit)
        }
    }

    /// Rows of longer keys that begin with this one lie between its own.
    pub(crate) fn scan_key(
        &self,
        keyspace: Keyspace,
        (key, grouping): (&[u8], Grouping),
        (from, to): Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let whole = |rest: &[u8]| [key, rest].concat();
        let from = if from == Bound::Unbounded { Bound::Included(key.to_vec()) } else { from.map(whole) };
        let to = match to {
            Bound::Unbounded => after_prefix(key).map_or(Bound::Unbounded, Bound::Excluded),
            to => to.map(whole),
        };
        let bounds = (from.as_ref().map(|row| &row[..]), to.as_ref().map(|row| &row[..]));
        self.scan(keyspace, bounds, reverse, &mut |row, value| {
            if grouping.split(row) == key.len() { visit(&row[key.len()..], value) } else { Ok(true) }
        })
    }

    fn visit_all<'t>(
        &self,
        rows: &mut dyn Iterator<Item = Result<(&'t [u8], &'t [u8]), heed::Error>>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        for row in rows {
            let (key, value) = row.map_err(|error| self.fault(error))?;
            if !visit(plain(key), value)? {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn len(&self, keyspace: Keyspace) -> Result<usize, StoreError> {
        let len = self.database(keyspace).len(self.txn).map_err(|error| self.fault(error))?;
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    pub(crate) fn mark(&self, name: &str) -> Result<Option<i64>, StoreError> {
        self.number(&mark_key(name))
    }
}

fn wait_for_readers(folder: &Path) -> Result<(), StoreError> {
    let path = fs::canonicalize(folder).map_err(fault("resolve", folder))?;
    match heed::env_closing_event(path) {
        Some(event) if !event.wait_timeout(READERS_MAX) => {
            Err(StoreError::Locked { folder: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

pub(super) fn engine_fault(folder: &Path, error: heed::Error) -> StoreError {
    match full_disk(folder, &error) {
        Some(source) => StoreError::Io { action: "write the stores in", path: folder.to_owned(), source },
        None => StoreError::Engine { folder: folder.to_owned(), source: Box::new(error) },
    }
}

/// LMDB calls a write that the disk took half of an input/output error; whether the disk is full, the disk itself says.
fn full_disk(folder: &Path, error: &heed::Error) -> Option<io::Error> {
    let heed::Error::Io(_) = error else { return None };
    let probe = folder.join("probe");
    let written = fs::write(&probe, vec![0; PROBE_BYTES]);
    // It may not even have been made.
    let _ = fs::remove_file(&probe);
    written.err().filter(|source| source.kind() == io::ErrorKind::StorageFull)
}

/// As much as one write of LMDB's may have: 64 of its pages.
const PROBE_BYTES: usize = 256 * 1024;

fn directory_key(name: &str) -> Vec<u8> {
    [b"keyspace/", name.as_bytes()].concat()
}

fn mark_key(name: &str) -> Vec<u8> {
    [b"mark/", name.as_bytes()].concat()
}

fn number(meta: &Db, txn: &RoTxn<'_, WithoutTls>, key: &[u8]) -> Result<Option<i64>, heed::Error> {
    Ok(meta.get(txn, key)?.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes))
}
