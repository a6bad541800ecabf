//! What happens when a server cannot run here: a loud skip, or a failure where it is required.

use std::io::Write;

/// A server that cannot be had on this machine, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{server} cannot run here: {why}")]
pub struct Missing {
    /// Its name, as `CANDLEWICK_REQUIRE` spells it.
    pub server: &'static str,
    /// The reason, with what to do about it.
    pub why: String,
}

impl Missing {
    pub(super) fn new(server: &'static str, why: impl Into<String>) -> Self {
        Self { server, why: why.into() }
    }
}

/// The server, or `None` after the skip has been said on stderr and in the file that `CANDLEWICK_SKIPPED` names.
///
/// # Panics
/// When `CANDLEWICK_REQUIRE` (a comma list) names the missing server.
#[must_use]
pub fn required<S>(server: Result<S, Missing>) -> Option<S> {
    let missing = match server {
        Ok(server) => return Some(server),
        Err(missing) => missing,
    };
    let required = std::env::var("CANDLEWICK_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == missing.server),
        "CANDLEWICK_REQUIRE names {}, but {missing}",
        missing.server
    );
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {missing}\n", thread.name().unwrap_or("a test without a name"));
    eprint!("{line}");
    if let Some(path) = std::env::var_os("CANDLEWICK_SKIPPED") {
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("cannot note the skip in {}: {error}", path.display());
        }
    }
    None
}

/// The server of this expression, or the end of the test: see [`required`](crate::servers::required).
#[macro_export]
macro_rules! require {
    ($server:expr) => {
        match $crate::servers::required($server) {
            Some(server) => server,
            None => return,
        }
    };
}
