//! The key-value store against an ordered map: random operations, a cache of a few slots, every engine.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::serde::{I64Serde, StringSerde};

type Store = KeyValueStore<String, i64>;
type Model = BTreeMap<Vec<u8>, (i64, i64)>;

#[derive(Clone, Debug)]
enum Op {
    Put(u8, i64),
    Delete(u8),
    Add(u8, i64),
    Get(u8),
    Range(u8, u8, bool),
    Prefix(u8),
    TakeDirty,
    Flush,
    Commit,
    Rollback,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || any::<u8>().prop_map(|k| k % 40);
    prop_oneof![
        6 => (key(), any::<i64>()).prop_map(|(k, v)| Op::Put(k, v)),
        3 => key().prop_map(Op::Delete),
        6 => (key(), any::<i64>()).prop_map(|(k, v)| Op::Add(k, v)),
        3 => key().prop_map(Op::Get),
        2 => (key(), key(), any::<bool>()).prop_map(|(a, b, r)| Op::Range(a, b, r)),
        1 => key().prop_map(Op::Prefix),
        2 => Just(Op::TakeDirty),
        1 => Just(Op::Flush),
        2 => Just(Op::Commit),
        1 => Just(Op::Rollback),
        1 => Just(Op::Reopen),
    ]
}

/// Keys of several lengths whose byte order differs from their numbers' order; one is empty.
fn name(key: u8) -> String {
    if key == 0 { String::new() } else { key.to_string() }
}

/// The store, what it must hold, what it held at the last commit, and what it held at the last take of dirty entries.
struct Check {
    task: Task,
    now: Model,
    committed: Model,
    taken: Model,
    /// Keys in order of first change since the last take.
    changed: Vec<Vec<u8>>,
    clock: i64,
}

impl Check {
    fn new(engine: EngineChoice, cached: bool, cache_bytes: usize) -> Self {
        let builder = Stores::key_value("s", StringSerde, I64Serde);
        let decl = StoreDecl::from(if cached { builder } else { builder.without_cache() });
        let mut task = Task::open(vec![decl], engine, cache_bytes);
        task.store::<Store>(0).capture_old(true);
        let empty = Model::new;
        Self { task, now: empty(), committed: empty(), taken: empty(), changed: Vec::new(), clock: 0 }
    }

    fn store(&mut self) -> &mut Store {
        self.task.store::<Store>(0)
    }

    fn change(&mut self, key: u8, value: Option<i64>) {
        let key = name(key).into_bytes();
        let touched = self.changed.contains(&key);
        // Deleting what is not there is no change; everything else is one.
        if !touched && (value.is_some() || self.now.contains_key(&key)) {
            self.changed.push(key.clone());
        }
        match value {
            Some(value) => self.now.insert(key, (value, self.clock)),
            None => self.now.remove(&key),
        };
    }

    fn apply(&mut self, op: &Op) {
        self.clock += 1;
        let at = Timestamp(self.clock);
        match *op {
            Op::Put(key, value) => {
                self.store().put(name(key), value, at).expect("put");
                self.change(key, Some(value));
            }
            Op::Delete(key) => {
                let there = self.store().delete(&name(key), at).expect("delete");
                let expected = self.now.get(name(key).as_bytes()).copied();
                assert_eq!(there.map(|e| (e.value, e.timestamp.0)), expected);
                self.change(key, None);
            }
            Op::Add(key, value) => {
                let sum = self.now.get(name(key).as_bytes()).map_or(0, |e| e.0).wrapping_add(value);
                let answer = self.store().update(&name(key), at, |entry| {
                    let entry = entry.get_or_insert(Entry::new(0, at));
                    entry.value = entry.value.wrapping_add(value);
                    entry.timestamp = at;
                    entry.value
                });
                assert_eq!(answer.expect("update"), sum);
                self.change(key, Some(sum));
            }
            Op::Get(key) => {
                let expected = self.now.get(name(key).as_bytes()).copied();
                let entry = self.store().get(&name(key)).expect("get");
                assert_eq!(entry.map(|e| (e.value, e.timestamp.0)), expected);
            }
            Op::Range(a, b, reverse) => self.range(&name(a), &name(b), reverse),
            Op::Prefix(key) => {
                let mut out = Vec::new();
                self.store().prefix(name(key).as_bytes(), &mut out).expect("prefix");
                let expected = self.now.iter().filter(|(k, _)| k.starts_with(name(key).as_bytes()));
                assert_eq!(plain(&out), expected.map(|(k, v)| (k.clone(), *v)).collect::<Vec<_>>());
            }
            Op::TakeDirty => self.take_dirty(),
            Op::Flush | Op::Commit => self.commit(),
            Op::Rollback => {
                self.task.state().rollback().expect("rollback");
                self.forget();
            }
            Op::Reopen => {
                if self.task.settings.engine_is_persistent() {
                    self.task.reopen();
                    self.store().capture_old(true);
                    self.forget();
                }
            }
        }
    }

    fn forget(&mut self) {
        self.now = self.committed.clone();
        self.taken = self.committed.clone();
        self.changed.clear();
    }

    fn range(&mut self, a: &str, b: &str, reverse: bool) {
        let (from, to) = (Bound::Included(a.to_owned()), Bound::Excluded(b.to_owned()));
        let mut out = Vec::new();
        let store = self.store();
        let done = if reverse {
            store.range_reverse(from.as_ref(), to.as_ref(), &mut out)
        } else {
            store.range(from.as_ref(), to.as_ref(), &mut out)
        };
        done.expect("range");
        let inside = |key: &[u8]| key >= a.as_bytes() && key < b.as_bytes();
        let mut expected: Vec<_> =
            self.now.iter().filter(|(k, _)| inside(k)).map(|(k, v)| (k.clone(), *v)).collect();
        if reverse {
            expected.reverse();
        }
        assert_eq!(plain(&out), expected);
    }

    fn take_dirty(&mut self) {
        let mut out = Vec::new();
        self.store().take_dirty(&mut out).expect("take");
        let flat = |entry: &Option<Entry<i64>>| entry.as_ref().map(|e| (e.value, e.timestamp.0));
        let seen: Vec<_> =
            out.iter().map(|d| (d.key.clone().into_bytes(), flat(&d.old), flat(&d.new))).collect();
        let write_through = !self.task.decls[0].cached;
        let expected: Vec<_> = self
            .changed
            .drain(..)
            .map(|key| (key.clone(), self.taken.get(&key).copied(), self.now.get(&key).copied()))
            .filter(|(_, old, new)| old.is_some() || new.is_some())
            .collect();
        if write_through {
            // A store without cache also reports deletions of what was not there.
            let some: Vec<_> = seen.into_iter().filter(|(_, o, n)| o.is_some() || n.is_some()).collect();
            let sort = |mut changes: Vec<_>| {
                changes.sort();
                changes
            };
            assert_eq!(sort(some), sort(expected));
        } else {
            assert_eq!(seen, expected);
        }
        self.taken = self.now.clone();
    }

    fn commit(&mut self) {
        self.task.commit();
        self.committed = self.now.clone();
        self.taken = self.now.clone();
        self.changed.clear();
        let rows = self.task.committed("s");
        let rows: Vec<_> = rows.into_iter().map(|((_, key), row)| (key, row)).collect();
        let bytes = |v: &i64| v.to_be_bytes().to_vec();
        let model: Vec<_> = self.now.iter().map(|(k, (v, t))| (k.clone(), (bytes(v), *t))).collect();
        assert_eq!(rows, model, "the engine holds what the store held");
        let log: Vec<_> = self.task.logs[0].iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(log, model, "the changelog says the same");
    }
}

fn plain(rows: &[(String, Entry<i64>)]) -> Vec<(Vec<u8>, (i64, i64))> {
    rows.iter().map(|(k, e)| (k.clone().into_bytes(), (e.value, e.timestamp.0))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_store_is_an_ordered_map_on_every_engine(
        ops in prop::collection::vec(op(), 1..120),
        cached: bool,
        slots in 0usize..20,
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for engine in engines(folder.path()) {
            let mut check = Check::new(engine, cached, slots * 150);
            for op in &ops {
                check.apply(op);
            }
            check.commit();
            let mut out = Vec::new();
            check.store().all(&mut out).expect("all");
            assert_eq!(plain(&out), check.now.clone().into_iter().collect::<Vec<_>>());
            let mut back = Vec::new();
            check.store().all_reverse(&mut back).expect("all");
            back.reverse();
            assert_eq!(plain(&back), plain(&out));
        }
    }
}

#[test]
fn a_task_s_state_moves_between_threads_and_its_reader_is_shared() {
    fn moves<T: Send>() {}
    fn shared<T: Send + Sync + Clone>() {}
    moves::<TaskState>();
    shared::<StateReader>();
}

#[test]
fn one_changelog_record_a_key_and_commit() {
    let mut task =
        Task::open(vec![Stores::key_value("s", StringSerde, I64Serde).into()], EngineChoice::Memory, 1 << 20);
    for i in 0..100 {
        task.store::<Store>(0).put(format!("k{}", i % 4), i, Timestamp(i)).expect("put");
    }
    let mut all = Vec::new();
    task.store::<Store>(0).all(&mut all).expect("all");
    task.store::<Store>(0).put("k0".into(), 7, Timestamp(200)).expect("put");
    task.commit();
    assert_eq!(task.records, [4]);
    assert_eq!(task.logs[0][&b"k0".to_vec()], (7i64.to_be_bytes().to_vec(), 200));
}

#[test]
fn a_commit_before_the_changelog_saw_everything_is_refused() {
    let mut task =
        Task::open(vec![Stores::key_value("s", StringSerde, I64Serde).into()], EngineChoice::Memory, 1 << 20);
    task.store::<Store>(0).put("k".into(), 1, Timestamp(1)).expect("put");
    assert!(matches!(task.state().commit(&[]), Err(StoreError::NotFlushed { .. })));
    let mut out = Vec::new();
    task.store::<Store>(0).take_dirty(&mut out).expect("take");
    assert!(matches!(task.state().commit(&[]), Err(StoreError::NotFlushed { .. })));
    task.commit();
}

#[test]
fn a_store_without_cache_wants_a_flush_after_every_change() {
    let decl = Stores::key_value("s", StringSerde, I64Serde).without_cache().into();
    let mut task = Task::open(vec![decl], EngineChoice::Memory, 1 << 20);
    let store = task.store::<Store>(0);
    assert!(!store.wants_flush());
    store.put("k".into(), 1, Timestamp(1)).expect("put");
    assert!(store.wants_flush());
    let mut out = Vec::new();
    store.take_dirty(&mut out).expect("take");
    assert!(!store.wants_flush());
    store.delete(&"never".to_owned(), Timestamp(2)).expect("delete");
    out.clear();
    store.take_dirty(&mut out).expect("take");
    assert_eq!(out, [Dirty { key: "never".into(), old: None, new: None, timestamp: Timestamp(2) }]);
}

#[test]
fn restored_rows_are_read_and_queried() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task =
            Task::open(vec![Stores::key_value("s", StringSerde, I64Serde).into()], engine, 1 << 20);
        let bytes: Vec<[u8; 8]> = (0..3i64).map(i64::to_be_bytes).collect();
        let run = run_of(&[
            (5, b"b", Some(&bytes[0])),
            (6, b"a", Some(&bytes[1])),
            (7, b"b", Some(&bytes[2])),
            (8, b"a", None),
        ]);
        task.restore(0, &run, 4).expect("restore");
        assert_eq!(task.state().positions(), [Some(4)]);
        let store = task.store::<Store>(0);
        assert_eq!(store.get(&"b".into()).expect("get"), Some(&Entry::new(2, Timestamp(7))));
        assert_eq!(store.get(&"a".into()).expect("get"), None);
        let reader = task.state().reader();
        let position = reader.read("s", |snapshot| snapshot.position()).expect("read");
        assert_eq!(position, Some(4));
        assert!(matches!(reader.read("x", |_| Ok(())), Err(StoreError::Unknown { .. })));
        drop(task);
        assert!(matches!(reader.read("s", |_| Ok(())), Err(StoreError::Unknown { .. })), "closed");
    }
}

#[test]
fn runs_that_are_gathered_give_what_they_give_one_by_one() {
    for bytes_max in [0, 2_000, usize::MAX] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for engine in engines(folder.path()) {
            let mut task = Task::open(vec![Stores::key_value("s", StringSerde, I64Serde).into()], engine, 0);
            let mut expected = BTreeMap::new();
            for round in 0..8_i64 {
                let mut run = RecordRun::new(TopicPartition::new("app-s-changelog", 0));
                for n in 0..50 {
                    let (key, offset) = (odd_key(round, n * (round + 1) % 83), round * 50 + n);
                    let value = (offset % 5 != 0).then(|| offset.to_be_bytes());
                    let value = value.as_ref().map(<[u8; 8]>::as_slice);
                    run.push(offset, Timestamp(offset), Some(key.as_bytes()), value, Headers::default());
                    match value {
                        Some(_) => drop(expected.insert(key, Entry::new(offset, Timestamp(offset)))),
                        None => drop(expected.remove(&key)),
                    }
                }
                task.state().restore(0, &run, (round + 1) * 50, bytes_max).expect("gathered");
            }
            if bytes_max == usize::MAX {
                assert_eq!(task.state().positions(), [None], "nothing is in the engine yet");
            }
            task.state().finish_restore().expect("written");
            assert_eq!(task.state().positions(), [Some(400)]);
            let mut all = Vec::new();
            task.store::<KeyValueStore<String, i64>>(0).all(&mut all).expect("all");
            assert_eq!(all.into_iter().collect::<BTreeMap<_, _>>(), expected);
        }
    }
}

/// Keys of all lengths, with zeros in front and behind; those of the last round come behind all others.
fn odd_key(round: i64, n: i64) -> String {
    match (round, n % 4) {
        (7, _) => format!("z{n}"),
        (_, 0) => "\0".repeat(usize::try_from(n / 4).unwrap_or(0)),
        (_, 1) => format!("\0{n}"),
        (_, 2) => format!("k{n}\0"),
        _ => format!("a prefix that many have {n}"),
    }
}
