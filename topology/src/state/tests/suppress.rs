//! The suppression buffer: order, places kept, changelog and coming back, on every engine.

use super::*;
use crate::record::RecordMetadata;
use crate::serde::{I64Serde, Serde, SerdeError, StringSerde};

/// Old and new value.
type Change = (Option<i64>, Option<i64>);
type Buffer = SuppressBuffer<String, Change>;

struct Parts;

impl Parts {
    fn write(value: Option<i64>, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        value.map_or(Ok(false), |value| I64Serde.serialize("", &value, out).map(|()| true))
    }
}

impl ChangeSerde<Change> for Parts {
    fn serialize_old(&self, _: &str, change: &Change, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        Self::write(change.0, out)
    }

    fn serialize_new(&self, _: &str, change: &Change, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        Self::write(change.1, out)
    }

    fn deserialize(&self, _: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<Change, SerdeError> {
        let read = |bytes: Option<&[u8]>| bytes.map(|bytes| I64Serde.deserialize("", bytes)).transpose();
        Ok((read(old)?, read(new)?))
    }
}

fn record(old: Option<i64>, new: i64, time: i64) -> Buffered<Change> {
    let metadata = RecordMetadata { source: TopicPartition::new("in", 0), offset: time };
    Buffered { change: (old, Some(new)), timestamp: Timestamp(time), headers: Headers::default(), metadata }
}

fn open(engine: EngineChoice) -> Task {
    Task::open(vec![Stores::suppress("s", StringSerde, Parts).into()], engine, 0)
}

fn drain(task: &mut Task, count: usize) -> Vec<(String, Change)> {
    let mut out = Vec::new();
    let buffer = task.store::<Buffer>(0);
    let keep = buffer.len().expect("len").saturating_sub(count);
    buffer.evict_while(|stats| stats.len > keep, &mut out).expect("evict");
    out.into_iter().map(|released| (released.key, released.record.change)).collect()
}

#[test]
fn records_leave_by_time_and_key_and_a_newer_one_takes_the_place_of_the_older() {
    let mut task = open(EngineChoice::Memory);
    let buffer = task.store::<Buffer>(0);
    for (time, key, old, new) in
        [(5, "b", None, 1), (5, "a", None, 2), (3, "c", Some(9), 3), (9, "c", Some(3), 4)]
    {
        buffer.put(Timestamp(time), key.to_owned(), record(old, new, time)).expect("put");
    }
    assert_eq!(buffer.min_time().expect("min"), Some(Timestamp(3)));
    assert_eq!(buffer.prior(&"c".into()).expect("prior"), Some(Some(&9i64.to_be_bytes()[..])));
    assert_eq!(buffer.prior(&"a".into()).expect("prior"), Some(None));
    assert_eq!(buffer.prior(&"x".into()).expect("prior"), None);
    // 8 + key 1 + (8 + 8 + 4 + topic 2) + new 8, and for c prior 8 and old 8.
    assert_eq!(buffer.byte_len().expect("bytes"), 39 + 39 + 39 + 16);
    let all = [("c", (Some(3), Some(4))), ("a", (None, Some(2))), ("b", (None, Some(1)))];
    assert_eq!(drain(&mut task, 3), all.map(|(key, change)| (key.to_owned(), change)));
    let buffer = task.store::<Buffer>(0);
    assert_eq!((buffer.byte_len().expect("bytes"), buffer.min_time().expect("min")), (0, None));
}

#[test]
fn an_abort_brings_back_what_was_committed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for engine in engines(folder.path()) {
        let mut task = open(engine);
        for (key, time) in [("a", 1), ("b", 2), ("c", 3)] {
            task.store::<Buffer>(0).put(Timestamp(time), key.into(), record(None, time, time)).expect("put");
        }
        task.commit();
        assert_eq!(drain(&mut task, 2).len(), 2);
        task.store::<Buffer>(0).put(Timestamp(0), "d".into(), record(None, 0, 0)).expect("put");
        task.state().rollback().expect("rollback");
        if task.settings.engine_is_persistent() {
            task.reopen();
        }
        assert_eq!(drain(&mut task, 1), [("a".to_owned(), (None, Some(1)))]);
        task.commit();
        assert_eq!(task.logs[0].len(), 2, "what left the buffer has a tombstone");
        assert_eq!(task.records, [4]);
    }
}

#[test]
fn a_buffer_is_restored_from_its_own_changelog() {
    let mut task = open(EngineChoice::Memory);
    for (key, time) in [("a", 7), ("b", 2)] {
        task.store::<Buffer>(0).put(Timestamp(time), key.into(), record(Some(1), time, time)).expect("put");
    }
    task.commit();
    let mut run = RecordRun::new(TopicPartition::new("app-s-changelog", 0));
    let headers = task.decls[0].kind.value_headers();
    assert_eq!(headers.last("v").and_then(|header| header.value.as_deref()), Some(&[3][..]));
    for (offset, (key, (value, time))) in task.logs[0].iter().enumerate() {
        run.push(offset as i64, Timestamp(*time), Some(key), Some(value), headers.clone());
    }
    let mut other = open(EngineChoice::Memory);
    other.restore(0, &run, 2).expect("restore");
    let bytes = other.store::<Buffer>(0).byte_len().expect("bytes");
    assert_eq!(bytes, task.store::<Buffer>(0).byte_len().expect("bytes"));
    assert_eq!(drain(&mut other, 2), drain(&mut task, 2));
    run.push(9, Timestamp(0), Some(b"k"), Some(b"v"), Headers::default());
    let refused = other.restore(0, &run, 10);
    assert!(matches!(refused, Err(StoreError::Changelog { offset: 9, .. })), "{refused:?}");
}
