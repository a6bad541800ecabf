//! A store that every task has whole, with a processor of the user's in front of it.

use std::sync::Arc;

use super::operation::process::ProcessorStores;
use super::options::Consumed;
use super::{Data, StoreKey, StreamsBuilder};
use crate::plan::{GlobalDecl, GlobalFill, MakeNode, NodeDecl, NodeRole, TopicRef, TypeInfo};
use crate::processor::{Processor, Typed};
use crate::record::Record;
use crate::state::{KeyValueStore, StoreBuilder};

pub(super) fn global_store<K: Data, V: Data, SK: StoreKey, SV: Data, P: Processor<K, V, (), ()>>(
    builder: &StreamsBuilder,
    topic: &str,
    consumed: Consumed<K, V>,
    store: StoreBuilder<KeyValueStore<SK, SV>>,
    supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
) {
    let (source, name) = builder.kept_names(consumed.name.as_ref());
    let stores = vec![Arc::from(store.name())];
    let mut processor = filler(Arc::clone(&name), Vec::new(), stores, supplier);
    processor.policy = consumed.policy;
    let fill = GlobalFill { source: Box::new(move |_| Box::new(consumed.reader())), processor };
    let mut graph = builder.graph.borrow_mut();
    let before = graph.nodes.len();
    graph.globals.push(GlobalDecl {
        source,
        processor: name,
        topic: TopicRef::External(topic.into()),
        // The topic is its changelog.
        store: store.without_changelog().into(),
        before,
        fill: Some(fill),
    });
}

/// The node of a processor that writes what it is given to its one store, and forwards nothing.
pub(super) fn filler<K: Data, V: Data, P: Processor<K, V, (), ()>>(
    name: Arc<str>,
    parents: Vec<crate::plan::NodeId>,
    stores: Vec<Arc<str>>,
    supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
) -> NodeDecl {
    let make: MakeNode = Box::new(move |wiring| {
        Box::new(Typed::<P, K, V, (), ()>::new(supplier(&ProcessorStores::new(wiring))))
    });
    let types = (Some(TypeInfo::of::<Record<K, V>>()), TypeInfo::of::<Record<(), ()>>());
    NodeDecl::new(name, parents, types, NodeRole::Processor { make }, stores)
}
