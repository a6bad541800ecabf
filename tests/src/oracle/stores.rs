//! What a run left in its stores, as goldens show it. Over several partitions it is all of them together.

use std::collections::BTreeSet;

use candlewick::{
    Entry, KeyValueStore, Partition, Session, SessionStore, Timestamp, TopologyTestDriver, VersionedStore,
    WindowStore,
};
use serde_json::{Value as Json, json};

use super::corpus::Case;
use super::interpreter::Contents;
use super::text::{AsText, Key, Value, or_null};

/// The stores of one partition of a driver.
pub(super) struct StoresOf<'d> {
    pub(super) driver: &'d TopologyTestDriver,
    pub(super) partition: Partition,
}

impl StoresOf<'_> {
    /// The rows of a store; of a versioned one, what it answers about the keys and times of a case.
    pub(super) fn rows(&self, name: &str, contents: Contents, case: &Case) -> Vec<Json> {
        match contents {
            Contents::Text => self.key_values::<String>(name),
            Contents::Values => self.key_values::<Value>(name),
            Contents::Counts => self.key_values::<i64>(name),
            Contents::WindowValues => self.windows::<Value>(name),
            Contents::WindowCounts => self.windows::<i64>(name),
            Contents::SessionValues => self.sessions::<Value>(name),
            Contents::SessionCounts => self.sessions::<i64>(name),
            Contents::Versions => self.versions(name, case),
        }
    }

    fn key_values<V: AsText + Clone + Send + 'static>(&self, name: &str) -> Vec<Json> {
        let mut rows: Vec<(Key, Entry<V>)> = Vec::new();
        self.driver.with_store_of(self.partition, name, |store: &mut KeyValueStore<Key, V>| {
            store.all(&mut rows).expect("a store in memory can be read");
        });
        rows.into_iter().map(|(key, entry)| json!([key, entry.value.text()])).collect()
    }

    /// Each key of the input: its latest version, then the one as of the last time and of some times before it.
    fn versions(&self, name: &str, case: &Case) -> Vec<Json> {
        let records = || case.inputs().filter(|input| input[0] != "$wall");
        let keys: BTreeSet<&str> = records().filter_map(|input| input[1].as_str()).collect();
        let last = records().filter_map(|input| input[3].as_i64()).max().unwrap_or(0);
        let times = (0..=60).step_by(10).map(|back| Some(Timestamp(last - back)));
        let times: Vec<Option<Timestamp>> = [None].into_iter().chain(times).collect();
        let mut rows = Vec::new();
        for (key, time) in keys.into_iter().flat_map(|key| times.iter().map(move |time| (key, time))) {
            let text: Key = Some(key.to_owned());
            let found =
                self.driver.with_store_of(self.partition, name, |store: &mut VersionedStore<Key, String>| {
                    match time {
                        Some(time) => store.get_as_of(&text, *time),
                        None => store.get(&text),
                    }
                });
            let mut row = vec![json!(key), json!(time.map(Timestamp::as_millis))];
            match found.expect("a store in memory can be read") {
                Some(entry) => row.extend([json!(entry.value), json!(entry.timestamp.0)]),
                None => row.push(Json::Null),
            }
            rows.push(Json::from(row));
        }
        rows
    }

    fn sessions<V: AsText + Clone + Send + 'static>(&self, name: &str) -> Vec<Json> {
        let mut rows: Vec<(Key, Session, Entry<V>)> = Vec::new();
        self.driver.with_store_of(self.partition, name, |store: &mut SessionStore<Key, V>| {
            store.find_all(Timestamp(0), &mut rows).expect("a store in memory can be read");
        });
        rows.sort_by(|(key, session, _), (other, next, _)| (key, session.start).cmp(&(other, next.start)));
        let row = |(key, Session { start, end }, entry): (Key, Session, Entry<V>)| {
            json!([format!("{}@{start}/{end}", or_null(key.as_deref())), entry.value.text()])
        };
        rows.into_iter().map(row).collect()
    }

    fn windows<V: AsText + Clone + Send + 'static>(&self, name: &str) -> Vec<Json> {
        let mut rows: Vec<(Key, Timestamp, Entry<V>)> = Vec::new();
        self.driver.with_store_of(self.partition, name, |store: &mut WindowStore<Key, V>| {
            store.all(&mut rows).expect("a store in memory can be read");
        });
        rows.sort_by(|(key, start, _), (other, time, _)| (key, start).cmp(&(other, time)));
        let row = |(key, start, entry): (Key, Timestamp, Entry<V>)| {
            json!([format!("{}@{start}", or_null(key.as_deref())), entry.value.text()])
        };
        rows.into_iter().map(row).collect()
    }
}
