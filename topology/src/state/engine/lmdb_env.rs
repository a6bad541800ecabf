//! The two calls of LMDB that Rust cannot check, with the argument why each is safe. Owns nothing else.
#![allow(unsafe_code)]

use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};

/// How an environment is opened.
pub(super) struct EnvSize {
    pub(super) map_bytes: usize,
    pub(super) databases_max: u32,
}

/// Opens the environment in `folder`, with commits that reach the operating system and are not forced to disk.
pub(super) fn open(folder: &Path, size: &EnvSize) -> Result<Env<WithoutTls>, heed::Error> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(size.map_bytes).max_dbs(size.databases_max).max_readers(64);
    // SAFETY: the file is mapped, so nobody else may change it: the state folder is locked by this process before any
    // task is opened, and lies on a local disk. Without sync LMDB may be torn by a crash of the machine: the trust
    // mark beside it says so, and such an environment is never opened again.
    unsafe { options.flags(EnvFlags::NO_SYNC).open(folder) }
}

/// Gives the environment a larger map.
///
/// The caller holds the lock that every transaction of this environment is begun and ended under.
pub(super) fn resize(env: &Env<WithoutTls>, map_bytes: usize) -> Result<(), heed::Error> {
    // SAFETY: no transaction is active, as the caller holds the lock exclusively.
    unsafe { env.resize(map_bytes) }
}
