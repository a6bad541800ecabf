//! The client suite on the embedded log, in memory and in a folder.

use std::sync::Arc;

use candlewick::client::{EmbeddedLog, EmbeddedSettings, Log};
use candlewick_tests::client_suite;
use tempfile::TempDir;

client_suite!(in_memory, || EmbeddedLog::in_memory() as Arc<dyn Log>);

/// A folder that lives as long as the test binary's process; small segments and tails, so that files are read.
fn in_a_fresh_folder() -> Arc<dyn Log> {
    let folder = TempDir::new().expect("a temporary folder");
    let settings =
        EmbeddedSettings { segment_bytes: 20_000, tail_bytes_max: 2_000, ..EmbeddedSettings::default() };
    let log = EmbeddedLog::open(folder.path(), settings).expect("a fresh folder");
    std::mem::forget(folder);
    log
}

client_suite!(in_a_folder, in_a_fresh_folder);

#[path = "client_embedded/damage.rs"]
mod damage;
#[path = "client_embedded/killed.rs"]
mod killed;
#[path = "client_embedded/model.rs"]
mod model;
#[path = "client_embedded/restart.rs"]
mod restart;
#[path = "client_embedded/sessions.rs"]
mod sessions;
#[path = "client_embedded/threads.rs"]
mod threads;
