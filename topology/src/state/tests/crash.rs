//! What is there after a process died, and what is not trusted. Needs the persistent engine.
#![cfg(feature = "lmdb")]

use std::fs;
use std::time::Duration;

use super::*;
use crate::serde::{I64Serde, StringSerde};

type Store = KeyValueStore<String, i64>;

fn decls() -> Vec<StoreDecl> {
    vec![
        Stores::key_value("counts", StringSerde, I64Serde).into(),
        Stores::window("windows", StringSerde, I64Serde, Duration::from_secs(1), Duration::from_secs(60))
            .into(),
        Stores::key_value("scratch", StringSerde, I64Serde).in_memory().into(),
    ]
}

fn open(folder: &Path) -> Task {
    let engine =
        EngineChoice::Lmdb { folder: folder.join("0_0"), map_bytes: 1 << 20, dirty_bytes_max: 1 << 14 };
    Task::open(decls(), engine, 1 << 20)
}

fn reason(task: &Task) -> String {
    match TaskState::open(&task.decls, &task.settings).err() {
        Some(StoreError::Corrupt { reason, .. }) => reason,
        other => panic!("expected a corrupt folder, got {other:?}"),
    }
}

#[test]
fn the_last_commit_is_there_after_a_crash_and_nothing_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut task = open(folder.path());
    for i in 0..10 {
        task.store::<Store>(0).put("k".into(), i, Timestamp(i)).expect("put");
        let windows = task.store::<WindowStore<String, i64>>(1);
        windows.put("k".into(), Timestamp(i * 1_000), i, Timestamp(i)).expect("put");
        task.store::<Store>(2).put("k".into(), i, Timestamp(i)).expect("put");
        if i < 9 {
            task.commit();
        }
    }
    // The tenth change is flushed but not committed.
    task.state().flush(|_, _, _, _| ()).expect("flush");
    let positions: Vec<_> = task.records.iter().map(|&count| Some(count as i64)).collect();
    task.reopen();
    assert_eq!(task.state().positions(), [positions[0], positions[1], None], "memory has to be restored");
    assert_eq!(task.store::<Store>(0).get(&"k".into()).expect("get"), Some(&Entry::new(8, Timestamp(8))));
    assert_eq!(task.store::<Store>(2).get(&"k".into()).expect("get"), None);
    let windows = task.store::<WindowStore<String, i64>>(1);
    assert_eq!(windows.observed_time(), Timestamp(8_000));
    let mut out = Vec::new();
    windows.all(&mut out).expect("all");
    assert_eq!(out.len(), 9);
}

#[test]
fn an_unclean_folder_is_not_trusted_after_another_boot_and_a_closed_one_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mark = folder.path().join("0_0/trust.json");
    let mut task = open(folder.path());
    task.store::<Store>(0).put("k".into(), 1, Timestamp(1)).expect("put");
    task.commit();
    task.state = None;
    let text = fs::read_to_string(&mark).expect("a mark");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
    fs::write(&mark, text.replace(boot.trim(), "another")).expect("written");
    assert!(reason(&task).contains("started anew"));

    fs::write(&mark, text).expect("written");
    let state = TaskState::open(&task.decls, &task.settings).expect("trusted in the same boot");
    state.close().expect("closed");
    let text = fs::read_to_string(&mark).expect("a mark");
    fs::write(&mark, text.replace(boot.trim(), "another")).expect("written");
    task.reopen();
    assert_eq!(task.store::<Store>(0).get(&"k".into()).expect("get"), Some(&Entry::new(1, Timestamp(1))));
}

#[test]
fn foreign_cut_and_unmarked_files_are_corrupt_and_a_wiped_folder_is_new() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("0_0");
    let mut task = open(folder.path());
    for i in 0..2_000 {
        task.store::<Store>(0).put(format!("key {i}"), i, Timestamp(i)).expect("put");
    }
    task.commit();
    task.state.take().expect("open").close().expect("closed");
    let (data, mark) = (path.join("data.mdb"), path.join("trust.json"));
    let (whole, text) = (fs::read(&data).expect("data"), fs::read_to_string(&mark).expect("a mark"));

    fs::write(&data, &whole[..whole.len() / 2]).expect("written");
    assert!(reason(&task).contains("was cut"));
    fs::write(&data, vec![7; 64 * 1024]).expect("written");
    assert!(!reason(&task).is_empty());
    fs::write(&data, &whole).expect("written");
    let environment =
        text.split("\"environment\":\"").nth(1).expect("an id").split('"').next().expect("an id");
    fs::write(&mark, text.replace(environment, "other")).expect("written");
    assert!(reason(&task).contains("another environment"));
    fs::remove_file(&mark).expect("removed");
    assert!(reason(&task).contains("cannot be read"));

    TaskState::wipe_folder(&path).expect("wiped");
    task.reopen();
    assert_eq!(task.state().positions(), [None, None, None]);
    task.state.take().expect("open").wipe().expect("wiped");
    assert!(!path.exists());
}

#[test]
fn the_map_grows_under_a_reader_and_segments_reuse_their_databases() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine =
        EngineChoice::Lmdb { folder: folder.path().join("0_0"), map_bytes: 1, dirty_bytes_max: 1 << 14 };
    let mut task = Task::open(decls(), engine, 1 << 20);
    let reader = task.state().reader();
    for minute in 0..200i64 {
        for i in 0..50 {
            let windows = task.store::<WindowStore<String, i64>>(1);
            windows.put(format!("{i:0>300}"), Timestamp(minute * 60_000), i, Timestamp(0)).expect("put");
        }
        task.commit();
        let segments = reader.read("windows", |snapshot| snapshot.segments()).expect("read");
        assert!(segments.len() <= 3, "{segments:?} at minute {minute}");
        assert!(segments.contains(&minute));
    }
}

#[test]
fn a_key_beyond_the_engine_s_limit_is_refused_with_its_length() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut task = open(folder.path());
    task.store::<Store>(0).put("x".repeat(10_000), 1, Timestamp(1)).expect("cached");
    let refused = task.state().flush(|_, _, _, _| ());
    assert!(matches!(refused, Err(StoreError::KeyTooLong { bytes: 10_000, .. })), "{refused:?}");
}
