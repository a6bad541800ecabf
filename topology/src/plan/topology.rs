//! The sealed topology: checked once, immutable, shared by all threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::BuildOptions;
use super::graph::{GlobalDecl, Graph, NodeDecl, NodeId, NodeRole, RepartitionDecl, TopicRef};
use super::optimize::merge_repartitions;
use super::sub_topology::{SubTopology, split};
use crate::error::{TopologyError, TopologyErrors};
use crate::processor::{ProcessorWrapper, Refusals};

/// A checked topology. Made by [`StreamsBuilder::build`](crate::StreamsBuilder::build); runs on any log, unchanged.
///
/// ```
/// use candlewick::{Consumed, Materialized, Produced, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// builder.global_table("venues", Consumed::<String, Option<String>>::default(), Materialized::named("venues"));
/// builder.stream("trades", Consumed::<String, i64>::default()).to("copies", Produced::default());
/// let topology = builder.build().expect("valid");
/// let [reads, writes] = [topology.source_topics(), topology.sink_topics()];
/// assert_eq!(reads.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["trades", "venues"]);
/// assert_eq!(writes.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["copies"]);
/// ```
pub struct Topology {
    nodes: Vec<NodeDecl>,
    children: Vec<Vec<NodeId>>,
    sub_topologies: Vec<SubTopology>,
    repartitions: Vec<RepartitionDecl>,
    globals: Vec<GlobalDecl>,
    wrapper: Option<Arc<dyn ProcessorWrapper>>,
    co_partitioned: Vec<(NodeId, Vec<NodeId>)>,
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Topology {
    /// Seals a graph, or reports everything that is wrong with it.
    pub(crate) fn seal(mut graph: Graph, options: BuildOptions) -> Result<Self, TopologyErrors> {
        let mut errors = std::mem::take(&mut graph.errors);
        if options.generated_names {
            errors.retain(|error| !matches!(error, TopologyError::Unnamed { .. }));
        }
        check(&graph, &mut errors);
        if !errors.is_empty() {
            return Err(TopologyErrors(errors));
        }
        graph.co_partition_readers();
        if options.merge_repartition_topics {
            merge_repartitions(&mut graph);
        }
        graph.mark_final_only();
        let sub_topologies = split(&mut graph);
        let mut children = vec![Vec::new(); graph.nodes.len()];
        for (index, node) in (0u32..).zip(&graph.nodes) {
            for parent in &node.parents {
                children[parent.index()].push(NodeId(index));
            }
        }
        let Graph { nodes, repartitions, globals, wrapper, co_partitioned, .. } = graph;
        Ok(Self { nodes, children, sub_topologies, repartitions, globals, wrapper, co_partitioned })
    }

    pub(crate) fn node(&self, id: NodeId) -> &NodeDecl {
        &self.nodes[id.index()]
    }

    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        &self.children[id.index()]
    }

    pub(crate) fn sub_topologies(&self) -> &[SubTopology] {
        &self.sub_topologies
    }

    pub(crate) fn repartitions(&self) -> &[RepartitionDecl] {
        &self.repartitions
    }

    pub(crate) fn wrapper(&self) -> Option<&Arc<dyn ProcessorWrapper>> {
        self.wrapper.as_ref()
    }

    pub(crate) fn globals(&self) -> &[GlobalDecl] {
        &self.globals
    }

    pub(crate) fn co_partitioned(&self) -> &[(NodeId, Vec<NodeId>)] {
        &self.co_partitioned
    }

    /// What the sink of a topic wants about records that the topic refuses.
    pub(crate) fn refusals(&self, sub: &SubTopology, topic: &TopicRef) -> Refusals {
        let is_sink =
            |node: &&NodeDecl| matches!(&node.role, NodeRole::Sink { topic: Some(to), .. } if to == topic);
        let nodes = sub.nodes.iter().map(|&id| self.node(id));
        let policy = nodes.filter(is_sink).find_map(|node| Some((Arc::clone(&node.name), node.policy?)));
        policy.map_or(Refusals::Handled, |(sink, policy)| Refusals::By(sink, policy))
    }

    /// The user's own topics that the topology reads by name, those of global tables too.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// builder.stream("trades", Consumed::<String, i64>::default()).to("copies", Produced::default());
    /// let topology = builder.build().expect("valid");
    /// assert_eq!(topology.source_topics(), ["trades".into()]);
    /// ```
    #[must_use]
    pub fn source_topics(&self) -> Vec<Arc<str>> {
        let mut topics = self.external(|role| match role {
            NodeRole::Source { topics, .. } => topics.clone(),
            NodeRole::Sink { .. } | NodeRole::Processor { .. } => Vec::new(),
        });
        topics.extend(self.globals.iter().map(|global| Arc::clone(global.topic.declared())));
        topics
    }

    /// Whether a source reads this topic by a pattern.
    pub(crate) fn has_pattern_for(&self, topic: &str) -> bool {
        self.patterns().any(|pattern| pattern.means("", topic))
    }

    /// The patterns by which sources read.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &TopicRef> {
        let sources = self.sub_topologies.iter().flat_map(|sub| &sub.sources);
        sources.filter(|topic| matches!(topic, TopicRef::Pattern(_)))
    }

    /// The user's own topics that the topology writes, but for those that records tell.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// builder.stream("trades", Consumed::<String, i64>::default()).to("copies", Produced::default());
    /// let topology = builder.build().expect("valid");
    /// assert_eq!(topology.sink_topics(), ["copies".into()]);
    /// ```
    #[must_use]
    pub fn sink_topics(&self) -> Vec<Arc<str>> {
        self.external(|role| match role {
            NodeRole::Sink { topic, .. } => topic.iter().cloned().collect(),
            NodeRole::Source { .. } | NodeRole::Processor { .. } => Vec::new(),
        })
    }

    fn external(&self, topics: impl Fn(&NodeRole) -> Vec<TopicRef>) -> Vec<Arc<str>> {
        let mut found: Vec<Arc<str>> = Vec::new();
        for topic in self.nodes.iter().flat_map(|node| topics(&node.role)) {
            if let TopicRef::External(name) = topic
                && !found.contains(&name)
            {
                found.push(name);
            }
        }
        found
    }
}

fn check(graph: &Graph, errors: &mut Vec<TopologyError>) {
    if !graph.nodes.iter().any(|node| matches!(node.role, NodeRole::Source { .. })) {
        errors.push(TopologyError::Empty);
    }
    check_names(graph, errors);
    check_edges(graph, errors);
    check_topics(graph, errors);
}

fn check_names(graph: &Graph, errors: &mut Vec<TopologyError>) {
    let mut seen = std::collections::BTreeSet::new();
    let globals = graph.globals.iter().flat_map(|global| [&global.source, &global.processor]);
    for name in graph.nodes.iter().map(|node| &node.name).chain(globals) {
        if !seen.insert(name) {
            errors.push(TopologyError::DuplicateNode { node: name.to_string() });
        }
    }
    let mut stores = std::collections::BTreeSet::new();
    for store in graph.stores.iter().chain(graph.globals.iter().map(|global| &global.store)) {
        if !stores.insert(&store.name) {
            errors.push(TopologyError::DuplicateStore { store: store.name.to_string() });
        }
    }
    for node in &graph.nodes {
        for store in &node.stores {
            let (node, name) = (node.name.to_string(), store.to_string());
            if graph.globals.iter().any(|global| global.store.name == *store) {
                errors.push(TopologyError::GlobalStoreNamed { node, store: name });
            } else if !stores.contains(store) {
                errors.push(TopologyError::UnknownStore { node, store: name });
            }
        }
    }
}

fn check_edges(graph: &Graph, errors: &mut Vec<TopologyError>) {
    for node in &graph.nodes {
        let Some(takes) = node.input else { continue };
        for parent in &node.parents {
            let parent = &graph.nodes[parent.index()];
            if parent.output.id != takes.id {
                errors.push(TopologyError::EdgeType {
                    node: node.name.to_string(),
                    parent: parent.name.to_string(),
                    takes: takes.name,
                    gives: parent.output.name,
                });
            }
        }
    }
}

fn check_topics(graph: &Graph, errors: &mut Vec<TopologyError>) {
    let mut readers: BTreeMap<&TopicRef, &str> = BTreeMap::new();
    for global in &graph.globals {
        let name: &str = global.topic.declared();
        if !is_topic_name(name) {
            let node = global.source.to_string();
            errors.push(TopologyError::InvalidName { node, name: name.to_owned() });
        }
        if let Some(first) = readers.insert(&global.topic, &global.source) {
            let (first, second) = (first.to_owned(), global.source.to_string());
            errors.push(TopologyError::TopicReadTwice { topic: name.to_owned(), first, second });
        }
    }
    for node in &graph.nodes {
        let topics: &[TopicRef] = match &node.role {
            NodeRole::Source { topics, .. } => topics,
            NodeRole::Sink { topic, .. } => topic.as_slice(),
            NodeRole::Processor { .. } => continue,
        };
        for topic in topics {
            if matches!(topic, TopicRef::Pattern(_)) {
                continue;
            }
            let name: &str = topic.declared();
            if !is_topic_name(name) {
                errors
                    .push(TopologyError::InvalidName { node: node.name.to_string(), name: name.to_string() });
            }
        }
        if !matches!(node.role, NodeRole::Source { .. }) {
            continue;
        }
        if topics.is_empty() {
            errors.push(TopologyError::NoTopic { node: node.name.to_string() });
        }
        for topic in topics {
            let same = readers.iter().find(|(read, _)| overlap(read, topic)).map(|(_, node)| *node);
            if let Some(first) = readers.insert(topic, &node.name).or(same) {
                errors.push(TopologyError::TopicReadTwice {
                    topic: topic.declared().to_string(),
                    first: first.to_string(),
                    second: node.name.to_string(),
                });
            }
        }
    }
}

/// Whether a topic may have this name.
fn is_topic_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name.chars().all(valid) && name != "." && name != ".."
}

/// Whether a pattern means a topic that is read by name.
fn overlap(one: &TopicRef, other: &TopicRef) -> bool {
    match (one, other) {
        (TopicRef::Pattern(pattern), TopicRef::External(name))
        | (TopicRef::External(name), TopicRef::Pattern(pattern)) => pattern.matches(name),
        _ => false,
    }
}
