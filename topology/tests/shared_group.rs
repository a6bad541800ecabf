//! A stream that is grouped once under a name and aggregated twice goes through one repartition topic, as with Kafka
//! Streams.

use candlewick::{
    Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde, Timestamp,
    TopologyTestDriver,
};

#[test]
fn aggregations_of_one_named_group_share_its_repartition_topic() {
    let builder = StreamsBuilder::new();
    let group = builder
        .stream("in", Consumed::<String, i64>::default())
        .group_by(|_, n| (n % 2).to_string(), Grouped::<String, i64>::default().named("by-parity"));
    group.clone().count(Materialized::named("counts")).to_stream().to("counts", Produced::default());
    group.reduce(|a, b| a + b, Materialized::named("sums")).to_stream().to("sums", Produced::default());
    let topology = builder.build().expect("one topic is no conflict");
    assert_eq!(topology.describe().matches("by-parity-repartition-source (topics").count(), 1);
    let driver = TopologyTestDriver::new(topology);
    let input = driver.input_topic("in", StringSerde, I64Serde);
    for number in 1..=5 {
        input.pipe("k".to_owned(), number, Timestamp(number)).expect("processed");
    }
    let last = |topic: &str| {
        let rows =
            driver.output_topic::<String, Option<i64>>(topic, StringSerde, candlewick::Nullable(I64Serde));
        let rows = rows.read_all().into_iter();
        rows.filter(|(key, ..)| key == "1").filter_map(|(_, value, _)| value).next_back()
    };
    assert_eq!((last("counts"), last("sums")), (Some(3), Some(1 + 3 + 5)));
}
