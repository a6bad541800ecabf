//! A bound that the kernel keeps on a process: a group of the memory controller, of either version. Owns the files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::BenchError;

/// Where the controller is mounted, with its file for the bound.
const CONTROLLERS: [(&str, &str); 2] =
    [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];

/// A group of its own, which ends with its owner.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// A group whose processes may have so much memory together, file pages included.
    pub(crate) fn new(mib: u64) -> Result<Self, BenchError> {
        let of = |(root, _): &&(&str, &str)| Path::new(root).join("cgroup.procs").exists();
        let (root, bound) = CONTROLLERS.iter().find(of).unwrap_or(&CONTROLLERS[1]);
        let folder = Path::new(root).join(format!("candlewick-soak-{}", std::process::id()));
        fs::create_dir(&folder).map_err(BenchError::io(&folder))?;
        let group = Self { folder };
        let bound = group.folder.join(bound);
        fs::write(&bound, (mib << 20).to_string()).map_err(BenchError::io(&bound))?;
        Ok(group)
    }

    /// Puts a process into it.
    pub(crate) fn add(&self, pid: u32) -> Result<(), BenchError> {
        let processes = self.folder.join("cgroup.procs");
        fs::write(&processes, pid.to_string()).map_err(BenchError::io(&processes))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its processes have ended by now; one that has not keeps an empty folder alive, and harms nobody.
        let _ = fs::remove_dir(&self.folder);
    }
}
