//! Copies of tasks' stores outside of the cluster: taken by whoever runs a task, once in a while, and fetched by whoever
//! has nothing of it, who then reads the rest of the changelog alone. Owns their names and their number; must not know what
//! lies in them. A snapshot is of use, never of need: one that cannot be taken or read is told and left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::application::Application;
use super::error::StreamsError;
use super::thread::StreamThread;
use super::threads::{Spawned, receive};
use crate::record::TaskId;
use crate::state::{Snapshot, StoreError};
use crate::time::Timestamp;

/// A place for files, such as a bucket. Calls may take long: they are made on threads of their own.
///
/// ```
/// use candlewick::{FolderSnapshots, SnapshotStore};
/// # fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// let store = FolderSnapshots::new(folder.path().join("snapshots"));
/// let file = folder.path().join("file");
/// std::fs::write(&file, "rows")?;
/// store.put("app/0_1/7", &file)?;
/// assert_eq!(store.list("app/0_1/")?, ["app/0_1/7"]);
/// store.get("app/0_1/7", &folder.path().join("copy"))?;
/// assert_eq!(std::fs::read(folder.path().join("copy"))?, b"rows");
/// store.delete("app/0_1/7")?;
/// assert!(store.list("app/")?.is_empty());
/// # Ok(())
/// # }
/// ```
pub trait SnapshotStore: Send + Sync + 'static {
    /// Keeps the contents of `file` under this name, whole or not at all.
    ///
    /// # Errors
    /// When the place cannot be reached or is full.
    fn put(&self, name: &str, file: &Path) -> io::Result<()>;

    /// Writes what is kept under this name to `file`.
    ///
    /// # Errors
    /// When it is not there, or the place cannot be reached.
    fn get(&self, name: &str, file: &Path) -> io::Result<()>;

    /// All names that begin so, in order.
    ///
    /// # Errors
    /// When the place cannot be reached.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;

    /// Forgets what is kept under this name.
    ///
    /// # Errors
    /// When the place cannot be reached.
    fn delete(&self, name: &str) -> io::Result<()>;
}

/// Snapshots in a folder, such as a volume that all instances mount. Files are only written whole and read whole there, so
/// it may lie on a network.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{FolderSnapshots, KafkaStreams};
/// fn with_snapshots(streams: KafkaStreams) -> KafkaStreams {
///     streams.snapshots(Arc::new(FolderSnapshots::new("/mnt/snapshots")))
/// }
/// # let _ = with_snapshots;
/// ```
#[derive(Clone, Debug)]
pub struct FolderSnapshots {
    folder: PathBuf,
}

impl FolderSnapshots {
    /// In this folder, which is made when it is needed.
    ///
    /// ```
    /// use candlewick::{FolderSnapshots, SnapshotStore};
    /// # let volume = tempfile::tempdir().expect("a temporary folder");
    /// let snapshots = FolderSnapshots::new(volume.path().join("snapshots"));
    /// assert!(snapshots.list("").expect("an empty folder is made").is_empty());
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl SnapshotStore for FolderSnapshots {
    fn put(&self, name: &str, file: &Path) -> io::Result<()> {
        let target = self.folder.join(name);
        let parent = target.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent)?;
        // Whoever lists the folder meanwhile passes over what begins with a dot.
        let partial = parent.join(format!(".{}", target.file_name().unwrap_or_default().display()));
        fs::copy(file, &partial)?;
        fs::rename(partial, target)
    }

    fn get(&self, name: &str, file: &Path) -> io::Result<()> {
        fs::copy(self.folder.join(name), file).map(drop)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&self.folder).unwrap_or(&path).display().to_string();
                let is_partial =
                    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
                if name.starts_with(prefix) && !is_partial {
                    names.push(name);
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }
}

/// An older snapshot is of no use: compaction may have removed tombstones that it lacks. What `delete.retention.ms` of a
/// topic is where nobody has set it.
const AGE_MS_MAX: i64 = 86_400_000;

/// So many snapshots of a task stay: the one before the last may be being read.
const KEPT: usize = 2;

/// How a task's snapshots are named: by when the lineage of its rows began, by when they were taken, and by an id.
struct Names {
    /// All of the task's begin so.
    task: String,
    /// Those that can be gone on with begin so.
    lineage: String,
}

impl Names {
    fn of(application: &Application, task: TaskId) -> Self {
        let since = application.since.get(task.sub_topology as usize).copied().unwrap_or(0);
        let of_task = format!("{}/{task}/", application.config.application_id);
        Self { lineage: format!("{of_task}{since:015}-"), task: of_task }
    }

    fn name(&self, taken: Timestamp, id: &str) -> String {
        format!("{}{:015}-{id}", self.lineage, taken.as_millis())
    }

    /// Of all of a task's, in order, those that are of no use any more. A later lineage is another version's, which has
    /// taken over while this one still runs.
    fn outdated<'a>(&self, names: &'a [String]) -> impl Iterator<Item = &'a String> {
        let before = names.partition_point(|name| *name < self.lineage);
        let own = names[before..].iter().take_while(|name| name.starts_with(&self.lineage)).count();
        names[..before + own.saturating_sub(KEPT)].iter()
    }
}

/// The thread that takes snapshots.
pub(crate) struct SnapshotTaker {
    application: Arc<Application>,
    requests: Receiver<(TaskId, Snapshot)>,
}

/// Where the thread is asked, and the thread.
type Taker = (Sender<(TaskId, Snapshot)>, Box<dyn Spawned>);

impl SnapshotTaker {
    /// Starts the thread where there is something to do for it.
    pub(crate) fn spawn(application: &Arc<Application>) -> Result<Option<Taker>, StreamsError> {
        if application.snapshots.is_none() || application.folder.is_none() {
            return Ok(None);
        }
        let (sender, requests) = crossbeam_channel::bounded(1);
        let taker = Self { application: Arc::clone(application), requests };
        let thread = application.threads.spawn("snapshots".into(), Box::new(move || taker.run()));
        Ok(Some((sender, thread.map_err(StreamsError::Thread)?)))
    }

    /// Runs until the channel of requests is closed.
    fn run(self) {
        while let Ok((task, snapshot)) = receive(&*self.application.threads, &self.requests, None) {
            if let Err(error) = self.take(task, &snapshot) {
                tracing::warn!(%task, %error, "no snapshot of the task's stores was taken; the next is tried in due time");
            }
        }
    }

    fn take(&self, task: TaskId, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let Application { snapshots: Some(store), folder: Some(folder), .. } = &*self.application else {
            return Ok(());
        };
        let file = folder.path().join(format!("{task}.snapshot"));
        snapshot.write(&file)?;
        let bytes = fs::metadata(&file)?.len();
        let names = Names::of(&self.application, task);
        let kept = store.put(&names.name(self.application.clock.wall(), snapshot.id()), &file);
        fs::remove_file(&file)?;
        kept?;
        tracing::info!(%task, bytes, "a snapshot of the task's stores was taken");
        names.outdated(&store.list(&names.task)?).try_for_each(|name| store.delete(name))?;
        Ok(())
    }
}

/// Why a snapshot was not taken or not fetched.
#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error(transparent)]
    State(#[from] StoreError),
    #[error("the place of snapshots: {0}")]
    Place(#[from] io::Error),
}

impl Application {
    /// Puts the newest snapshot of a task's stores where they are opened, if nothing is there and one is to be had.
    pub(super) fn fetch_snapshot(&self, task: TaskId) {
        let (Some(store), Some(folder)) = (&self.snapshots, &self.folder) else { return };
        let is_persistent = self.sub_topology(task).stores.iter().any(|store| store.persistent);
        if !is_persistent || !Snapshot::is_vacant(&folder.task(task)) {
            return;
        }
        let began = self.clock.monotonic();
        let fetch = || -> Result<bool, SnapshotError> {
            let names = store.list(&Names::of(self, task).lineage)?;
            let Some(name) = names.last() else { return Ok(false) };
            let mut parts = name.rsplitn(3, '-');
            let (Some(id), Some(taken)) = (parts.next(), parts.next()) else { return Ok(false) };
            let age_ms = self.clock.wall().as_millis() - taken.parse::<i64>().unwrap_or(0);
            if age_ms > AGE_MS_MAX {
                tracing::info!(%task, name, "the newest snapshot is too old: deletions since may be gone from the changelog, which is read whole");
                return Ok(false);
            }
            let file = folder.path().join(format!("{task}.fetched"));
            let installed = store.get(name, &file).map_err(SnapshotError::from);
            let installed = installed.and_then(|()| Ok(Snapshot::install(&folder.task(task), &file, id)?));
            if installed.is_err() {
                // What came of it takes room for nothing.
                drop(fs::remove_file(&file));
            }
            installed.map(|()| true)
        };
        match fetch() {
            Ok(true) => {
                let took = self.clock.monotonic().saturating_sub(began);
                tracing::info!(%task, ?took, "the task's stores begin with a snapshot");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%task, %error, "no snapshot of the task's stores could be fetched; the changelog is read whole");
            }
        }
    }
}

/// Whom a stream thread asks for snapshots, and when it is to do so.
pub(crate) struct SnapshotSchedule {
    taker: Option<Sender<(TaskId, Snapshot)>>,
    every: Duration,
    last: Option<Duration>,
    /// The task whose turn it was last.
    turn: Option<TaskId>,
}

impl SnapshotSchedule {
    pub(crate) fn new(taker: Option<Sender<(TaskId, Snapshot)>>, every: Duration) -> Self {
        Self { taker, every, last: None, turn: None }
    }
}

impl StreamThread {
    /// After a commit: has the next task's stores copied. The thread's tasks take turns, so that all have theirs within
    /// the interval and never at once.
    pub(super) fn snapshot_when_due(&mut self) {
        let Some(taker) = &self.snapshots.taker else { return };
        let now = self.application.clock.monotonic();
        let count = u32::try_from(self.tasks.len()).unwrap_or(u32::MAX).max(1);
        let last = *self.snapshots.last.get_or_insert(now);
        if now.saturating_sub(last) < self.snapshots.every / count {
            return;
        }
        let after = self.tasks.iter().find(|running| Some(running.task.id) > self.snapshots.turn);
        let Some(running) = after.or(self.tasks.first()) else { return };
        let Some(snapshot) = running.task.env.state.snapshot() else {
            self.snapshots.turn = Some(running.task.id);
            return;
        };
        match taker.try_send((running.task.id, snapshot)) {
            // The one before is still being taken: the next commit asks again.
            Err(TrySendError::Full(_)) => {}
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.snapshots.turn = Some(running.task.id);
                self.snapshots.last = Some(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_a_lineage_stay_and_none_of_an_earlier_one() {
        let names = Names { task: "app/0_1/".into(), lineage: "app/0_1/000000000000020-".into() };
        let listed: Vec<String> = [(10, 11), (10, 25), (20, 21), (20, 22), (20, 23), (30, 24)]
            .iter()
            .map(|(since, taken)| format!("app/0_1/{since:015}-{taken:015}-id"))
            .collect();
        assert_eq!(names.name(Timestamp(23), "id"), listed[4]);
        assert!(names.outdated(&listed).eq(&listed[..3]));
        assert!(names.outdated(&listed[2..4]).next().is_none());
        assert!(names.outdated(&listed[5..]).next().is_none());
    }
}
