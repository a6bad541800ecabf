//! Mistakes that the compiler cannot see: `build` reports all of them at once, and the start refuses topics that do not fit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{EmbeddedLog, Log, NewTopic};
use candlewick::{
    Consumed, Grouped, I64Serde, Joined, KafkaStreams, Materialized, Produced, Record, Stores,
    StreamsBuilder, StreamsConfig, StringSerde, TopologyError,
};

/// Forwards what it gets.
struct Forward;

impl candlewick::Processor<String, i64, String, i64> for Forward {
    fn process(
        &mut self,
        record: Record<String, i64>,
        cx: &mut candlewick::Context<'_, String, i64>,
    ) -> Result<(), candlewick::ProcessError> {
        cx.forward(record)
    }
}

#[test]
fn build_reports_everything_that_is_wrong_in_one_answer() {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream("numbers", Consumed::<String, i64>::default());
    // A store without a name, one that is not there, one that is there twice, a topic that is read twice.
    numbers.group_by_key(Grouped::default()).count(Materialized::generated(StringSerde, I64Serde));
    numbers.process::<String, i64, _>(&["cache"], |_| Forward).named("lookup");
    builder.add_store(Stores::key_value::<String, i64>("twice", StringSerde, I64Serde));
    builder.add_store(Stores::key_value::<String, i64>("twice", StringSerde, I64Serde));
    builder.stream("numbers", Consumed::<String, i64>::default()).to("copies", Produced::default());
    let errors = builder.build().expect_err("nothing of this can run");
    let has = |wanted: fn(&TopologyError) -> bool| errors.0.iter().any(wanted);
    assert!(has(|error| matches!(error, TopologyError::Unnamed { .. })), "{errors}");
    assert!(
        has(
            |error| matches!(error, TopologyError::UnknownStore { node, store } if node == "lookup" && store == "cache")
        ),
        "{errors}"
    );
    assert!(
        has(|error| matches!(error, TopologyError::DuplicateStore { store } if store == "twice")),
        "{errors}"
    );
    assert!(
        has(|error| matches!(error, TopologyError::TopicReadTwice { topic, .. } if topic == "numbers")),
        "{errors}"
    );
}

#[test]
fn a_join_of_topics_with_different_numbers_of_partitions_is_refused_at_the_start() {
    let builder = StreamsBuilder::new();
    let customers = builder.table(
        "customers",
        Consumed::<String, Option<String>>::default(),
        Materialized::named("customers"),
    );
    builder
        .stream("orders", Consumed::<String, i64>::default())
        .join(customers, |_, amount, name| format!("{name}: {amount}"), Joined::default())
        .to("bills", Produced::default());
    let topology = builder.build().expect("the counts are not known yet");
    let log = EmbeddedLog::in_memory();
    let topic = |(name, partitions): (&str, i32)| NewTopic {
        name: name.into(),
        partitions,
        replication: 1,
        config: BTreeMap::new(),
    };
    let topics = [("customers", 2), ("orders", 3), ("bills", 1)].map(topic);
    log.admin().expect("admin").create(&topics, Duration::from_secs(5)).expect("created");
    let started = KafkaStreams::new(topology, StreamsConfig::new("bills"), log as Arc<dyn Log>).start();
    let said = started.err().expect("it cannot run").to_string();
    for word in ["customers", "2", "orders", "3"] {
        assert!(said.contains(word), "{said}");
    }
}
