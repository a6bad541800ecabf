//! The parts of an embedded log that its clients share, and what they do together: open, recover, look after themselves,
//! sync. Must not know the clients.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::batch::Kind;
use super::coordination::Coordination;
use super::journal::{Journal, StateRecord};
use super::partition::AppendError;
use super::settings::EmbeddedSettings;
use super::topics::{SyncedTo, Topics};
use super::transactions::TransactionalIds;
use super::waker::lock;

/// The key of the internal log itself in [`SyncedTo`]; no topic is named so.
const JOURNAL_KEY: &str = "/";
/// What the file `format` says.
const FORMAT: &str = "candlewick embedded log 1\n";

/// What all clients of one log share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: EmbeddedSettings,
    pub(super) topics: Topics,
    pub(super) coordination: Coordination,
    pub(super) transactional_ids: TransactionalIds,
    home: Option<Home>,
}

/// The folder of a log, locked for this process.
#[derive(Debug)]
struct Home {
    folder: PathBuf,
    synced: Mutex<SyncedTo>,
    _locked: File,
}

impl Inner {
    /// A log in memory.
    pub(super) fn in_memory(settings: EmbeddedSettings) -> Self {
        Self {
            topics: Topics::in_memory(settings.clone()),
            coordination: Coordination::new(Journal::in_memory(), 0),
            transactional_ids: TransactionalIds::default(),
            settings,
            home: None,
        }
    }

    /// Opens or makes the log in `folder`, and ends the transactions that the process before left open.
    pub(super) fn open(folder: &Path, settings: EmbeddedSettings) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let locked = lock_folder(folder)?;
        check_format(folder)?;
        let synced = read_synced(folder)?;
        let journal = Journal::open(folder, synced.get(JOURNAL_KEY).copied().unwrap_or(0))?;
        let topics = Topics::open(folder, settings.clone(), &journal.state.starts, &synced)?;
        let first_member = settings.clock.wall().0.unsigned_abs() << 16;
        let inner = Self {
            topics,
            coordination: Coordination::new(journal, first_member),
            transactional_ids: TransactionalIds::default(),
            settings,
            home: Some(Home { folder: folder.to_path_buf(), synced: Mutex::new(synced), _locked: locked }),
        };
        inner.end_open_transactions()?;
        Ok(inner)
    }

    fn end_open_transactions(&self) -> io::Result<()> {
        let now = self.settings.clock.wall().0;
        for topic in self.topics.all() {
            for partition in &topic.partitions {
                let open: Vec<u64> = lock(&partition.state).open.keys().copied().collect();
                for txn in open {
                    let counts = lock(&self.coordination.state).journal.state.committed.contains(&txn);
                    let kind = if counts { Kind::Commit } else { Kind::Abort };
                    match partition.end_transaction(txn, kind, now) {
                        Ok(()) | Err(AppendError::Deleted) => {}
                        Err(AppendError::Io(error)) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Timeouts, retention and compaction, once.
    pub(super) fn look_after(&self) -> io::Result<()> {
        let clock = &self.settings.clock;
        let (now, wall) = (clock.monotonic(), clock.wall().0);
        if lock(&self.coordination.state).expire_members(now)? {
            self.coordination.changed.notify_all();
        }
        self.transactional_ids.expire(&self.coordination, now, wall);
        let mut outcome = Ok(());
        for topic in self.topics.all() {
            for partition in &topic.partitions {
                // One partition that cannot be cleaned must not keep the others from it.
                outcome = outcome.and(partition.clean(wall));
            }
        }
        outcome
    }

    /// Forces what was written so far to the disk, then writes down how far that was.
    pub(super) fn sync(&self) -> io::Result<()> {
        let Some(home) = &self.home else { return Ok(()) };
        let (floor, journal, journal_end) = {
            let mut agreement = lock(&self.coordination.state);
            let file = agreement.journal.take_unsynced()?;
            (agreement.settled_below(), file, agreement.journal.end())
        };
        let mut reached = BTreeMap::new();
        for topic in self.topics.all() {
            for partition in &topic.partitions {
                let (files, end) = {
                    let mut state = lock(&partition.state);
                    (std::mem::take(&mut state.unsynced), state.next)
                };
                if let Err(error) = files.iter().try_for_each(|file| file.sync_data()) {
                    lock(&partition.state).unsynced.extend(files);
                    return Err(error);
                }
                if !files.is_empty() {
                    reached.insert(partition.name.to_string(), end);
                    partition.sync_folder()?;
                }
            }
        }
        if let Some(file) = &journal {
            file.sync_data()?;
            reached.insert(JOURNAL_KEY.to_owned(), journal_end);
        }
        if reached.is_empty() {
            return Ok(());
        }
        let mut synced = lock(&home.synced);
        synced.extend(reached);
        synced.retain(|key, _| key == JOURNAL_KEY || self.topics.holds(key));
        write_synced(&home.folder, &synced)?;
        drop(synced);
        let mut agreement = lock(&self.coordination.state);
        let is_worth_it = agreement.journal.state.committed.range(..floor).count() > 1_000;
        if is_worth_it { agreement.journal.append(vec![StateRecord::Settled(floor)]) } else { Ok(()) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.sync() {
            tracing::warn!(%error, "the embedded log could not be synced when it was closed");
        }
    }
}

fn lock_folder(folder: &Path) -> io::Result<File> {
    let path = folder.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!(
                "the log in {} is open in another process; stop that one, or give this one another folder",
                folder.display()
            ),
        )),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn check_format(folder: &Path) -> io::Result<()> {
    let path = folder.join("format");
    match std::fs::read_to_string(&path) {
        Ok(text) if text == FORMAT => Ok(()),
        Ok(text) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} says {:?}, this version reads {:?}; open the folder with the version that wrote it",
                path.display(),
                text.trim(),
                FORMAT.trim()
            ),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::write(&path, FORMAT),
        Err(error) => Err(error),
    }
}

fn read_synced(folder: &Path) -> io::Result<SyncedTo> {
    match std::fs::read(folder.join("synced")) {
        // Written without a sync of its own: after a machine crash it may be empty, which only means "not known".
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(SyncedTo::new()),
        Err(error) => Err(error),
    }
}

fn write_synced(folder: &Path, synced: &SyncedTo) -> io::Result<()> {
    let draft = folder.join("synced.draft");
    std::fs::write(&draft, serde_json::to_vec(synced)?)?;
    std::fs::rename(&draft, folder.join("synced"))
}
