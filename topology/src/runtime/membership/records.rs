//! The records of the control topic: their keys, and their values as JSON. Fields that are not known are passed over, so
//! that versions can stand side by side. Must not know who writes what when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Partition, TaskId};

/// A member's life: from joining the group to losing it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Incarnation {
    /// The lasting name of the instance: it stays with the state folder.
    pub(crate) instance: String,
    /// Differs between two runs of one instance.
    pub(crate) process: String,
    /// The id the group gave.
    pub(crate) member: String,
    /// Rises with every loss of membership within a process.
    pub(crate) count: u64,
}

/// What an instance says about itself. The newest one is the whole truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    pub(crate) incarnation: Incarnation,
    /// Where its status server answers, if it has one.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// Version of the framework.
    pub(crate) version: String,
    /// Every transactional id its threads write under.
    #[serde(default)]
    pub(crate) transactional_ids: Vec<String>,
    pub(crate) threads: usize,
    /// Of the topology; see [`fingerprint`](super::fingerprint::fingerprint).
    pub(crate) fingerprint: String,
    /// The newest epoch of the task table that it has acted upon.
    pub(crate) applied: u64,
    /// The tasks that it may have something open for. What is granted to it at `applied` or before and is not here, it has
    /// given up: every commit and abort has returned.
    #[serde(default)]
    pub(crate) holds: Vec<String>,
    /// The tasks whose stores it keeps a copy of, with how many records of their changelogs it has not read yet.
    #[serde(default)]
    pub(crate) copies: BTreeMap<String, i64>,
    /// It takes no task any more.
    #[serde(default)]
    pub(crate) is_leaving: bool,
}

impl Announcement {
    /// How many records its copy of a task's stores is behind, if it has one.
    pub(crate) fn lag(&self, task: TaskId) -> Option<i64> {
        self.copies.get(&task.to_string()).copied()
    }
}

/// To whom a task was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) incarnation: Incarnation,
    /// To be fenced if the owner is gone without a word.
    #[serde(default)]
    pub(crate) transactional_ids: Vec<String>,
}

/// Where a task is in its handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Its owner runs it.
    Granted,
    /// Its owner is asked to give it up.
    Revoking,
}

/// A row of the task table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Rises with every change of the table.
    pub(crate) epoch: u64,
    pub(crate) phase: Phase,
    pub(crate) owner: Owner,
}

/// Who keeps copies of a task's stores. A row of its own: what it says moves no task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copies {
    /// Counted with those of the table.
    pub(crate) epoch: u64,
    /// The instances, in the order of their names.
    pub(crate) instances: Vec<String>,
}

/// Who keeps the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leadership {
    pub(crate) instance: String,
    pub(crate) fingerprint: String,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Leader,
    Member(String),
    Task(TaskId),
    Copies(TaskId),
}

impl Key {
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Leader => "leader".to_owned(),
            Self::Member(instance) => format!("member/{instance}"),
            Self::Task(task) => format!("task/{task}"),
            Self::Copies(task) => format!("copies/{task}"),
        }
    }

    /// `None` for a key of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        match text.split_once('/') {
            None => (text == "leader").then_some(Self::Leader),
            Some(("member", instance)) => Some(Self::Member(instance.to_owned())),
            Some(("task", task)) => task_id(task).map(Self::Task),
            Some(("copies", task)) => task_id(task).map(Self::Copies),
            Some(_) => None,
        }
    }
}

fn task_id(text: &str) -> Option<TaskId> {
    let (sub_topology, partition) = text.split_once('_')?;
    let partition = Partition(partition.parse().ok()?);
    Some(TaskId { sub_topology: sub_topology.parse().ok()?, partition })
}

/// A record's value as bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs of strings and numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were() {
        let task = TaskId { sub_topology: 2, partition: Partition(17) };
        for key in [Key::Leader, Key::Member("a/b".into()), Key::Task(task), Key::Copies(task)] {
            assert_eq!(Key::decode(key.encode().as_bytes()), Some(key));
        }
        for unknown in ["", "task/1", "task/x_1", "standby/1_1", "followers"] {
            assert_eq!(Key::decode(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
