//! Who is asked: the task that has a key, every task of this instance for a range, and a commit first where the answer
//! would be too old. Owns how the rows of several tasks become one page; must not know what they mean.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ask::{Answer, Cursor, Keys, Page, Position, Times};
use super::directory::LocalTask;
use super::error::QueryError;
use super::store::{Place, StoreQuery};
use crate::record::{Partition, TaskId};
use crate::runtime::status::ApplicationState;
use crate::serde::partition_for_key;
use crate::state::{Entry, KeyBytes, QueryableStore, Run, StateReader, StoreError, Wanted, merge};
use crate::time::Timestamp;

/// How long a query waits for the commit that it has asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a task has for a key.
struct Seen {
    value: Option<Box<[u8]>>,
    position: Option<i64>,
}

/// A task's part of a range.
enum Part {
    /// Its rows, and how far it was.
    Here(Vec<Run>, Option<i64>),
    /// Where to ask for it, if its owner says so.
    Elsewhere(Option<String>),
    /// Nobody has the task just now.
    Nowhere,
}

/// The rows that a task has of a range, and how far it was.
type Scanned = (Vec<Run>, Option<i64>);

/// First and last time of a row.
type Span = (Timestamp, Timestamp);

impl<S: QueryableStore> StoreQuery<S> {
    /// The value of the one row of a key with these times.
    pub(super) fn point(
        &self,
        key: &S::Key,
        span: Span,
    ) -> Result<Answer<Option<Entry<S::Value>>>, QueryError> {
        self.check_running()?;
        let mut bytes = Vec::new();
        self.codec.append_key(key, &mut bytes)?;
        let (value, position) = match self.place {
            Place::Global => {
                let seen = self.look(self.global(), &bytes, span)?;
                (seen.and_then(|seen| seen.value), Position::default())
            }
            Place::Tasks { sub_topology, count } => {
                let partition = self.home(&bytes, count)?;
                let (task, seen) = self.look_in_tasks(TaskId { sub_topology, partition }, &bytes, span)?;
                (seen.value, Position(seen.position.map(|offset| (task, offset)).into_iter().collect()))
            }
        };
        let value = value.map(|value| self.codec.read(&value)).transpose()?;
        Ok(Answer { value, position })
    }

    /// The partition that a key belongs to, as far as the default partitioner tells.
    fn home(&self, key: &[u8], count: i32) -> Result<Partition, QueryError> {
        let default = || partition_for_key(&key[..self.codec.key.partitioned_by(key.len())], count);
        let home = self.partition.unwrap_or_else(default);
        self.check_partition(home, count)
    }

    fn check_partition(&self, partition: Partition, count: i32) -> Result<Partition, QueryError> {
        if (0..count).contains(&partition.0) {
            return Ok(partition);
        }
        Err(QueryError::UnknownPartition { store: self.name.to_string(), partition, count })
    }

    /// Asks the task where the key belongs, and then the others of this instance: a topic may have been written by another
    /// partitioner.
    fn look_in_tasks(&self, home: TaskId, key: &[u8], span: Span) -> Result<(TaskId, Seen), QueryError> {
        let local = self.shared.directory.local();
        let others = local.iter().filter(|task| {
            task.id.sub_topology == home.sub_topology && task.id != home && self.partition.is_none()
        });
        let mut at_home = None;
        for task in local.iter().filter(|task| task.id == home).chain(others) {
            self.await_commit(task)?;
            match self.look(&task.reader, key, span)? {
                Some(seen) if seen.value.is_some() => return Ok((task.id, seen)),
                Some(seen) if task.id == home => at_home = Some(seen),
                // Not there, or the task was given up at this moment.
                Some(_) | None => {}
            }
        }
        match (at_home, self.shared.directory.elsewhere().get(&home)) {
            (Some(seen), _) => Ok((home, seen)),
            (None, Some(to)) => Err(QueryError::Moved { task: home, to: to.clone() }),
            (None, None) => Err(self.rebalancing()),
        }
    }

    /// Looks a key up; `None` when the task has just been closed.
    fn look(&self, reader: &StateReader, key: &[u8], span: Span) -> Result<Option<Seen>, QueryError> {
        let seen = reader.read(&self.name, |snapshot| {
            Ok(Seen { value: self.shape.point(snapshot, key, span)?, position: snapshot.position()? })
        });
        open(seen)
    }

    /// The rows of a range, from the tasks that are here.
    pub(super) fn page<T>(
        &self,
        keys: &Keys<S::Key>,
        times: Times,
        row: impl Fn(S::Key, Timestamp, Timestamp, &[u8]) -> Result<T, StoreError>,
    ) -> Result<Page<T>, QueryError> {
        self.check_running()?;
        let wanted = keys.wanted(&self.codec, times)?;
        let (mut position, mut elsewhere) = (BTreeMap::new(), Vec::new());
        let runs = match self.place {
            Place::Global => self.scan(self.global(), &wanted)?.map(|(runs, _)| runs).unwrap_or_default(),
            Place::Tasks { sub_topology, count } => {
                let mut runs = Vec::new();
                let (first, end) = match self.partition {
                    Some(partition) => (self.check_partition(partition, count)?.0, partition.0 + 1),
                    None => (0, count),
                };
                for task in (first..end).map(|n| TaskId { sub_topology, partition: Partition(n) }) {
                    match self.scan_task(task, &wanted)? {
                        Part::Here(found, offset) => {
                            runs.extend(found);
                            position.extend(offset.map(|offset| (task, offset)));
                        }
                        Part::Elsewhere(_) | Part::Nowhere if !self.may_have(task, &wanted.keys, count) => {}
                        Part::Elsewhere(to) => elsewhere.push((task, to)),
                        Part::Nowhere => return Err(self.rebalancing()),
                    }
                }
                runs
            }
        };
        let (raw, next) = merge(runs, wanted.limit, wanted.reverse);
        let (mut rows, mut cursors) = (Vec::with_capacity(raw.len()), Vec::with_capacity(raw.len()));
        for (key, value) in raw {
            let Some((bytes, start, end)) = self.shape.split(&key) else { continue };
            rows.push(row(self.codec.read_key(bytes)?, start, end, &value)?);
            cursors.push(Cursor(key));
        }
        Ok(Page { rows, next: next.map(Cursor), position: Position(position), elsewhere, cursors })
    }

    /// Whether a task that is not here is asked for these keys: all are, except where there is one key alone.
    fn may_have(&self, task: TaskId, keys: &KeyBytes, count: i32) -> bool {
        match keys {
            KeyBytes::One(key) => self.home(key, count).is_ok_and(|home| home == task.partition),
            KeyBytes::Prefix(_) | KeyBytes::Between(..) => true,
        }
    }

    fn scan_task(&self, task: TaskId, wanted: &Wanted) -> Result<Part, QueryError> {
        let local = self.shared.directory.local();
        if let Some(here) = local.iter().find(|here| here.id == task) {
            self.await_commit(here)?;
            if let Some((runs, position)) = self.scan(&here.reader, wanted)? {
                return Ok(Part::Here(runs, position));
            }
        }
        let elsewhere = self.shared.directory.elsewhere();
        Ok(elsewhere.get(&task).map_or(Part::Nowhere, |to| Part::Elsewhere(to.clone())))
    }

    /// Reads a range of one task; `None` when it has just been closed.
    fn scan(&self, reader: &StateReader, wanted: &Wanted) -> Result<Option<Scanned>, QueryError> {
        let seen = reader
            .read(&self.name, |snapshot| Ok((self.shape.read(snapshot, wanted)?, snapshot.position()?)));
        open(seen)
    }

    fn global(&self) -> &StateReader {
        self.application.globals.reader().expect("a topology with global tables reads them before it runs")
    }

    fn check_running(&self) -> Result<(), QueryError> {
        match self.shared.state() {
            ApplicationState::Running | ApplicationState::Rebalancing => Ok(()),
            ApplicationState::Created => Err(self.rebalancing()),
            state => Err(QueryError::NotRunning { state }),
        }
    }

    fn rebalancing(&self) -> QueryError {
        QueryError::Rebalancing { store: self.name.to_string() }
    }

    /// Brings a task's state up to date where it may be too old.
    fn await_commit(&self, task: &LocalTask) -> Result<(), QueryError> {
        let Some(age) = self.staleness_max else { return Ok(()) };
        let since = self.application.clock.monotonic().saturating_sub(age);
        if self.shared.directory.await_commit(task.thread, since, PATIENCE) {
            return Ok(());
        }
        Err(QueryError::Stale { store: self.name.to_string(), waited: PATIENCE })
    }
}

/// A task that was closed just now has nothing to say.
fn open<T>(read: Result<T, StoreError>) -> Result<Option<T>, QueryError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Unknown { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
