//! What the control topic says, folded: the newest announcement of each instance and the task table. Must not know clients.

use std::collections::BTreeMap;

use super::records::{Announcement, Key, Leadership, Row};
use crate::record::TaskId;

/// The state of the control topic up to some offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) leader: Option<Leadership>,
    pub(crate) members: BTreeMap<String, Announcement>,
    pub(crate) table: BTreeMap<TaskId, Row>,
    /// The newest epoch of the table.
    pub(crate) epoch: u64,
}

/// What a record changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Leader,
    Member(String),
    Row(TaskId),
}

impl View {
    /// Takes a record in; `None` when it says nothing that this version knows.
    pub(crate) fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<Change> {
        let key = Key::decode(key)?;
        let taken = match key {
            Key::Leader => self.take_leader(value).map(|()| Change::Leader),
            Key::Member(instance) => self.take_member(&instance, value).map(|()| Change::Member(instance)),
            Key::Task(task) => self.take_row(task, value).map(|()| Change::Row(task)),
        };
        taken
            .inspect_err(|error| {
                tracing::warn!(%error, "a record of the control topic cannot be read and is passed over");
            })
            .ok()
    }

    fn take_leader(&mut self, value: Option<&[u8]>) -> serde_json::Result<()> {
        self.leader = value.map(serde_json::from_slice).transpose()?;
        Ok(())
    }

    fn take_member(&mut self, instance: &str, value: Option<&[u8]>) -> serde_json::Result<()> {
        match value {
            Some(value) => {
                let announcement: Announcement = serde_json::from_slice(value)?;
                // Epochs outlive rows: a table whose rows are gone must not begin at nought again.
                self.epoch = self.epoch.max(announcement.applied);
                self.members.insert(instance.to_owned(), announcement);
            }
            None => drop(self.members.remove(instance)),
        }
        Ok(())
    }

    fn take_row(&mut self, task: TaskId, value: Option<&[u8]>) -> serde_json::Result<()> {
        match value {
            Some(value) => {
                let row: Row = serde_json::from_slice(value)?;
                self.epoch = self.epoch.max(row.epoch);
                // The leader takes its own rows in before it reads them: an earlier one may come behind a later one.
                if self.table.get(&task).is_none_or(|known| known.epoch <= row.epoch) {
                    self.table.insert(task, row);
                }
            }
            None => drop(self.table.remove(&task)),
        }
        Ok(())
    }
}
