//! `merge`: two streams of one type as one.

use crate::dsl::{Data, KStream};
use crate::plan::{NodeRole, Wiring};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Both streams as one. Records of one partition keep their order; nothing is said about the order between the two.
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
        KStream::new(self.builder, node, self.rekeyed || other.rekeyed)
    }
}
