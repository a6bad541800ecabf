//! The processors and topologies of these tests, and their input.

use std::collections::BTreeMap;

use candlewick::{
    Consumed, Context, GlobalHandle, I64Serde, KeyValueStore, Nullable, ProcessError, Processor, Produced,
    Record, StoreBuilder, StoreHandle, Stores, StreamsBuilder, StringSerde, Topology,
};

pub(crate) type Numbers = KeyValueStore<String, i64>;

pub(crate) fn numbers(name: &str) -> StoreBuilder<Numbers> {
    Stores::key_value(name, StringSerde, I64Serde)
}

/// Sums up what comes for each key: rows that are not the topic's records.
pub(crate) struct Sum(pub(crate) StoreHandle<Numbers>);

impl Processor<String, i64, (), ()> for Sum {
    fn process(
        &mut self,
        record: Record<String, i64>,
        cx: &mut Context<'_, (), ()>,
    ) -> Result<(), ProcessError> {
        cx.store(self.0).update(&record.key, record.timestamp, |entry| {
            entry.get_or_insert_default().value += record.value;
        })?;
        Ok(())
    }
}

/// Keeps the newest number of each key, or forgets it.
pub(crate) struct Keep(pub(crate) StoreHandle<Numbers>);

impl Processor<String, Option<i64>, (), ()> for Keep {
    fn process(
        &mut self,
        record: Record<String, Option<i64>>,
        cx: &mut Context<'_, (), ()>,
    ) -> Result<(), ProcessError> {
        let store = cx.store(self.0);
        match record.value {
            Some(number) => store.put(record.key, number, record.timestamp)?,
            None => {
                store.delete(&record.key, record.timestamp)?;
            }
        }
        Ok(())
    }
}

/// Answers each key with its number in a global store.
pub(crate) struct AskGlobal(pub(crate) GlobalHandle<String, i64>);

impl Processor<String, i64, String, i64> for AskGlobal {
    fn process(
        &mut self,
        asked: Record<String, i64>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let found = cx.global(&self.0).get(&asked.key)?.map_or(0, |entry| entry.value);
        cx.forward(asked.with_value(found))
    }
}

/// Answers each key with its number in a store of the task.
pub(crate) struct Ask(pub(crate) StoreHandle<Numbers>);

impl Processor<String, i64, String, i64> for Ask {
    fn process(
        &mut self,
        asked: Record<String, i64>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let found = cx.store(self.0).get(&asked.key)?.map_or(0, |entry| entry.value);
        cx.forward(asked.with_value(found))
    }
}

/// `asked` is answered into `answers` from the sums of `added`, which are global.
pub(crate) fn global_sums() -> Topology {
    let builder = StreamsBuilder::new();
    builder.global_store("added", Consumed::default(), numbers("sums"), |stores| Sum(stores.get("sums")));
    builder
        .stream("asked", Consumed::<String, i64>::default())
        .process::<String, i64, _>(&[], |stores| AskGlobal(stores.global("sums")))
        .to("answers", Produced::default());
    builder.build().expect("valid")
}

/// `asked` is answered into `answers` from what was kept of `kept`, in each task.
pub(crate) fn kept_numbers(in_memory: bool) -> Topology {
    numbers_of("kept", in_memory)
}

/// The same of another topic.
pub(crate) fn numbers_of(topic: &str, in_memory: bool) -> Topology {
    let builder = StreamsBuilder::new();
    let store = if in_memory { numbers("numbers").in_memory() } else { numbers("numbers") };
    let kept = Consumed::with(StringSerde, Nullable(I64Serde));
    builder.read_only_store(topic, kept, store, |stores| Keep(stores.get("numbers")));
    builder
        .stream("asked", Consumed::<String, i64>::default())
        .process::<String, i64, _>(&["numbers"], |stores| Ask(stores.get("numbers")))
        .to("answers", Produced::default());
    builder.build().expect("valid")
}

/// Numbers for a few keys, in no order.
pub(crate) fn additions(count: i64) -> Vec<(String, i64)> {
    (0..count).map(|n| (format!("k{}", (n * 7) % 11), (n * 13) % 31 - 9)).collect()
}

pub(crate) fn sums(additions: &[(String, i64)]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for (key, number) in additions {
        *sums.entry(key.clone()).or_default() += number;
    }
    sums
}
