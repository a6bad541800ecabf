//! Global stores in the driver.

use std::collections::BTreeMap;
use std::ops::Bound;

use candlewick::{
    Backtest, Consumed, DriverOptions, Entry, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord,
    GlobalHandle, I64Serde, Materialized, PartitionCounts, ProcessError, Produced, StreamsBuilder,
    StringSerde, TableContext, Timestamp, TopologyError, TopologyTestDriver,
};

use crate::parts::{AskGlobal, Numbers, Sum, additions, global_sums, numbers, sums};

#[test]
fn every_task_reads_what_the_processor_has_made_of_the_topic() {
    let options = DriverOptions { partitions: 3, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with_options(&global_sums(), &options).expect("started");
    let added = driver.input_topic("added", StringSerde, I64Serde);
    let asked = driver.input_topic("asked", StringSerde, I64Serde);
    let answers = driver.output_topic::<String, i64>("answers", StringSerde, I64Serde);
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for (time, (key, number)) in (0..).zip(additions(200)) {
        *expected.entry(key.clone()).or_default() += number;
        added.pipe(key.clone(), number, Timestamp(time)).expect("added");
        // A key of its own partition, and so a task of its own.
        asked.pipe(key.clone(), 0, Timestamp(time)).expect("answered");
        assert_eq!(answers.read_value(), Some(expected[&key]));
    }
    asked.pipe("nobody".to_owned(), 0, Timestamp(0)).expect("answered");
    assert_eq!(answers.read_value(), Some(0));
}

#[test]
fn a_restart_reads_the_topic_through_the_processor_again() {
    let (topology, options) = (global_sums(), DriverOptions::default());
    let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    let added = driver.input_topic("added", StringSerde, I64Serde);
    let (before, after) = (additions(50), additions(20));
    for (key, number) in &before {
        added.pipe(key.clone(), *number, Timestamp(1)).expect("added");
    }
    driver.restart(&topology, &options).expect("started anew");
    for (key, number) in &after {
        added.pipe(key.clone(), *number, Timestamp(2)).expect("added");
    }
    let mut kept = Vec::new();
    driver.with_store::<Numbers, _>("sums", |store| store.all(&mut kept).expect("in memory"));
    let kept: BTreeMap<String, i64> = kept.into_iter().map(|(key, entry)| (key, entry.value)).collect();
    assert_eq!(kept, sums(&[before, after].concat()));
}

#[test]
fn a_backtest_fills_global_stores_too() {
    let topology = global_sums();
    let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    let additions = additions(30);
    for (key, number) in &additions {
        let bytes = number.to_be_bytes();
        backtest.pipe("added", Some(key.as_bytes()), Some(&bytes), Timestamp(1)).expect("a topic of it");
    }
    let sums = sums(&additions);
    for key in sums.keys() {
        backtest.pipe("asked", Some(key.as_bytes()), Some(&[0; 8]), Timestamp(2)).expect("a topic of it");
    }
    let mut answers = Vec::new();
    backtest.drain(|output| answers.push(output.value.map(<[u8]>::to_vec))).expect("processed");
    let expected: Vec<_> = sums.values().map(|sum| Some(sum.to_be_bytes().to_vec())).collect();
    assert_eq!(answers, expected);
}

/// The sum of all rows in a range of keys, both ways, and how many there are with a prefix and at all.
struct Survey(GlobalHandle<String, i64>);

impl FixedKeyProcessor<String, String, String> for Survey {
    fn process(
        &mut self,
        record: FixedKeyRecord<String, String>,
        cx: &mut FixedKeyContext<'_, '_, String, String>,
    ) -> Result<(), ProcessError> {
        let mut store = cx.global(&self.0);
        let (from, to) = (record.key().clone(), record.value.clone());
        let bounds = (Bound::Included(&from), Bound::Excluded(&to));
        let (mut up, mut down, mut all, mut some) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        store.range(bounds.0, bounds.1, &mut up)?;
        store.range_reverse(bounds.0, bounds.1, &mut down)?;
        store.all(&mut all)?;
        store.prefix(b"k1", &mut some)?;
        assert_eq!((store.len()?, store.is_empty()?), (all.len(), all.is_empty()));
        down.reverse();
        assert_eq!(up, down);
        let keys = |rows: &[(String, Entry<i64>)]| {
            let keys: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
            keys.join(",")
        };
        cx.forward(record.with_value(format!("{} {} {}", keys(&up), keys(&some), keys(&all))))
    }
}

#[test]
fn ranges_prefixes_and_all_rows_come_in_the_order_of_keys() {
    let builder = StreamsBuilder::new();
    builder.global_store("added", Consumed::default(), numbers("sums"), |stores| Sum(stores.get("sums")));
    builder
        .stream("asked", Consumed::<String, String>::default())
        .process_values(&[], |stores| Survey(stores.global("sums")))
        .to("answers", Produced::default());
    let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    let added = driver.input_topic("added", StringSerde, I64Serde);
    let additions = additions(40);
    for (key, number) in &additions {
        added.pipe(key.clone(), *number, Timestamp(1)).expect("added");
    }
    let asked = driver.input_topic("asked", StringSerde, StringSerde);
    asked.pipe("k2".to_owned(), "k5".to_owned(), Timestamp(1)).expect("answered");
    let rows = sums(&additions);
    let keys = |wanted: &dyn Fn(&str) -> bool| {
        let keys: Vec<&str> = rows.keys().map(String::as_str).filter(|key| wanted(key)).collect();
        keys.join(",")
    };
    let expected =
        [keys(&|key| ("k2".."k5").contains(&key)), keys(&|key| key.starts_with("k1")), keys(&|_| true)];
    let answers = driver.output_topic::<String, String>("answers", StringSerde, StringSerde);
    assert_eq!(answers.read_value(), Some(expected.join(" ")));
}

#[test]
fn tables_of_both_kinds_and_transformers_read_each_other() {
    let builder = StreamsBuilder::new();
    // A processor in front of a store may read a global table.
    builder.global_table(
        "factors",
        Consumed::<String, Option<i64>>::default(),
        Materialized::named("factors"),
    );
    builder
        .table("asked", Consumed::<String, Option<i64>>::default(), Materialized::named("asked"))
        .transform_values(&[], |stores| {
            let factors = stores.global::<String, i64>("factors");
            move |key: &String, value: Option<i64>, cx: &mut TableContext<'_>| {
                let factor = cx.global(&factors).get(key)?.map_or(1, |entry| entry.value);
                Ok(value.map(|value| value * factor))
            }
        })
        .to_stream()
        .map_values(|value| value.unwrap_or(-1))
        .to("answers", Produced::default());
    let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    driver
        .input_topic("factors", StringSerde, I64Serde)
        .pipe("a".to_owned(), 3, Timestamp(1))
        .expect("known");
    let asked = driver.input_topic("asked", StringSerde, I64Serde);
    for (key, number) in [("a", 5), ("b", 5)] {
        asked.pipe(key.to_owned(), number, Timestamp(2)).expect("answered");
    }
    let answers = driver.output_topic::<String, i64>("answers", StringSerde, I64Serde);
    let answers: Vec<i64> = answers.read_all().into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(answers, [5 * 3, 5]);
}

#[test]
fn it_has_no_changelog_and_no_task() {
    let counts = PartitionCounts::from([("added".into(), 5), ("asked".into(), 2)]);
    let topology = global_sums();
    assert_eq!(topology.internal_topics("app", &counts).expect("they fit"), []);
    let topics: Vec<String> = topology.source_topics().iter().map(ToString::to_string).collect();
    assert_eq!(topics, ["asked", "added"]);
}

#[test]
fn what_cannot_be_is_refused_with_the_others() {
    let builder = StreamsBuilder::new();
    let sum = |stores: &candlewick::ProcessorStores<'_>| Sum(stores.get("sums"));
    builder.global_store("added", Consumed::default().named("one"), numbers("sums"), sum);
    builder.global_store("added", Consumed::default().named("two"), numbers("sums"), sum);
    builder
        .stream("asked", Consumed::<String, i64>::default())
        .process::<String, i64, _>(&["sums"], |stores| AskGlobal(stores.global("sums")))
        .named("ask")
        .to("answers", Produced::default());
    let errors = builder.build().expect_err("three mistakes").0;
    let text = |text: &str| text.to_owned();
    let expected = [
        TopologyError::DuplicateStore { store: text("sums") },
        TopologyError::GlobalStoreNamed { node: text("ask"), store: text("sums") },
        TopologyError::TopicReadTwice {
            topic: text("added"),
            first: text("one-source"),
            second: text("two-source"),
        },
    ];
    assert_eq!(errors, expected);
}
