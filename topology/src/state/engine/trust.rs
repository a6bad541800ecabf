//! The mark beside an environment that says whether its file can be trusted. Owns the file and the judgement.
//!
//! Commits are not forced to disk. A crash of the process loses nothing, for the operating system holds the pages; a crash
//! of the machine may tear the file. So, before the first unsynced write, the mark says *dirty* and names the boot, the
//! device, the mount and the environment; after a forced sync it says *clean*. A dirty environment is trusted only where
//! all four are what they were: then the machine has not gone down since.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::state::error::StoreError;
use crate::state::folder::{Mount, write_durably};

/// The data file of an environment.
pub(super) const DATA: &str = "data.mdb";
const FILE: &str = "trust.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    clean: bool,
    boot_id: String,
    device: String,
    mount: String,
    /// Bytes of the data file when the mark was written: it never shrinks.
    file_bytes: u64,
    pub(super) environment: String,
}

impl Mark {
    /// The mark of the environment `id` in `folder` as of this boot.
    pub(super) fn now(folder: &Path, id: &str, clean: bool) -> Self {
        let mount = Mount::of(folder);
        let (device, mount) = mount.map(|m| (m.device, m.point)).unwrap_or_default();
        let boot_id = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let file_bytes = fs::metadata(folder.join(DATA)).map_or(0, |data| data.len());
        Self { clean, boot_id, device, mount, file_bytes, environment: id.to_owned() }
    }

    /// Writes the mark; it is on disk when this returns.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let json = serde_json::to_vec(self).expect("strings and a bool are always JSON");
        write_durably(&folder.join(FILE), &json)
    }

    /// The mark in `folder`, if it says that the environment beside it can be opened; the reason if not.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let text = fs::read(folder.join(FILE)).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
        let mark: Self =
            serde_json::from_slice(&text).map_err(|error| format!("{FILE} is not a mark: {error}"))?;
        let now = Self::now(folder, &mark.environment, false);
        // A page beyond the file's end would be read as a bus error, not as an error.
        if now.file_bytes < mark.file_bytes {
            return Err(format!("its file was cut from {} bytes to {}", mark.file_bytes, now.file_bytes));
        }
        if mark.clean {
            return Ok(mark);
        }
        if now.boot_id.is_empty() || now.mount.is_empty() {
            return Err(
                "it was not closed, and the operating system does not say whether it ran on".to_owned()
            );
        }
        for (what, then, now) in [
            ("the machine was started anew", &mark.boot_id, &now.boot_id),
            ("its device changed", &mark.device, &now.device),
            ("its mount changed", &mark.mount, &now.mount),
        ] {
            if then != now {
                return Err(format!("it was not closed, and {what} since"));
            }
        }
        Ok(mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dirty_mark_is_trusted_only_within_its_boot_and_a_clean_one_always() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(Mark::read(folder.path()).is_err(), "no mark");
        let dirty = Mark::now(folder.path(), "e", false);
        dirty.write(folder.path()).expect("written");
        assert_eq!(Mark::read(folder.path()), Ok(dirty.clone()));
        for other in [
            Mark { boot_id: "other".into(), ..dirty.clone() },
            Mark { device: "other".into(), ..dirty.clone() },
            Mark { mount: "other".into(), ..dirty.clone() },
        ] {
            other.write(folder.path()).expect("written");
            assert!(Mark::read(folder.path()).is_err(), "{other:?}");
            let clean = Mark { clean: true, ..other };
            clean.write(folder.path()).expect("written");
            assert_eq!(Mark::read(folder.path()), Ok(clean));
        }
        fs::write(folder.path().join(FILE), b"{").expect("written");
        assert!(Mark::read(folder.path()).is_err(), "torn");
    }
}
