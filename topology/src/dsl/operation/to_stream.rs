//! `to_stream`: a table's changes as records.

use std::sync::Arc;

use crate::dsl::{Change, Data, KStream, KTable};
use crate::error::ProcessError;
use crate::plan::{NodeRole, Wiring};
use crate::processor::{Context, MapNode, Node};
use crate::record::Record;

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    /// The new value of every change, in order; a deletion is `None`.
    ///
    /// ```
    /// use candlewick::{Consumed, I64Serde, Materialized, Nullable, Produced, StreamsBuilder, StringSerde};
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
    ///     .to_stream()
    ///     .to("out", Produced::with(StringSerde, Nullable(I64Serde)));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic::<String, Option<i64>>("in", StringSerde, Nullable(I64Serde));
    /// # for (key, value, time) in [("k", Some(1), 0), ("k", Some(2), 1), ("k", None, 2)] { input.pipe(key.to_string(), value, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, Option<i64>>("out", StringSerde, Nullable(I64Serde));
    /// # let values: Vec<Option<i64>> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [Some(1), Some(2), None]);
    /// ```
    pub fn to_stream(self) -> KStream<'b, K, Option<V>> {
        let name: Arc<str> = self.builder.next_name("KTABLE-TOSTREAM-");
        let make = Box::new(|_: &Wiring<'_>| -> Box<dyn Node> {
            let run = |record: Record<K, Change<V>>,
                       cx: &mut Context<'_, K, Option<V>>|
             -> Result<(), ProcessError> {
                let Record { key, value, timestamp, headers } = record;
                cx.forward(Record { key, value: value.new, timestamp, headers })
            };
            Box::new(MapNode::new(run))
        });
        let node = self.builder.add_node::<Record<K, Change<V>>, Record<K, Option<V>>>(
            name,
            vec![self.node],
            NodeRole::Processor { make },
            Vec::new(),
        );
        KStream::new(self.builder, node, false)
    }
}
