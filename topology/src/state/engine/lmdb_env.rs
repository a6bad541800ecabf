//! The two calls of LMDB that Rust cannot check, with the argument why each is safe. Owns nothing else.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};

/// How an environment is opened.
pub(super) struct EnvSize {
    pub(super) map_bytes: usize,
    pub(super) databases_max: u32,
}

/// Opens the environment in `folder`, with commits that reach the operating system and are not forced to disk.
pub(super) fn open(folder: &Path, size: &EnvSize) -> Result<Env<WithoutTls>, heed::Error> {
    reserve_lock_file(folder).map_err(heed::Error::Io)?;
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(size.map_bytes).max_dbs(size.databases_max).max_readers(64);
    // SAFETY: the file is mapped, so nobody else may change it: the state folder is locked by this process before any
    // task is opened, and lies on a local disk. Without sync LMDB may be torn by a crash of the machine: the trust
    // mark beside it says so, and such an environment is never opened again.
    unsafe { options.flags(EnvFlags::NO_SYNC).open(folder) }
}

/// LMDB makes its table of readers as a file without contents and writes to it through a map, where a full disk is no
/// error but a signal that ends the process: so that it has its room before.
fn reserve_lock_file(folder: &Path) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(folder.join("lock.mdb"))?;
    let held = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.write_all(&vec![0; LOCK_BYTES.saturating_sub(held)])
}

/// Room for the table's head and 64 readers of a cache line each, in whole pages.
const LOCK_BYTES: usize = 8_192;

/// How much shorter the file is than what was committed to it, if it is: a page beyond the end would be read as a bus
/// error, which ends the process.
pub(super) fn missing_bytes(env: &Env<WithoutTls>) -> Result<Option<u64>, heed::Error> {
    let held = env.real_disk_size()?;
    let pages = u64::try_from(env.info().last_page_number).unwrap_or(u64::MAX).saturating_add(1);
    let needed = pages.saturating_mul(PAGE_BYTES_MIN);
    Ok(needed.checked_sub(held).filter(|missing| *missing > 0))
}

/// The smallest page that LMDB writes; what is asked for is at least right where pages are larger.
const PAGE_BYTES_MIN: u64 = 4_096;

/// Gives the environment a larger map.
///
/// The caller holds the lock that every transaction of this environment is begun and ended under.
pub(super) fn resize(env: &Env<WithoutTls>, map_bytes: usize) -> Result<(), heed::Error> {
    // SAFETY: no transaction is active, as the caller holds the lock exclusively.
    unsafe { env.resize(map_bytes) }
}
