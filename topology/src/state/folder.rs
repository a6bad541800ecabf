//! The state folder of one instance: its lock, its lasting id, and the folder of each task. Owns their layout on disk; must
//! not know what engines put into a task's folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::record::TaskId;

const LOCK: &str = ".lock";
const INSTANCE_ID: &str = "instance-id";
const MEMBER: &str = "member";
const PLAN: &str = "plan.json";

/// File systems that memory-mapped state is not safe on.
const REFUSED: [&str; 12] =
    ["nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"];

/// A state folder, locked for this process as long as this lives.
///
/// ```
/// use candlewick::{Partition, StateFolder, TaskId};
/// let parent = tempfile::tempdir().expect("a temporary folder");
/// let folder = StateFolder::lock(parent.path().join("app")).expect("nobody else uses it");
/// let task = TaskId { sub_topology: 0, partition: Partition(3) };
/// std::fs::create_dir(folder.task(task)).expect("an empty folder");
/// assert_eq!(folder.tasks().expect("readable"), [task]);
/// assert_eq!(folder.path(), parent.path().join("app"));
/// // It lasts as long as the folder does.
/// let id = folder.instance_id().to_owned();
/// drop(folder);
/// let again = StateFolder::lock(parent.path().join("app")).expect("nobody else uses it");
/// assert_eq!(again.instance_id(), id);
/// ```
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    instance_id: String,
    _lock: File,
}

impl StateFolder {
    /// Locks the folder, made when there is none.
    ///
    /// ```
    /// use candlewick::StateFolder;
    /// let parent = tempfile::tempdir().expect("a temporary folder");
    /// let folder = StateFolder::lock(parent.path().join("app")).expect("nobody else uses it");
    /// assert!(StateFolder::lock(folder.path()).is_err(), "one process, one folder");
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process uses it, [`StoreError::Filesystem`] when it lies on a network.
    pub fn lock(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(fault("make the folder", &path))?;
        if let Some(mount) = Mount::of(&path)
            && (REFUSED.contains(&&*mount.kind) || mount.kind.starts_with("fuse"))
        {
            return Err(StoreError::Filesystem { folder: path, kind: mount.kind });
        }
        let file = path.join(LOCK);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&file);
        let lock = lock.map_err(fault("open", &file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { folder: path }),
            Err(TryLockError::Error(source)) => {
                return Err(StoreError::Io { action: "lock", path: file, source });
            }
        }
        let instance_id = instance_id(&path)?;
        Ok(Self { path, instance_id, _lock: lock })
    }

    /// The folder.
    ///
    /// ```
    /// # use candlewick::StateFolder;
    /// # let parent = tempfile::tempdir().expect("a temporary folder");
    /// let folder = StateFolder::lock(parent.path().join("app")).expect("nobody else uses it");
    /// assert_eq!(folder.path(), parent.path().join("app"));
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of this folder: it lasts as long as the folder does.
    ///
    /// ```
    /// # use candlewick::StateFolder;
    /// # let parent = tempfile::tempdir().expect("a temporary folder");
    /// let first = StateFolder::lock(parent.path()).expect("nobody else uses it").instance_id().to_owned();
    /// let again = StateFolder::lock(parent.path()).expect("it was let go");
    /// assert_eq!(again.instance_id(), first);
    /// ```
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// The member of the application's group that the last process on this folder was; `None` when it has left.
    pub(crate) fn member(&self) -> Option<String> {
        let member = fs::read_to_string(self.path.join(MEMBER)).ok()?;
        Some(member.trim().to_owned()).filter(|member| !member.is_empty())
    }

    /// Writes down which member this process is, or that it is none any more. It has to outlive the process, not the
    /// machine: after that, any session is over.
    pub(crate) fn set_member(&self, member: Option<&str>) -> Result<(), StoreError> {
        let path = self.path.join(MEMBER);
        let written = match member {
            Some(member) => fs::write(&path, member),
            None => fs::remove_file(&path),
        };
        written.map_err(fault("write", &path))
    }

    /// What was noted of the plan that used this folder last.
    pub(crate) fn plan(&self) -> Option<Vec<u8>> {
        fs::read(self.path.join(PLAN)).ok()
    }

    /// Notes the plan that uses this folder from now on.
    pub(crate) fn set_plan(&self, text: &[u8]) -> Result<(), StoreError> {
        write_durably(&self.path.join(PLAN), text)
    }

    /// The folder of a task, such as `0_3`.
    ///
    /// ```
    /// # use candlewick::{Partition, StateFolder, TaskId};
    /// # let parent = tempfile::tempdir().expect("a temporary folder");
    /// let folder = StateFolder::lock(parent.path()).expect("nobody else uses it");
    /// let task = TaskId { sub_topology: 0, partition: Partition(3) };
    /// assert_eq!(folder.task(task), parent.path().join("0_3"));
    /// ```
    #[must_use]
    pub fn task(&self, task: TaskId) -> PathBuf {
        self.path.join(task.to_string())
    }

    /// The tasks that have a folder here, in order.
    ///
    /// ```
    /// # use candlewick::{Partition, StateFolder, TaskId};
    /// # let parent = tempfile::tempdir().expect("a temporary folder");
    /// let folder = StateFolder::lock(parent.path()).expect("nobody else uses it");
    /// let task = TaskId { sub_topology: 0, partition: Partition(3) };
    /// std::fs::create_dir(folder.task(task)).expect("a new folder");
    /// assert_eq!(folder.tasks().expect("it is readable"), [task]);
    /// ```
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn tasks(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut tasks = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(fault("read", &self.path))? {
            let entry = entry.map_err(fault("read", &self.path))?;
            tasks.extend(entry.file_name().to_str().and_then(task_of));
        }
        tasks.sort_unstable();
        Ok(tasks)
    }
}

fn task_of(name: &str) -> Option<TaskId> {
    let (sub_topology, partition) = name.split_once('_')?;
    let task = TaskId {
        sub_topology: sub_topology.parse().ok()?,
        partition: crate::record::Partition(partition.parse().ok()?),
    };
    (task.to_string() == name).then_some(task)
}

pub(crate) fn fault(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

fn instance_id(folder: &Path) -> Result<String, StoreError> {
    let path = folder.join(INSTANCE_ID);
    if let Ok(id) = fs::read_to_string(&path)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    let id = random_id()?;
    write_durably(&path, id.as_bytes())?;
    Ok(id)
}

/// 128 random bits as text.
pub(crate) fn random_id() -> Result<String, StoreError> {
    #[cfg(feature = "sim")]
    if let Some(id) = seeded::next() {
        return Ok(id);
    }
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    let read = File::open(source).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(fault("read", source))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Ids of this thread from a seed instead of the operating system: what a simulation repeats has the same ids again.
#[cfg(feature = "sim")]
pub(super) mod seeded {
    use std::cell::Cell;

    thread_local! {
        static NEXT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on; `None` asks the operating system again.
    pub fn seed_ids(seed: Option<u64>) {
        NEXT.set(seed);
    }

    pub(super) fn next() -> Option<String> {
        let state = NEXT.get()?.wrapping_add(0x9E37_79B9_7F4A_7C15);
        NEXT.set(Some(state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        Some(format!("{:032x}", u128::from(mixed ^ (mixed >> 27))))
    }
}

/// Replaces a file so that, after any crash, either the old or the new content is there.
pub(crate) fn write_durably(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let draft = path.with_extension("new");
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(fault("write", path))
}

/// The mounted file system a folder lies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) kind: String,
    pub(crate) device: String,
    pub(crate) point: String,
}

impl Mount {
    /// `None` where the operating system does not say: then nothing is refused, and nothing is trusted after a crash.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let path = fs::canonicalize(path).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let on_path = mounts.lines().filter_map(Self::parse).filter(|m| path.starts_with(&m.point));
        // The deepest mount point wins; of several on one point, the one mounted last.
        on_path.max_by_key(|mount| mount.point.len())
    }

    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ');
        let device = fields.nth(2)?;
        let point = fields.nth(1)?.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
        Some(Self { kind: after.split(' ').next()?.to_owned(), device: device.to_owned(), point })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_gives_kind_device_and_point() {
        // man 5 proc_pid_mountinfo
        let line = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let mount = Mount { kind: "ext3".into(), device: "98:0".into(), point: "/mnt 2".into() };
        assert_eq!(Mount::parse(line), Some(mount));
    }

    #[test]
    fn the_id_of_a_folder_lasts_and_its_lock_does_not() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let first = StateFolder::lock(parent.path()).expect("free");
        let id = first.instance_id().to_owned();
        assert!(matches!(StateFolder::lock(parent.path()), Err(StoreError::Locked { .. })));
        drop(first);
        assert_eq!(StateFolder::lock(parent.path()).expect("free again").instance_id(), id);
    }

    #[test]
    fn only_task_folders_are_tasks() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = StateFolder::lock(parent.path()).expect("free");
        for name in ["1_0", "0_12", "00_1", "x_1", "0_1.old"] {
            fs::create_dir(parent.path().join(name)).expect("made");
        }
        let tasks: Vec<String> = folder.tasks().expect("readable").iter().map(ToString::to_string).collect();
        assert_eq!(tasks, ["0_12", "1_0"]);
    }
}
