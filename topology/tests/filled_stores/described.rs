//! The text that Kafka Streams 4.3.1 prints for the same topologies.

use candlewick::{Consumed, I64Serde, Nullable, Produced, StreamsBuilder, StringSerde};
use expect_test::{Expect, expect};

use crate::parts::{Ask, AskGlobal, Keep, Sum, numbers};

fn check(declare: impl Fn(&StreamsBuilder), expected: &Expect) {
    let builder = StreamsBuilder::new();
    declare(&builder);
    expected.assert_eq(&builder.build().expect("valid").describe());
}

#[test]
fn global_stores_stand_where_they_were_declared_and_named_ones_pass_two_numbers_over() {
    let declare = |builder: &StreamsBuilder| {
        builder.global_store("rates-topic", Consumed::default(), numbers("rates"), |stores| {
            Sum(stores.get("rates"))
        });
        builder
            .stream("in", Consumed::<String, i64>::default())
            .process::<String, i64, _>(&[], |stores| AskGlobal(stores.global("rates")))
            .to("out", Produced::default());
        let named = Consumed::default().named("fill");
        builder.global_store("names-topic", named, numbers("names"), |stores| Sum(stores.get("names")));
        builder.stream("in2", Consumed::<String, i64>::default()).to("out2", Produced::default());
    };
    check(
        declare,
        &expect![[r#"
        Topologies:
           Sub-topology: 0 for global store (will not generate tasks)
            Source: KSTREAM-SOURCE-0000000000 (topics: [rates-topic])
              --> KTABLE-SOURCE-0000000001
            Processor: KTABLE-SOURCE-0000000001 (stores: [rates])
              --> none
              <-- KSTREAM-SOURCE-0000000000
          Sub-topology: 1
            Source: KSTREAM-SOURCE-0000000002 (topics: [in])
              --> KSTREAM-PROCESSOR-0000000003
            Processor: KSTREAM-PROCESSOR-0000000003 (stores: [])
              --> KSTREAM-SINK-0000000004
              <-- KSTREAM-SOURCE-0000000002
            Sink: KSTREAM-SINK-0000000004 (topic: out)
              <-- KSTREAM-PROCESSOR-0000000003

          Sub-topology: 2 for global store (will not generate tasks)
            Source: fill-source (topics: [names-topic])
              --> fill
            Processor: fill (stores: [names])
              --> none
              <-- fill-source
          Sub-topology: 3
            Source: KSTREAM-SOURCE-0000000007 (topics: [in2])
              --> KSTREAM-SINK-0000000008
            Sink: KSTREAM-SINK-0000000008 (topic: out2)
              <-- KSTREAM-SOURCE-0000000007

    "#]],
    );
}

#[test]
fn a_read_only_store_is_one_of_its_sub_topology() {
    let declare = |builder: &StreamsBuilder| {
        builder
            .stream("in", Consumed::<String, i64>::default().named("read"))
            .process::<String, i64, _>(&["prices"], |stores| Ask(stores.get("prices")))
            .named("use")
            .to("out", Produced::default().named("write"));
        let prices = Consumed::with(StringSerde, Nullable(I64Serde)).named("fill");
        builder
            .read_only_store("prices-topic", prices, numbers("prices"), |stores| Keep(stores.get("prices")));
    };
    check(
        declare,
        &expect![[r#"
        Topologies:
           Sub-topology: 0
            Source: read (topics: [in])
              --> use
            Source: fill-source (topics: [prices-topic])
              --> fill
            Processor: use (stores: [prices])
              --> write
              <-- read
            Processor: fill (stores: [prices])
              --> none
              <-- fill-source
            Sink: write (topic: out)
              <-- use

    "#]],
    );
}
