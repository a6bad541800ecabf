//! Sub-topologies: nodes connected by edges or by a shared store form one; a repartition topic separates two.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::{Graph, NodeId, NodeRole, TopicRef};
use crate::state::StoreDecl;

/// One sub-topology: what a task is an instance of.
pub(crate) struct SubTopology {
    pub(crate) id: u32,
    /// In order of declaration, which is a topological one.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) stores: Vec<StoreDecl>,
    pub(crate) sources: Vec<TopicRef>,
    pub(crate) outputs: Vec<TopicRef>,
}

/// What an internal topic is for.
///
/// ```
/// use candlewick::{Consumed, PartitionCounts, Repartitioned, StreamsBuilder, TopicKind};
/// let builder = StreamsBuilder::new();
/// let trades = builder.stream("trades", Consumed::<String, i64>::default());
/// trades.select_key(|_, client| *client).repartition(Repartitioned::default().named("by-client"));
/// let counts = PartitionCounts::from([("trades".into(), 6)]);
/// let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert_eq!(topics[0].kind, TopicKind::Repartition);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKind {
    /// Between two sub-topologies.
    Repartition,
    /// Behind a store.
    Changelog,
}

/// A topic that belongs to the application, as it must be made.
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, PartitionCounts, StreamsBuilder, TopicKind};
/// use std::time::Duration;
/// # use candlewick::TimeWindows;
/// let builder = StreamsBuilder::new();
/// builder
///     .stream("trades", Consumed::<String, i64>::default())
///     .group_by_key(Grouped::default())
///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
///     .count(Materialized::named("per-minute"));
/// let counts = PartitionCounts::from([("trades".into(), 6)]);
/// let topics = builder.build().expect("valid").internal_topics("app", &counts).expect("they fit together");
/// assert_eq!((topics[0].kind, topics[0].partitions), (TopicKind::Changelog, 6));
/// assert_eq!(topics[0].config["cleanup.policy"], "compact,delete");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InternalTopic {
    /// Its name, which begins with the application's id.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: TopicKind,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its configuration by Kafka's keys.
    pub config: BTreeMap<String, String>,
}

/// Disjoint sets of nodes, each named by its least member.
struct UnionFind(Vec<u32>);

impl UnionFind {
    fn root(&mut self, mut node: u32) -> u32 {
        while self.0[node as usize] != node {
            let above = self.0[self.0[node as usize] as usize];
            self.0[node as usize] = above;
            node = above;
        }
        node
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.0[high as usize] = low;
    }
}

/// Splits the graph; ids follow the order in which the sub-topologies' first nodes were declared, as in the JVM.
pub(crate) fn split(graph: &mut Graph) -> Vec<SubTopology> {
    let count = u32::try_from(graph.nodes.len()).expect("fewer than 2^32 nodes");
    let mut sets = UnionFind((0..count).collect());
    let mut owner: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for (index, node) in (0u32..).zip(&graph.nodes) {
        for parent in &node.parents {
            sets.unite(parent.0, index);
        }
        for store in &node.stores {
            let first = *owner.entry(Arc::clone(store)).or_insert(index);
            sets.unite(first, index);
        }
    }
    let mut members: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
    for index in 0..count {
        members.entry(sets.root(index)).or_default().push(NodeId(index));
    }
    let mut stores: Vec<Option<StoreDecl>> = graph.stores.drain(..).map(Some).collect();
    (0u32..).zip(members.into_values()).map(|(id, nodes)| gather(graph, &mut stores, id, nodes)).collect()
}

impl SubTopology {
    /// All of them as one: what the test driver runs as a single task, as the JVM's does.
    pub(crate) fn whole(parts: &[Self]) -> Self {
        let mut nodes: Vec<NodeId> = parts.iter().flat_map(|part| part.nodes.iter().copied()).collect();
        nodes.sort_unstable();
        let mut outputs: Vec<TopicRef> = Vec::new();
        for topic in parts.iter().flat_map(|part| &part.outputs) {
            if !outputs.contains(topic) {
                outputs.push(topic.clone());
            }
        }
        let stores = parts.iter().flat_map(|part| part.stores.iter().cloned()).collect();
        let sources = parts.iter().flat_map(|part| part.sources.iter().cloned()).collect();
        Self { id: 0, nodes, stores, sources, outputs }
    }
}

fn gather(graph: &Graph, stores: &mut [Option<StoreDecl>], id: u32, nodes: Vec<NodeId>) -> SubTopology {
    let mut sub = SubTopology { id, nodes, stores: Vec::new(), sources: Vec::new(), outputs: Vec::new() };
    for &node in &sub.nodes {
        let decl = &graph.nodes[node.index()];
        match &decl.role {
            NodeRole::Source { topics, .. } => sub.sources.extend(topics.iter().cloned()),
            NodeRole::Sink { topic: Some(topic), .. } if !sub.outputs.contains(topic) => {
                sub.outputs.push(topic.clone());
            }
            NodeRole::Sink { .. } | NodeRole::Processor { .. } => {}
        }
        for name in &decl.stores {
            let found =
                stores.iter_mut().find(|store| store.as_ref().is_some_and(|store| store.name == *name));
            sub.stores.extend(found.and_then(Option::take));
        }
    }
    sub
}
