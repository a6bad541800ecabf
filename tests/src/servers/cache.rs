//! The folder outside of the clone that keeps what the servers are made of, and its filling by Maven: once, under a
//! file lock, and complete or not at all.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::missing::Missing;

/// A server's files: where they lie, and how they are made when they are not there.
pub(crate) struct Parts {
    pub(crate) server: &'static str,
    /// Changes with the contents, so that an old cache is not taken for a new one.
    pub(crate) version: &'static str,
    /// Fills an empty folder.
    pub(crate) make: fn(&Path) -> Result<(), String>,
}

impl Parts {
    /// The filled folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Missing> {
        let fill = || -> Result<PathBuf, String> {
            let root = root()?;
            std::fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
            let folder = root.join(format!("{}-{}", self.server, self.version));
            if folder.is_dir() {
                return Ok(folder);
            }
            let lock = File::create(root.join(format!("{}.lock", self.server))).map_err(|e| e.to_string())?;
            lock.lock().map_err(|error| format!("the cache cannot be locked: {error}"))?;
            if folder.is_dir() {
                return Ok(folder);
            }
            let half = root.join(format!("{}-{}.half", self.server, self.version));
            if half.is_dir() {
                std::fs::remove_dir_all(&half).map_err(|error| error.to_string())?;
            }
            std::fs::create_dir_all(&half).map_err(|error| error.to_string())?;
            (self.make)(&half)?;
            std::fs::rename(&half, &folder).map_err(|error| error.to_string())?;
            Ok(folder)
        };
        fill().map_err(|why| Missing::new(self.server, why))
    }
}

fn root() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("CANDLEWICK_SERVERS") {
        return Ok(folder.into());
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(
            std::env::var_os("HOME").ok_or("set CANDLEWICK_SERVERS to a folder: HOME is not set")?,
        )
        .join(".cache"),
    };
    Ok(cache.join("candlewick/servers"))
}

/// A file of this crate's `servers` folder.
pub(crate) fn recipe(path: &str) -> PathBuf {
    crate::checkout().join("tests/servers").join(path)
}

/// Copies the runtime jars that `pom` names into `to`.
pub(crate) fn jars(pom: &Path, to: &Path) -> Result<(), String> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg("-f").arg(pom).arg(format!("-DoutputDirectory={}", to.display()));
    done("mvn", &mut maven)
}

/// Runs a tool to its end.
pub(crate) fn done(tool: &str, command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| {
        format!("`{tool}` does not run ({error}): install a JDK of 17 or newer and Maven")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let tail: Vec<&str> = text.lines().rev().take(8).collect();
    Err(format!(
        "`{tool}` failed with {}: {}",
        output.status,
        tail.into_iter().rev().collect::<Vec<_>>().join(" / ")
    ))
}

/// A `java` of at least this version: `CANDLEWICK_JAVA`, then the path, then the usual folders.
pub(crate) fn java(at_least: u32) -> Result<PathBuf, String> {
    let mut candidates: Vec<PathBuf> =
        std::env::var_os("CANDLEWICK_JAVA").map(PathBuf::from).into_iter().collect();
    candidates.push("java".into());
    if let Ok(installed) = std::fs::read_dir("/usr/lib/jvm") {
        let mut homes: Vec<PathBuf> =
            installed.flatten().map(|entry| entry.path().join("bin/java")).collect();
        homes.sort();
        candidates.extend(homes);
    }
    candidates
        .into_iter()
        .find(|java| java_version(java).is_some_and(|version| version >= at_least))
        .ok_or_else(|| {
            format!("no Java of {at_least} or newer: install one or name its `java` in CANDLEWICK_JAVA")
        })
}

fn java_version(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()
}
