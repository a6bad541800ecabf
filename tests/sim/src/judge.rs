//! The end of a simulation: whether the output is what a recomputation gives, and every store what its changelog says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{EmbeddedLog, Isolation, Log, PolledBatch, StartAt};
use candlewick::{KeyValueStore, Keys, StreamsHandle, TopicPartition};

use crate::work::{Kind, OUT, Outputs, Row, check};

/// Who judges one simulation.
pub(crate) struct Judge {
    pub(crate) kind: Kind,
    pub(crate) exactly_once: bool,
    pub(crate) tells_all: bool,
    pub(crate) reuses_sources: bool,
    pub(crate) log: Arc<EmbeddedLog>,
    pub(crate) partitions: i32,
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

impl Judge {
    /// All records of a topic, each partition's in its order.
    fn read<T>(
        &self,
        topic: &str,
        isolation: Isolation,
        mut take: impl FnMut(&candlewick::RawRecord<'_>) -> T,
    ) -> Result<Vec<T>, String> {
        let mut consumer = self.log.consumer("judge", isolation).expect("a client at once");
        let starts: Vec<_> =
            (0..self.partitions).map(|n| (TopicPartition::new(topic, n), StartAt::Beginning)).collect();
        consumer.assign(&starts).map_err(|error| error.to_string())?;
        let (mut batch, mut rows) = (PolledBatch::default(), Vec::new());
        loop {
            consumer.poll(100_000, Duration::ZERO, &mut batch).map_err(|error| error.to_string())?;
            if batch.runs.is_empty() {
                return Ok(rows);
            }
            for run in &batch.runs {
                rows.extend(run.iter().map(|record| take(&record)));
            }
        }
    }

    fn isolation(&self) -> Isolation {
        if self.exactly_once { Isolation::ReadCommitted } else { Isolation::ReadUncommitted }
    }

    /// Whether the results are there, each as often as it may be.
    pub(crate) fn output(&self) -> Result<(), String> {
        let row = |record: &candlewick::RawRecord<'_>| Row {
            key: text(record.key),
            value: text(record.value),
            time: record.timestamp.0,
        };
        let mut inputs = BTreeMap::new();
        for source in self.kind.sources() {
            inputs.insert((*source).to_owned(), self.read(source, Isolation::ReadUncommitted, row)?);
        }
        let out = self.read(OUT, self.isolation(), row)?;
        let (exactly_once, tells_all) = (self.exactly_once, self.tells_all);
        check(self.kind, &Outputs { inputs, out, exactly_once, tells_all })
    }

    /// Whether every store holds what its changelog says, and nothing else.
    pub(crate) fn stores(&self, instances: &[StreamsHandle]) -> Result<(), String> {
        for store in self.kind.tables() {
            let topic = self.kind.changelog_of(store, self.reuses_sources);
            let mut logged: BTreeMap<String, String> = BTreeMap::new();
            let rows = self.read(&topic, self.isolation(), |record| {
                (text(record.key), record.value.map(|value| text(Some(value))))
            })?;
            for (key, value) in rows {
                match value {
                    Some(value) => drop(logged.insert(key, value)),
                    None => drop(logged.remove(&key)),
                }
            }
            let mut held = BTreeMap::new();
            for instance in instances {
                for (key, value) in rows_of(instance, store)? {
                    if held.insert(key.clone(), value).is_some() {
                        return Err(format!("two instances have {key} in {store}"));
                    }
                }
            }
            let keys = logged.keys().chain(held.keys());
            if let Some(key) = keys.into_iter().find(|key| logged.get(*key) != held.get(*key)) {
                let (logged, held) = (logged.get(key), held.get(key));
                return Err(format!("{store}: {key} is {held:?}, and its changelog says {logged:?}"));
            }
        }
        Ok(())
    }
}

fn rows_of(instance: &StreamsHandle, store: &str) -> Result<Vec<(String, String)>, String> {
    let store = instance.store::<KeyValueStore<String, String>>(store).map_err(|error| error.to_string())?;
    let (mut rows, mut keys) = (Vec::new(), Keys::all());
    loop {
        let page = store.range(keys).map_err(|error| error.to_string())?;
        rows.extend(page.rows.into_iter().map(|(key, entry)| (key, entry.value)));
        match page.next {
            Some(cursor) => keys = Keys::all().after(cursor),
            None => return Ok(rows),
        }
    }
}
