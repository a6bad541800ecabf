//! Read-only stores in the driver and in the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlewick::{
    Consumed, DriverOptions, I64Serde, Nullable, PartitionCounts, Produced, Repartitioned, SkipOnDecodeError,
    StreamsBuilder, StringSerde, Timestamp, TopologyError, TopologyTestDriver,
};

use crate::parts::{Ask, Keep, Numbers, additions, kept_numbers, numbers};

#[test]
fn each_task_has_the_rows_of_its_partition_and_has_them_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    for state_dir in [None, Some(folder.path().to_owned())] {
        let topology = kept_numbers(state_dir.is_none());
        let options = DriverOptions { partitions: 3, state_dir, ..DriverOptions::default() };
        let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
        let kept = driver.input_topic("kept", StringSerde, Nullable(I64Serde));
        let asked = driver.input_topic("asked", StringSerde, I64Serde);
        let answers = driver.output_topic::<String, i64>("answers", StringSerde, I64Serde);
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for (n, (key, number)) in (0..).zip(additions(120)) {
            let number = (number > -5).then_some(number);
            match number {
                Some(number) => drop(expected.insert(key.clone(), number)),
                None => drop(expected.remove(&key)),
            }
            kept.pipe(key.clone(), number, Timestamp(n)).expect("kept");
            if n % 40 == 17 {
                driver.restart(&topology, &options).expect("restored");
            }
            asked.pipe(key.clone(), 0, Timestamp(n)).expect("answered");
            assert_eq!(answers.read_value(), Some(expected.get(&key).copied().unwrap_or(0)), "record {n}");
        }
    }
}

#[test]
fn what_could_not_be_read_is_not_restored() {
    let topology = kept_numbers(true);
    let options = DriverOptions { decode_handler: Arc::new(SkipOnDecodeError), ..DriverOptions::default() };
    let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    driver.input_topic("kept", StringSerde, I64Serde).pipe("a".to_owned(), 7, Timestamp(1)).expect("kept");
    let odd = driver.input_topic("kept", StringSerde, StringSerde);
    odd.pipe("a".to_owned(), "no number".to_owned(), Timestamp(2)).expect("left out");
    driver.restart(&topology, &options).expect("restored");
    let kept = driver.with_store::<Numbers, _>("numbers", |store| {
        store.get(&"a".to_owned()).expect("readable").map(|entry| (entry.value, entry.timestamp))
    });
    assert_eq!(kept, Some((7, Timestamp(1))));
}

#[test]
fn the_topic_is_the_changelog_and_must_be_partitioned_as_those_who_ask() {
    let topology = kept_numbers(false);
    let counts = PartitionCounts::from([("kept".into(), 4), ("asked".into(), 4)]);
    assert_eq!(topology.internal_topics("app", &counts).expect("they fit"), []);
    let counts = PartitionCounts::from([("kept".into(), 4), ("asked".into(), 3)]);
    let errors = topology.internal_topics("app", &counts).expect_err("they do not fit").0;
    let expected = TopologyError::NotCoPartitioned {
        node: "KSTREAM-PROCESSOR-0000000003".to_owned(),
        left: "kept".to_owned(),
        left_count: 4,
        right: "asked".to_owned(),
        right_count: 3,
    };
    assert_eq!(errors, [expected]);
}

#[test]
fn a_repartition_topic_of_those_who_ask_takes_the_number_of_the_store() {
    let builder = StreamsBuilder::new();
    builder
        .stream("asked", Consumed::<String, i64>::default())
        .select_key(|_, number| number.to_string())
        .repartition(Repartitioned::default().named("by-number"))
        .process::<String, i64, _>(&["numbers"], |stores| Ask(stores.get("numbers")))
        .to("answers", Produced::default());
    // Declared behind those who read it.
    let kept = Consumed::with(StringSerde, Nullable(I64Serde));
    builder.read_only_store("kept", kept, numbers("numbers"), |stores| Keep(stores.get("numbers")));
    let topology = builder.build().expect("valid");
    let counts = PartitionCounts::from([("kept".into(), 6), ("asked".into(), 2)]);
    let topics = topology.internal_topics("app", &counts).expect("they fit");
    let topics: Vec<(&str, i32)> = topics.iter().map(|topic| (&*topic.name, topic.partitions)).collect();
    assert_eq!(topics, [("app-by-number-repartition", 6)]);
}
