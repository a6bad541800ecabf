//! A disk that is full: a small file system in memory, which only root may mount.

use std::path::{Path, PathBuf};
use std::process::Command;

use candlewick_tests::servers::Missing;
use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run};

/// A file system of a few hundred kibibytes, mounted as long as this lives.
struct SmallDisk {
    point: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(kib: u32) -> Result<Self, Missing> {
        let point = tempfile::tempdir().expect("a folder");
        let missing = |why: String| Missing { server: "mount", why };
        let size = format!("size={kib}k,mode=700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(point.path()).output();
        let output = mounted.map_err(|error| missing(format!("`mount` does not run: {error}")))?;
        if output.status.success() {
            return Ok(Self { point });
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(missing(format!("a small disk needs root and the right to mount: {words}")))
    }

    fn path(&self) -> &Path {
        self.point.path()
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Somebody has made room.
    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=256m"]).arg(self.path()).status();
        assert!(grown.expect("`mount` ran before").success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that a failed test has left may still hold a file there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_below_the_stores_is_one_sentence_and_nothing_is_lost_once_there_is_room() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let disk = require!(SmallDisk::mount(208));
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "fullstate", 60);
    let run = run.with(&["--state-dir", disk.folder("state").to_str().expect("UTF-8")]);
    let said = run.start().fails_with(1, PATIENCE);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains(disk.path().to_str().expect("UTF-8")), "it says where: {said}");
    disk.grow();
    run.succeeds();
    run.candles_are_exact();
    assert_eq!(run.dead_letters(), []);
}

#[test]
fn a_full_disk_below_the_embedded_log_is_one_sentence_and_nothing_is_lost_once_there_is_room() {
    let disk = require!(SmallDisk::mount(700));
    let run = Run::embedded(51, 60).with_instead("--data-dir", disk.folder("data").to_str().expect("UTF-8"));
    let said = run.start().fails_with(1, PATIENCE);
    assert!(said.contains("No space left on device"), "{said}");
    disk.grow();
    run.succeeds();
    run.candles_are_exact();
    assert_eq!(run.dead_letters(), []);
}
