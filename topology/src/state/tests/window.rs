//! The window store against an ordered map with expiry: random operations, a cache of a few slots, every engine.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::serde::{I64Serde, StringSerde};

type Store = WindowStore<String, i64>;
type Model = BTreeMap<(String, i64), (i64, i64)>;

const RETENTION: i64 = 150_000;
const SEGMENT: i64 = 75_000;

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8, i64),
    Add(u8, u8, i64),
    Delete(u8, u8),
    Get(u8, u8),
    Fetch(u8, u8, u8, bool),
    FetchAll(u8, u8),
    TakeDirty,
    Commit,
    Rollback,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0u8..4;
    // Windows of ten seconds over ten minutes: several retentions.
    let start = || 0u8..60;
    prop_oneof![
        5 => (key(), start(), any::<i64>()).prop_map(|(k, s, v)| Op::Put(k, s, v)),
        5 => (key(), start(), any::<i64>()).prop_map(|(k, s, v)| Op::Add(k, s, v)),
        2 => (key(), start()).prop_map(|(k, s)| Op::Delete(k, s)),
        2 => (key(), start()).prop_map(|(k, s)| Op::Get(k, s)),
        2 => (key(), start(), start(), any::<bool>()).prop_map(|(k, a, b, r)| Op::Fetch(k, a, b, r)),
        1 => (start(), start()).prop_map(|(a, b)| Op::FetchAll(a, b)),
        1 => Just(Op::TakeDirty),
        2 => Just(Op::Commit),
        1 => Just(Op::Rollback),
        1 => Just(Op::Reopen),
    ]
}

/// One key is empty, one is the beginning of another followed by zeros, as window starts are.
fn name(key: u8) -> String {
    ["", "a", "a\0\0\0\0\0\0\0\0", "b"][usize::from(key)].to_owned()
}

fn start(number: u8) -> Timestamp {
    Timestamp(i64::from(number) * 10_000)
}

struct Check {
    task: Task,
    now: (Model, i64),
    committed: (Model, i64),
    clock: i64,
}

fn decl() -> StoreDecl {
    let (size, retention) = (Duration::from_secs(10), Duration::from_millis(RETENTION as u64));
    Stores::window("s", StringSerde, I64Serde, size, retention).into()
}

impl Check {
    fn new(engine: EngineChoice, cache_bytes: usize) -> Self {
        let task = Task::open(vec![decl()], engine, cache_bytes);
        Self { task, now: (Model::new(), -1), committed: (Model::new(), -1), clock: 0 }
    }

    fn store(&mut self) -> &mut Store {
        self.task.store::<Store>(0)
    }

    fn live(&self) -> Vec<((String, i64), (i64, i64))> {
        let oldest = self.now.1 - RETENTION;
        self.now.0.iter().filter(|((_, s), _)| *s > oldest).map(|(k, v)| (k.clone(), *v)).collect()
    }

    fn entry(&self, key: &str, at: Timestamp) -> Option<(i64, i64)> {
        let live = at.0 > self.now.1 - RETENTION;
        self.now.0.get(&(key.to_owned(), at.0)).copied().filter(|_| live)
    }

    fn change(&mut self, key: &str, at: Timestamp, value: Option<i64>) {
        self.now.1 = self.now.1.max(at.0);
        if at.0 <= self.now.1 - RETENTION {
            return;
        }
        let place = (key.to_owned(), at.0);
        match value {
            Some(value) => self.now.0.insert(place, (value, self.clock)),
            None => self.now.0.remove(&place),
        };
    }

    fn apply(&mut self, op: &Op) {
        self.clock += 1;
        let now = Timestamp(self.clock);
        match *op {
            Op::Put(key, s, value) => {
                self.store().put(name(key), start(s), value, now).expect("put");
                self.change(&name(key), start(s), Some(value));
            }
            Op::Add(key, s, value) => {
                let sum = self.entry(&name(key), start(s)).map_or(0, |e| e.0).wrapping_add(value);
                let answer = self.store().update(&name(key), start(s), now, |entry| {
                    let entry = entry.get_or_insert(Entry::new(0, now));
                    entry.value = entry.value.wrapping_add(value);
                    entry.timestamp = now;
                    entry.value
                });
                assert_eq!(answer.expect("update"), sum);
                self.change(&name(key), start(s), Some(sum));
            }
            Op::Delete(key, s) => {
                self.now.1 = self.now.1.max(start(s).0);
                let expected = self.entry(&name(key), start(s));
                let there = self.store().delete(&name(key), start(s), now).expect("delete");
                assert_eq!(there.map(|e| (e.value, e.timestamp.0)), expected);
                self.change(&name(key), start(s), None);
            }
            Op::Get(key, s) => {
                let expected = self.entry(&name(key), start(s));
                let entry = self.store().get(&name(key), start(s)).expect("get");
                assert_eq!(entry.map(|e| (e.value, e.timestamp.0)), expected);
            }
            Op::Fetch(key, a, b, reverse) => self.fetch(&name(key), start(a), start(b), reverse),
            Op::FetchAll(a, b) => self.fetch_all(start(a), start(b)),
            Op::TakeDirty => self.store().take_dirty(&mut Vec::new()).expect("take"),
            Op::Commit => {
                self.task.commit();
                self.committed = self.now.clone();
            }
            Op::Rollback => {
                self.task.state().rollback().expect("rollback");
                self.now = self.committed.clone();
            }
            Op::Reopen => {
                if self.task.settings.engine_is_persistent() {
                    self.task.reopen();
                    self.now = self.committed.clone();
                }
            }
        }
    }

    fn fetch(&mut self, key: &str, from: Timestamp, to: Timestamp, reverse: bool) {
        let mut out = Vec::new();
        let store = self.store();
        let done = if reverse {
            store.fetch_reverse(&key.to_owned(), from, to, &mut out)
        } else {
            store.fetch(&key.to_owned(), from, to, &mut out)
        };
        done.expect("fetch");
        let inside = |k: &str, s: i64| k == key && s >= from.0 && s <= to.0;
        let live = self.live().into_iter().filter(|((k, s), _)| inside(k, *s));
        let mut expected: Vec<_> = live.map(|((_, s), v)| (s, v)).collect();
        if reverse {
            expected.reverse();
        }
        let seen: Vec<_> = out.iter().map(|(s, e)| (s.0, (e.value, e.timestamp.0))).collect();
        assert_eq!(seen, expected);
    }

    fn fetch_all(&mut self, from: Timestamp, to: Timestamp) {
        let mut out = Vec::new();
        self.store().fetch_all(from, to, &mut out).expect("fetch");
        let mut expected = self.live();
        expected.retain(|((_, s), _)| *s >= from.0 && *s <= to.0);
        // Segment by segment; within one in the order of Kafka's bytes: key, start, sequence number.
        expected
            .sort_by_key(|((key, s), _)| (s / SEGMENT, [key.as_bytes(), &s.to_be_bytes(), &[0; 4]].concat()));
        let seen: Vec<_> = out.iter().map(|(k, s, e)| ((k.clone(), s.0), (e.value, e.timestamp.0))).collect();
        assert_eq!(seen, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_window_store_is_an_ordered_map_that_forgets(
        ops in prop::collection::vec(op(), 1..120),
        slots in 0usize..20,
    ) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for engine in engines(folder.path()) {
            let mut check = Check::new(engine, slots * 150);
            for op in &ops {
                check.apply(op);
            }
            check.fetch_all(Timestamp(0), Timestamp(i64::MAX));
            check.task.commit();
            let oldest = (check.now.1 - RETENTION).max(0) / SEGMENT;
            let rows = check.task.committed("s");
            assert!(rows.keys().all(|(segment, _)| *segment >= oldest), "old segments are gone");
            let replayed: Vec<_> = check.task.logs[0].iter().map(|(k, (_, t))| (k.clone(), *t)).collect();
            for ((key, s), (_, t)) in check.live() {
                let row = [key.as_bytes(), &s.to_be_bytes(), &[0; 4]].concat();
                assert!(replayed.contains(&(row, t)), "the changelog has every live window");
            }
        }
    }
}

#[test]
fn late_windows_are_refused_and_counted() {
    let mut task = Task::open(vec![decl()], EngineChoice::Memory, 1 << 20);
    let store = task.store::<Store>(0);
    store.put("k".into(), Timestamp(RETENTION + 5), 1, Timestamp(0)).expect("put");
    store.put("k".into(), Timestamp(5), 2, Timestamp(0)).expect("put");
    store.put("k".into(), Timestamp(6), 3, Timestamp(0)).expect("put");
    let answer = store.update(&"k".into(), Timestamp(5), Timestamp(0), |entry| entry.is_none());
    assert!(answer.expect("update"), "nothing is seen of an expired window");
    assert_eq!(store.expired_count(), 2);
    assert_eq!(store.get(&"k".into(), Timestamp(5)).expect("get"), None);
    assert_eq!(store.get(&"k".into(), Timestamp(6)).expect("get"), Some(&Entry::new(3, Timestamp(0))));
}

#[test]
fn appended_values_stand_beside_each_other_in_order_of_arrival() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task = Task::open(vec![decl()], engine, 0);
        for value in [3, 1] {
            task.store::<Store>(0)
                .append(&"k".into(), Timestamp(7), &Entry::new(value, Timestamp(7)))
                .expect("append");
        }
        task.commit();
        if task.settings.engine_is_persistent() {
            task.reopen();
        }
        task.store::<Store>(0)
            .append(&"k".into(), Timestamp(7), &Entry::new(2, Timestamp(7)))
            .expect("append");
        let mut out = Vec::new();
        task.store::<Store>(0).fetch(&"k".into(), Timestamp(0), Timestamp(9), &mut out).expect("fetch");
        assert_eq!(out.iter().map(|(_, e)| e.value).collect::<Vec<_>>(), [3, 1, 2]);
        task.commit();
        assert_eq!(task.logs[0].len(), 3, "each has its own changelog record");
    }
}

#[test]
fn expired_windows_of_a_changelog_are_not_restored() {
    let mut task = Task::open(vec![decl()], EngineChoice::Memory, 1 << 20);
    let row = |start: i64| [b"k".as_slice(), &start.to_be_bytes(), &[0; 4]].concat();
    let (old, new, value) = (row(1_000), row(600_000), 5i64.to_be_bytes());
    task.restore(0, &run_of(&[(1, &old, Some(&value)), (2, &new, Some(&value))]), 2).expect("restore");
    assert_eq!(task.committed("s").len(), 1);
    let store = task.store::<Store>(0);
    assert_eq!(store.observed_time(), Timestamp(600_000));
    assert_eq!(store.get(&"k".into(), Timestamp(600_000)).expect("get"), Some(&Entry::new(5, Timestamp(2))));
}
