//! The topics of a log and their folders. Owns creation and deletion. Must not know who reads or writes them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::partition::{PartitionLog, PartitionState};
use super::recover::open_partition;
use super::segment::Segment;
use super::settings::EmbeddedSettings;
use super::topic_config::TopicConfig;
use crate::client::{ClientError, NewTopic};
use crate::record::{Partition, TopicPartition};

/// A topic: fixed once it is made.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) config: Arc<TopicConfig>,
    pub(super) partitions: Vec<Arc<PartitionLog>>,
}

/// What a topic's folder says about it.
#[derive(Serialize, Deserialize)]
struct TopicFile {
    partitions: i32,
    config: BTreeMap<String, String>,
}

/// All topics.
#[derive(Debug)]
pub(super) struct Topics {
    folder: Option<PathBuf>,
    settings: EmbeddedSettings,
    by_name: RwLock<BTreeMap<Arc<str>, Arc<Topic>>>,
    /// Held while topics are made or deleted.
    changing: Mutex<u64>,
}

/// How far things were on disk when that was last written down, by `topic-partition`.
pub(super) type SyncedTo = BTreeMap<String, i64>;

impl Topics {
    /// No topics, in memory.
    pub(super) fn in_memory(settings: EmbeddedSettings) -> Self {
        Self { folder: None, settings, by_name: RwLock::default(), changing: Mutex::default() }
    }

    /// Opens all topics of a log's folder.
    pub(super) fn open(
        folder: &Path,
        settings: EmbeddedSettings,
        starts: &BTreeMap<TopicPartition, i64>,
        synced: &SyncedTo,
    ) -> io::Result<Self> {
        for name in ["topics", "drafts"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        let leftovers = folder.join("drafts");
        std::fs::remove_dir_all(&leftovers)?;
        std::fs::create_dir(&leftovers)?;
        let mut by_name = BTreeMap::new();
        for entry in std::fs::read_dir(folder.join("topics"))? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let topic = open_topic(&path, name, &settings, starts, synced)?;
            by_name.insert(Arc::clone(&topic.name), Arc::new(topic));
        }
        Ok(Self {
            folder: Some(folder.to_path_buf()),
            settings,
            by_name: RwLock::new(by_name),
            changing: Mutex::default(),
        })
    }

    /// The topic of this name.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The partition, or the error that says what is missing.
    pub(super) fn partition(&self, name: &TopicPartition) -> Result<Arc<PartitionLog>, ClientError> {
        let topic = self.find(&name.topic).and_then(|topic| topic.partition(name.partition));
        topic.ok_or_else(|| ClientError::UnknownTopic { topic: name.topic.to_string() })
    }

    /// All topics in the order of their names.
    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Whether `key`, a `topic-partition`, names a partition of a topic that exists.
    pub(super) fn holds(&self, key: &str) -> bool {
        key.rsplit_once('-').is_some_and(|(topic, _)| self.find(topic).is_some())
    }

    /// Makes a topic; one of the same shape may exist.
    pub(super) fn create(&self, new: &NewTopic) -> Result<(), ClientError> {
        let conflict = |reason: String| ClientError::TopicConflict { topic: new.name.clone(), reason };
        check_name(&new.name).map_err(conflict)?;
        if new.partitions < 1 {
            return Err(conflict(format!(
                "{} partitions were asked for; ask for one or more",
                new.partitions
            )));
        }
        let config = Arc::new(TopicConfig::parse(&new.config, &self.settings).map_err(conflict)?);
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = self.find(&new.name) {
            let there = topic.partitions.len();
            if i32::try_from(there) == Ok(new.partitions) {
                return Ok(());
            }
            return Err(conflict(format!(
                "exists with {there} partitions, {} were asked for",
                new.partitions
            )));
        }
        let topic = self
            .make(new, config)
            .map_err(|source| ClientError::Io { operation: "making a topic in the embedded log", source })?;
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.insert(Arc::clone(&topic.name), Arc::new(topic));
        drop(changing);
        Ok(())
    }

    fn make(&self, new: &NewTopic, config: Arc<TopicConfig>) -> io::Result<Topic> {
        let mut home = None;
        if let Some(folder) = &self.folder {
            let draft = folder.join("drafts").join(&new.name);
            std::fs::create_dir(&draft)?;
            let file = TopicFile { partitions: new.partitions, config: new.config.clone() };
            std::fs::write(draft.join("topic.json"), serde_json::to_vec_pretty(&file)?)?;
            for partition in 0..new.partitions {
                std::fs::create_dir(draft.join(partition.to_string()))?;
            }
            File::open(draft.join("topic.json"))?.sync_all()?;
            File::open(&draft)?.sync_all()?;
            let path = folder.join("topics").join(&new.name);
            std::fs::rename(&draft, &path)?;
            File::open(folder.join("topics"))?.sync_all()?;
            home = Some(path);
        }
        let name: Arc<str> = new.name.as_str().into();
        let partitions = (0..new.partitions).map(|number| {
            let folder = home.as_ref().map(|home| home.join(number.to_string()));
            let state = PartitionState::empty(0, vec![Segment::new(folder.as_deref(), 0)]);
            assemble(TopicPartition::new(Arc::clone(&name), number), folder, &config, &self.settings, state)
        });
        Ok(Topic { partitions: partitions.collect(), name: Arc::clone(&name), config })
    }

    /// Deletes a topic and its files; answers whether there was one.
    pub(super) fn delete(&self, name: &str) -> io::Result<bool> {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(topic) = removed else { return Ok(false) };
        topic.partitions.iter().for_each(|partition| partition.mark_deleted());
        if let Some(folder) = &self.folder {
            *changing += 1;
            // Renamed first, so that a crash in between leaves no half of a topic.
            let grave = folder.join("drafts").join(format!(".deleted-{}", *changing));
            std::fs::rename(folder.join("topics").join(name), &grave)?;
            std::fs::remove_dir_all(&grave)?;
        }
        Ok(true)
    }
}

impl Topic {
    /// The partition of this number.
    pub(super) fn partition(&self, number: Partition) -> Option<Arc<PartitionLog>> {
        self.partitions.get(usize::try_from(number.0).ok()?).cloned()
    }
}

fn open_topic(
    path: &Path,
    name: &str,
    settings: &EmbeddedSettings,
    starts: &BTreeMap<TopicPartition, i64>,
    synced: &SyncedTo,
) -> io::Result<Topic> {
    let file: TopicFile = serde_json::from_slice(&std::fs::read(path.join("topic.json"))?)?;
    let config = TopicConfig::parse(&file.config, settings).map_err(io::Error::other)?;
    let (name, config): (Arc<str>, _) = (name.into(), Arc::new(config));
    let mut partitions = Vec::new();
    for number in 0..file.partitions {
        let folder = path.join(number.to_string());
        let id = TopicPartition::new(Arc::clone(&name), number);
        let synced_to = synced.get(&id.to_string()).copied().unwrap_or(0);
        let state = open_partition(&folder, starts.get(&id).copied().unwrap_or(0), synced_to)?;
        partitions.push(assemble(id, Some(folder), &config, settings, state));
    }
    Ok(Topic { name, config, partitions })
}

fn assemble(
    name: TopicPartition,
    folder: Option<PathBuf>,
    config: &Arc<TopicConfig>,
    settings: &EmbeddedSettings,
    state: PartitionState,
) -> Arc<PartitionLog> {
    Arc::new(PartitionLog {
        name,
        folder,
        config: Arc::clone(config),
        tail_bytes_max: settings.tail_bytes_max,
        state: Mutex::new(state),
        cleaning: Mutex::default(),
    })
}

fn check_name(name: &str) -> Result<(), String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.bytes().all(is_legal) {
        return Err("a topic's name has 1 to 249 letters, digits, dots, underscores and hyphens".to_owned());
    }
    Ok(())
}
