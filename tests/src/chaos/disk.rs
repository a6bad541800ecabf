//! A small disk of an instance's own, that can be filled to its last byte. Needs the right to mount; where there is none,
//! no disk is ever full. Must not know what is kept on it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a disk holds, for `mount`.
const SIZE: &str = "size=64m";
const BALLAST: &str = "ballast";

/// A file system in memory; it is gone with its owner.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts one at this folder, which is made; nothing where that is not allowed.
    pub(super) fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).expect("a folder of its own");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", SIZE, "candlewick-chaos"]).arg(folder);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self { folder: folder.to_owned() })
    }

    /// Leaves no room.
    pub(super) fn fill(&self) {
        let mut file = File::create(self.folder.join(BALLAST)).expect("an empty file has room");
        let mut size = 1 << 20;
        while size > 0 {
            // What does not fit whole may fit in part: what is left is filled with less.
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Gives the room back.
    pub(super) fn clear(&self) {
        std::fs::remove_file(self.folder.join(BALLAST)).expect("it was filled");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left mounted is a few MiB of memory until the machine is started again.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).output();
    }
}
