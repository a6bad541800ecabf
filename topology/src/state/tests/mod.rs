//! Tests across the layers of this room: each opens a task's stores as a task does. Knows nothing a task could not know.

mod crash;
mod custom;
mod key_value;
mod suppress;
mod versions;
mod window;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::record::{Headers, RecordRun, TopicPartition};
use crate::time::Timestamp;

/// Bytes of a changelog, as its compacted content: key to value and time.
type Changelog = BTreeMap<Vec<u8>, (Vec<u8>, i64)>;

/// One task with its changelogs beside it.
struct Task {
    decls: Vec<StoreDecl>,
    settings: TaskSettings,
    state: Option<TaskState>,
    /// What the changelogs hold, and what they held at the last commit.
    logs: Vec<Changelog>,
    records: Vec<usize>,
}

impl Task {
    fn open(decls: Vec<StoreDecl>, engine: EngineChoice, cache_bytes_max: usize) -> Self {
        let changelog_topics = decls.iter().map(|decl| topic(&decl.name)).collect();
        let settings = TaskSettings { engine, cache_bytes_max, changelog_topics };
        let count = decls.len();
        let state = Some(TaskState::open(&decls, &settings).expect("a fresh task opens"));
        Self { decls, settings, state, logs: vec![Changelog::new(); count], records: vec![0; count] }
    }

    fn state(&mut self) -> &mut TaskState {
        self.state.as_mut().expect("the task is open")
    }

    fn store<S: 'static>(&mut self, index: u32) -> &mut S {
        StoreHandle::<S>::new(index).get(self.state().stores_mut())
    }

    /// Flush, changelog, engine: a whole commit.
    fn commit(&mut self) {
        let (logs, records) = (&mut self.logs, &mut self.records);
        let state = self.state.as_mut().expect("the task is open");
        let flushed = state.flush(|store, key, value, timestamp| {
            records[store] += 1;
            match value {
                Some(value) => logs[store].insert(key.to_vec(), (value.to_vec(), timestamp.0)),
                None => logs[store].remove(key),
            };
        });
        flushed.expect("everything serializes");
        let positions: Vec<_> = records.iter().map(|&count| count as i64).enumerate().collect();
        state.commit(&positions).expect("the engine writes");
        assert_eq!(state.overlay_bytes(), 0);
        for (store, &count) in records.iter().enumerate() {
            assert_eq!(state.positions()[store], Some(count as i64));
        }
    }

    /// Restores a store from this run alone.
    fn restore(&mut self, store: usize, run: &RecordRun, next_offset: i64) -> Result<(), StoreError> {
        self.state().restore(store, run, next_offset, 0)?;
        self.state().finish_restore()
    }

    /// As a process that is killed: nothing is closed.
    fn reopen(&mut self) {
        self.state = None;
        self.state = Some(TaskState::open(&self.decls, &self.settings).expect("the task opens again"));
    }

    /// What a query sees of a store: rows by segment and key.
    fn committed(&mut self, store: &str) -> BTreeMap<(i64, Vec<u8>), (Vec<u8>, i64)> {
        let reader = self.state().reader();
        let mut rows = BTreeMap::new();
        let read = reader.read(store, |snapshot| {
            for segment in snapshot.segments()? {
                let all = std::ops::Bound::Unbounded;
                snapshot.range(segment, all, all, false, |key, row| {
                    let (time, value) = row.split_first_chunk::<8>().expect("a row has a timestamp");
                    let row = (value.to_vec(), i64::from_be_bytes(*time));
                    assert!(rows.insert((segment, key.to_vec()), row).is_none());
                    Ok(true)
                })?;
            }
            Ok(())
        });
        read.expect("the reader reads");
        rows
    }
}

fn topic(store: &str) -> Arc<str> {
    Arc::from(format!("app-{store}-changelog"))
}

/// The engines every test runs on: memory, and the persistent one in a folder.
fn engines(folder: &Path) -> Vec<EngineChoice> {
    let mut engines = vec![EngineChoice::Memory];
    if cfg!(feature = "lmdb") {
        // Small, so that it has to grow.
        engines.push(EngineChoice::Lmdb {
            folder: folder.join("0_0"),
            map_bytes: 64 * 1024,
            dirty_bytes_max: 1 << 14,
        });
    }
    engines
}

/// Time, key and value of a changelog record.
type LogRecord<'a> = (i64, &'a [u8], Option<&'a [u8]>);

fn run_of(records: &[LogRecord<'_>]) -> RecordRun {
    let mut run = RecordRun::new(TopicPartition::new("app-s-changelog", 0));
    for (offset, (time, key, value)) in records.iter().enumerate() {
        run.push(offset as i64, Timestamp(*time), Some(key), *value, Headers::default());
    }
    run
}

impl TaskSettings {
    fn engine_is_persistent(&self) -> bool {
        matches!(self.engine, EngineChoice::Lmdb { .. })
    }
}
