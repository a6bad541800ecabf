//! The decoders of stores, opened to the fuzz targets: keys and rows, and the changelogs of stores of every kind. Must not
//! know what is sent to them.

use std::sync::Arc;
use std::time::Duration;

use super::schema::{buffer, join, session, window};
use super::{ChangeSerde, EngineChoice, Stores, TaskSettings, TaskState};
use crate::record::{Headers, RecordRun, TopicPartition};
use crate::serde::{Serde, SerdeError, StringSerde};
use crate::time::Timestamp;

/// Keys and rows.
pub fn rows(bytes: &[u8]) {
    let _ = window::split(bytes);
    let _ = session::split(bytes);
    let _ = join::split(bytes);
    let _ = join::values(bytes, |value| {
        std::hint::black_box(value);
    });
    let _ = buffer::read(bytes);
}

struct Text;

impl ChangeSerde<String> for Text {
    fn serialize_old(&self, _: &str, _: &String, _: &mut Vec<u8>) -> Result<bool, SerdeError> {
        Ok(false)
    }

    fn serialize_new(&self, _: &str, change: &String, out: &mut Vec<u8>) -> Result<bool, SerdeError> {
        out.extend_from_slice(change.as_bytes());
        Ok(true)
    }

    fn deserialize(&self, topic: &str, _: Option<&[u8]>, new: Option<&[u8]>) -> Result<String, SerdeError> {
        StringSerde.deserialize(topic, new.unwrap_or_default())
    }
}

/// A changelog restored into a store of each kind, and then read: records of a byte with the key's length, one with the
/// value's (255 is none), one with the time, and both.
pub fn changelogs(bytes: &[u8]) {
    let (size, kept) = (Duration::from_secs(10), Duration::from_secs(600));
    let text = || StringSerde;
    let decls = vec![
        Stores::key_value("k", text(), text()).into(),
        Stores::window("w", text(), text(), size, kept).into(),
        Stores::session("s", text(), text(), kept).into(),
        Stores::versioned("v", text(), text(), kept).into(),
        Stores::suppress("b", text(), Text).into(),
    ];
    let changelog_topics = ["k", "w", "s", "v", "b"].map(Arc::from).to_vec();
    let settings = TaskSettings { engine: EngineChoice::Memory, cache_bytes_max: 1 << 16, changelog_topics };
    for store in 0..decls.len() {
        let mut state = TaskState::open(&decls, &settings).expect("stores in memory open");
        // A changelog that makes no sense is an error; the process lives on.
        let restored = state.restore(store, &run(bytes), 100, 0).and_then(|()| state.finish_restore());
        if restored.is_ok() {
            read(&mut state, store);
        }
    }
}

/// Everything that a store holds, by its own calls.
fn read(state: &mut TaskState, store: usize) {
    use super::{KeyValueStore, SessionStore, StoreHandle, SuppressBuffer, VersionedStore, WindowStore};
    let index = u32::try_from(store).expect("five stores");
    let stores = state.stores_mut();
    let key = "key".to_owned();
    match store {
        0 => drop(StoreHandle::<KeyValueStore<String, String>>::new(index).get(stores).get(&key).map(drop)),
        1 => {
            let _ = StoreHandle::<WindowStore<String, String>>::new(index).get(stores).all(&mut Vec::new());
        }
        2 => {
            let sessions = StoreHandle::<SessionStore<String, String>>::new(index).get(stores);
            let _ = sessions.find_all(Timestamp(i64::MIN), &mut Vec::new());
        }
        3 => {
            let versions = StoreHandle::<VersionedStore<String, String>>::new(index).get(stores);
            let _ = versions.get(&key).map(drop);
            let _ = versions.get_as_of(&key, Timestamp(5)).map(drop);
        }
        _ => {
            let _ = StoreHandle::<SuppressBuffer<String, String>>::new(index).get(stores).min_time();
        }
    }
}

fn run(bytes: &[u8]) -> RecordRun {
    let mut run = RecordRun::new(TopicPartition::new("fuzz-changelog", 0));
    let (mut left, mut offset) = (bytes, 0);
    while let Some(([key, value, time], rest)) = left.split_first_chunk::<3>() {
        let (key, rest) = rest.split_at(rest.len().min(usize::from(*key)));
        let len = if *value == 255 { 0 } else { usize::from(*value) };
        let (body, behind) = rest.split_at(rest.len().min(len));
        let body = (*value != 255).then_some(body);
        run.push(offset, Timestamp(i64::from(time.cast_signed())), Some(key), body, Headers::default());
        (left, offset) = (behind, offset + 1);
    }
    run
}
