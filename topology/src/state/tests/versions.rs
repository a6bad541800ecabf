//! Versioned stores and session stores: what holds when, what expires, and that commits, rollbacks and changelogs bring
//! back exactly what was there.

use std::time::Duration;

use super::*;
use crate::serde::{I64Serde, StringSerde};

type Versions = VersionedStore<String, i64>;
type Sessions = SessionStore<String, i64>;

fn versions() -> StoreDecl {
    Stores::versioned("v", StringSerde, I64Serde, Duration::from_millis(100)).into()
}

fn sessions() -> StoreDecl {
    Stores::session("s", StringSerde, I64Serde, Duration::from_millis(200_000)).into()
}

fn as_of(task: &mut Task, time: i64) -> Option<i64> {
    let store = task.store::<Versions>(0);
    store.get_as_of(&"k".into(), Timestamp(time)).expect("get").map(|entry| entry.value)
}

fn put(task: &mut Task, time: i64, value: Option<i64>) -> Put {
    task.store::<Versions>(0).put(&"k".into(), value, Timestamp(time)).expect("put")
}

#[test]
fn a_version_holds_until_the_next_one_whatever_the_order_in_which_they_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task = Task::open(vec![versions()], engine, 0);
        assert_eq!(put(&mut task, 20, Some(2)), Put::Latest);
        assert_eq!(put(&mut task, 10, Some(1)), Put::Until(Timestamp(20)));
        task.commit();
        assert_eq!(put(&mut task, 30, None), Put::Latest, "a deletion is a version");
        assert_eq!(put(&mut task, 25, Some(3)), Put::Until(Timestamp(30)));
        let held: Vec<_> = [9, 10, 19, 20, 24, 25, 29, 30, 99].map(|time| as_of(&mut task, time)).into();
        assert_eq!(held, [None, Some(1), Some(1), Some(2), Some(2), Some(3), Some(3), None, None]);
        let longer = task.store::<Versions>(0).put(&"kk".into(), Some(9), Timestamp(40)).expect("put");
        assert_eq!((longer, as_of(&mut task, 50)), (Put::Latest, None), "a longer key is another key");
        task.commit();
        assert_eq!(task.records[0], 5, "each version has its own changelog record");
        let mut all = Vec::new();
        let store = task.store::<Versions>(0);
        store.versions(&"k".into(), Timestamp(12), Timestamp(27), &mut all).expect("versions");
        assert_eq!(all, [(Timestamp(10), Some(1)), (Timestamp(20), Some(2)), (Timestamp(25), Some(3))]);
    }
}

#[test]
fn history_ends_where_it_is_told_to_and_the_latest_version_never_does() {
    let mut task = Task::open(vec![versions()], EngineChoice::Memory, 0);
    for (time, value) in [(10, 1), (20, 2), (150, 3)] {
        put(&mut task, time, Some(value));
    }
    assert_eq!(put(&mut task, 49, Some(9)), Put::TooLate);
    assert_eq!(as_of(&mut task, 49), None, "before the history begins");
    assert_eq!((as_of(&mut task, 50), as_of(&mut task, 149)), (Some(2), Some(2)));
    let other = task.store::<Versions>(0).put(&"other".into(), Some(7), Timestamp(900)).expect("put");
    assert_eq!(other, Put::Latest);
    assert_eq!(as_of(&mut task, 160), Some(3), "the latest version is known for ever");
    assert_eq!(as_of(&mut task, 149), None);
    put(&mut task, 901, Some(4));
    task.commit();
    let rows = task.committed("v").keys().filter(|(_, key)| key.starts_with(b"k")).count();
    assert_eq!(rows, 2, "versions that ended before the history are forgotten");
}

#[test]
fn what_is_not_committed_is_forgotten_and_what_is_comes_back_from_the_changelog() {
    let mut task = Task::open(vec![versions()], EngineChoice::Memory, 0);
    put(&mut task, 10, Some(1));
    task.commit();
    put(&mut task, 20, Some(2));
    task.state().rollback().expect("rollback");
    assert_eq!((as_of(&mut task, 30), put(&mut task, 15, Some(3))), (Some(1), Put::Latest));
    let one = 1i64.to_be_bytes();
    let run = run_of(&[(10, b"k", Some(&one)), (30, b"k", None), (20, b"k", Some(&one))]);
    let mut restored = Task::open(vec![versions()], EngineChoice::Memory, 0);
    restored.restore(0, &run, 3).expect("restore");
    assert_eq!((as_of(&mut restored, 29), as_of(&mut restored, 30)), (Some(1), None));
    assert_eq!(put(&mut restored, 25, Some(5)), Put::Until(Timestamp(30)));
}

fn session(start: i64, end: i64) -> Session {
    Session { start: Timestamp(start), end: Timestamp(end) }
}

fn found(task: &mut Task, key: &str, earliest_end: i64, latest_start: i64) -> Vec<(Session, i64)> {
    let mut out = Vec::new();
    let (earliest_end, latest_start) = (Timestamp(earliest_end), Timestamp(latest_start));
    task.store::<Sessions>(0).find(&key.into(), earliest_end, latest_start, &mut out).expect("find");
    out.into_iter().map(|(session, entry)| (session, entry.value)).collect()
}

#[test]
fn sessions_are_found_by_end_and_start_across_segments_commits_and_reopening() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task = Task::open(vec![sessions()], engine, 0);
        // Segments are 100 seconds long.
        let all = [session(0, 50), session(90_000, 120_000), session(150_000, 150_000)];
        for (value, session) in (0..).zip(all) {
            let store = task.store::<Sessions>(0);
            store.put(&"k".into(), session, value, session.end).expect("put");
            store.put(&"kk".into(), session, -1, session.end).expect("put");
            task.commit();
        }
        if task.settings.engine_is_persistent() {
            task.reopen();
        }
        assert_eq!(found(&mut task, "k", 0, 200_000), [(all[0], 0), (all[1], 1), (all[2], 2)]);
        assert_eq!(found(&mut task, "k", 51, 149_999), [(all[1], 1)]);
        let gone = task.store::<Sessions>(0).remove(&"k".into(), all[1], Timestamp(1)).expect("remove");
        assert_eq!(gone.map(|entry| entry.value), Some(1));
        assert_eq!(found(&mut task, "k", 0, 200_000), [(all[0], 0), (all[2], 2)]);
        task.state().rollback().expect("rollback");
        assert_eq!(found(&mut task, "k", 0, 200_000).len(), 3, "the removal was not committed");
    }
}

#[test]
fn sessions_that_ended_before_the_retention_are_gone() {
    let mut task = Task::open(vec![sessions()], EngineChoice::Memory, 0);
    for end in [10, 250_000, 450_000] {
        let store = task.store::<Sessions>(0);
        store.put(&"k".into(), session(end, end), end, Timestamp(end)).expect("put");
        task.commit();
    }
    let at_end = session(450_000, 450_000);
    assert_eq!(found(&mut task, "k", 0, 500_000), [(at_end, 450_000)]);
    task.store::<Sessions>(0).put(&"k".into(), session(5, 5), 1, Timestamp(5)).expect("put");
    task.commit();
    assert!(!task.committed("s").keys().any(|(segment, _)| *segment == 0), "its segment is gone");
}
