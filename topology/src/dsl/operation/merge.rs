//! `merge`: two streams of one type as one.

use crate::dsl::{Data, KStream};
use crate::plan::{Effect, NodeRole, Wiring};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Both streams as one. Records of one partition keep their order; nothing is said about the order between the two.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// let one = builder.stream("in", Consumed::<String, i64>::default());
    /// let other = builder.stream("more", Consumed::<String, i64>::default());
    /// one.merge(other).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let more = driver.input_topic("more", StringSerde, I64Serde);
    /// # for n in 3..=4 { more.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1, 2, 3, 4]);
    /// ```
    pub fn merge(self, other: KStream<'b, K, V>) -> Self {
        let name = self.builder.next_name("KSTREAM-MERGE-");
        let make = Box::new(|_: &Wiring<'_>| -> Box<dyn crate::processor::Node> {
            Box::new(InPlace::new(|_: &mut Record<K, V>| true))
        });
        let node = self.builder.add_node::<Record<K, V>, Record<K, V>>(
            name,
            vec![self.node, other.node],
            NodeRole::Processor { make },
            Vec::new(),
        );
        KStream::new(self.builder, node, self.rekeyed || other.rekeyed).with_effect(Effect::Merge)
    }
}
