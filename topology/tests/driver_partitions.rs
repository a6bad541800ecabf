//! The test driver with several partitions: keys go to tasks of their own, through repartition topics too.

use std::collections::BTreeSet;

use candlewick::{
    BytesSerde, Consumed, DriverOptions, Grouped, KeyValueStore, Materialized, Partition, Produced,
    StreamsBuilder, StringSerde, Timestamp, TopologyTestDriver, partition_for_key,
};

const PARTITIONS: i32 = 4;

/// Words counted by themselves, whatever key they come with.
fn counted(options: &DriverOptions) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder
        .stream("words", Consumed::<String, String>::default())
        .group_by(|_, word| word.clone(), Grouped::default().named("by-word"))
        .count(Materialized::named("counts").without_cache())
        .to_stream()
        .map_values(|count| count.unwrap_or(0))
        .to("counts", Produced::default());
    TopologyTestDriver::with_options(&builder.build().expect("valid"), options).expect("started")
}

#[test]
fn a_key_is_counted_by_the_task_of_its_partition_wherever_it_comes_from() {
    let driver = counted(&DriverOptions { partitions: PARTITIONS, ..DriverOptions::default() });
    let words = driver.input_topic("words", StringSerde, StringSerde);
    let counts = driver.output_topic::<String, i64>("counts", StringSerde, candlewick::I64Serde);
    let of = |word: &str| partition_for_key(word.as_bytes(), PARTITIONS);
    let spoken: Vec<String> = (0..6).map(|number| format!("word-{number}")).collect();
    for speaker in ["a", "b", "c"] {
        for word in &spoken {
            words.pipe(speaker.to_owned(), word.clone(), Timestamp(1)).expect("processed");
        }
    }
    let last: Vec<i64> = counts.read_all().into_iter().map(|(_, count, _)| count).collect();
    assert_eq!(last, [1, 2, 3].map(|count| vec![count; spoken.len()]).concat());
    let tasks: BTreeSet<Partition> = spoken.iter().map(|word| of(word)).collect();
    assert!(tasks.len() > 1, "the words of this test go to several tasks");
    for partition in (0..PARTITIONS).map(Partition) {
        let kept = driver.with_store_of(partition, "counts", |store: &mut KeyValueStore<String, i64>| {
            let mut rows = Vec::new();
            store.all(&mut rows).expect("a store in memory can be read");
            rows.into_iter().map(|(word, _)| word).collect::<BTreeSet<_>>()
        });
        let own = spoken.iter().filter(|word| of(word) == partition).cloned().collect();
        assert_eq!(kept, own, "task {partition} keeps its own words");
    }
}

#[test]
fn changelogs_and_repartition_topics_can_be_read() {
    let driver = counted(&DriverOptions::default());
    let words = driver.input_topic("words", StringSerde, StringSerde);
    words.pipe("a".into(), "hi".into(), Timestamp(7)).expect("processed");
    let repartition =
        driver.output_topic::<String, String>("driver-by-word-repartition", StringSerde, StringSerde);
    assert_eq!(repartition.read_all(), [("hi".to_owned(), "hi".to_owned(), Timestamp(7))]);
    let changelog =
        driver.output_topic::<String, bytes::Bytes>("driver-counts-changelog", StringSerde, BytesSerde);
    let (key, value, time) = changelog.read_all().remove(0);
    // The value alone, as Kafka Streams writes it: the time is the record's own.
    assert_eq!((key.as_str(), &value[..], time), ("hi", &1i64.to_be_bytes()[..], Timestamp(7)));
}
