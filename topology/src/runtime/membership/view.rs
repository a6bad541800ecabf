//! What the control topic says, folded: the newest announcement of each instance and the task table. Must not know clients.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{Announcement, Copies, Key, Leadership, Owner, Row};
use crate::record::TaskId;

/// The state of the control topic up to some offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) leader: Option<Leadership>,
    pub(crate) members: BTreeMap<String, Announcement>,
    pub(crate) table: BTreeMap<TaskId, Row>,
    /// The instances that are to keep copies of tasks' stores.
    pub(crate) copies: BTreeMap<TaskId, Copies>,
    /// The newest epoch of the table.
    pub(crate) epoch: u64,
}

/// What a record changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Leader,
    Member(String),
    Row(TaskId),
    Copies,
}

impl View {
    /// Takes a record in; `None` when it says nothing that this version knows.
    pub(crate) fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<Change> {
        let key = Key::decode(key)?;
        let taken = match key {
            Key::Leader => self.take_leader(value).map(|()| Change::Leader),
            Key::Member(instance) => self.take_member(&instance, value).map(|()| Change::Member(instance)),
            Key::Task(task) => self.take_row(task, value).map(|()| Change::Row(task)),
            Key::Copies(task) => self.take_copies(task, value).map(|()| Change::Copies),
        };
        taken
            .inspect_err(|error| {
                tracing::warn!(%error, "a record of the control topic cannot be read and is passed over");
            })
            .ok()
    }

    /// Whether the task is with another instance than this one, as far as that one says of itself. What an earlier process
    /// of this instance left behind is nobody's yet.
    pub(crate) fn is_elsewhere(&self, task: TaskId, instance: &str) -> bool {
        let Some(Row { owner: Owner { incarnation, .. }, .. }) = self.table.get(&task) else { return false };
        let said = self.members.get(&incarnation.instance);
        incarnation.instance != instance && said.is_some_and(|said| said.incarnation == *incarnation)
    }

    /// The tasks that are with other instances, with where those answer.
    pub(crate) fn elsewhere(&self, instance: &str) -> BTreeMap<TaskId, Option<String>> {
        let tasks = self.table.iter().filter(|(task, _)| self.is_elsewhere(**task, instance));
        let endpoint = |row: &Row| self.members.get(&row.owner.incarnation.instance)?.endpoint.clone();
        tasks.map(|(task, row)| (*task, endpoint(row))).collect()
    }

    /// The tasks of whose stores this instance is to keep copies.
    pub(crate) fn copies_of(&self, instance: &str) -> BTreeSet<TaskId> {
        let is_listed = |copies: &Copies| copies.instances.iter().any(|name| name == instance);
        self.copies.iter().filter(|(_, copies)| is_listed(copies)).map(|(task, _)| *task).collect()
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

    fn take_copies(&mut self, task: TaskId, value: Option<&[u8]>) -> serde_json::Result<()> {
        let Some(value) = value else {
            self.copies.remove(&task);
            return Ok(());
        };
        let copies: Copies = serde_json::from_slice(value)?;
        self.epoch = self.epoch.max(copies.epoch);
        // As with rows.
        if self.copies.get(&task).is_none_or(|known| known.epoch <= copies.epoch) {
            self.copies.insert(task, copies);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Partition;
    use crate::runtime::membership::records::{Incarnation, Phase, encode};

    const TASK: TaskId = TaskId { sub_topology: 0, partition: Partition(0) };

    fn incarnation(instance: &str, process: &str) -> Incarnation {
        let member = format!("{instance} {process}");
        Incarnation { instance: instance.into(), process: process.into(), member, count: 0 }
    }

    fn take(view: &mut View, key: &Key, value: Vec<u8>) {
        view.take(key.encode().as_bytes(), Some(&value)).expect("a record of the control topic");
    }

    fn announce(view: &mut View, of: Incarnation) {
        let key = Key::Member(of.instance.clone());
        let news = Announcement {
            incarnation: of,
            endpoint: None,
            version: "1".into(),
            transactional_ids: Vec::new(),
            threads: 1,
            fingerprint: "f".into(),
            applied: 0,
            holds: Vec::new(),
            copies: BTreeMap::new(),
            is_leaving: false,
        };
        take(view, &key, encode(&news));
    }

    #[test]
    fn a_task_of_ones_own_earlier_process_is_nobodys_yet() {
        let mut view = View::default();
        assert!(!view.is_elsewhere(TASK, "a"), "never granted");
        let grant = |view: &mut View, to: Incarnation| {
            let owner = Owner { incarnation: to, transactional_ids: Vec::new() };
            let epoch = view.epoch + 1;
            let row = Row { epoch, phase: Phase::Granted, owner };
            take(view, &Key::Task(TASK), encode(&row));
        };
        announce(&mut view, incarnation("a", "second"));
        announce(&mut view, incarnation("b", "first"));
        grant(&mut view, incarnation("a", "first"));
        assert!(!view.is_elsewhere(TASK, "a"), "left behind by a crash");
        grant(&mut view, incarnation("b", "first"));
        assert!(view.is_elsewhere(TASK, "a"));
        announce(&mut view, incarnation("b", "second"));
        assert!(!view.is_elsewhere(TASK, "a"), "b has crashed and come back");
    }
}
