//! `to_stream`: a table's changes as records.

use std::sync::Arc;

use crate::dsl::{Change, Data, KStream, KTable};
use crate::error::ProcessError;
use crate::plan::{NodeRole, Wiring};
use crate::processor::{Context, MapNode, Node};
use crate::record::Record;

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    /// The new value of every change, in order; a deletion is `None`.
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
