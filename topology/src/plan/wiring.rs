//! From declaration to running: makes the nodes of one task, each wired to its stores and topics by index.

use std::sync::Arc;

use super::graph::{NodeDecl, NodeRole, TopicRef};
use super::sub_topology::SubTopology;
use super::topology::Topology;
use crate::processor::{Cell, ErrorPolicy, NodeArena, SourceNode, Wrapped};
use crate::state::StoreHandle;

/// What a maker may ask while it makes a node of one task.
pub(crate) struct Wiring<'a> {
    pub(crate) application: &'a str,
    pub(crate) node: &'a NodeDecl,
    sub_topology: &'a SubTopology,
    /// Whether write-back caches forward late (the cache budget is not zero).
    caching: bool,
}

/// A source with its children in the arena.
pub(crate) struct SourceCell {
    pub(crate) name: Arc<str>,
    pub(crate) node: Box<dyn SourceNode>,
    pub(crate) children: Box<[u32]>,
    /// What its user wants about its errors, before the application's handler.
    pub(crate) policy: Option<ErrorPolicy>,
    /// The resolved topics it reads.
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) processed: u64,
}

/// The nodes of one task.
pub(crate) struct Instance {
    pub(crate) sources: Vec<SourceCell>,
    pub(crate) arena: NodeArena,
}

impl Wiring<'_> {
    /// The handle of a store of this sub-topology.
    pub(crate) fn store<S: 'static>(&self, name: &str) -> StoreHandle<S> {
        self.find_store(name).expect("build checks that every store a node names exists")
    }

    /// The handle, if the store was materialized.
    pub(crate) fn find_store<S: 'static>(&self, name: &str) -> Option<StoreHandle<S>> {
        let index = self.sub_topology.stores.iter().position(|store| &*store.name == name)?;
        Some(StoreHandle::new(u32::try_from(index).expect("fewer than 2^32 stores")))
    }

    /// Whether a node over this store holds its changes back until the cache is flushed.
    pub(crate) fn caches(&self, store: &str) -> bool {
        self.caching && self.sub_topology.stores.iter().any(|decl| &*decl.name == store && decl.cached)
    }

    /// The index of the topic this sink writes to among the task's output topics.
    pub(crate) fn output_topic(&self) -> u32 {
        let NodeRole::Sink { topic: Some(topic), .. } = &self.node.role else {
            unreachable!("only sinks with a topic ask for it");
        };
        let index = self.sub_topology.outputs.iter().position(|output| output == topic);
        let index = index.expect("build lists the topic of every sink of the sub-topology");
        u32::try_from(index).expect("fewer than 2^32 topics")
    }

    /// The resolved name of the changelog of a store, which its serdes are told.
    pub(crate) fn changelog(&self, store: &str) -> Arc<str> {
        changelog_topic(self.application, store)
    }
}

/// The changelog topic of a store, as Kafka Streams names it.
pub(crate) fn changelog_topic(application: &str, store: &str) -> Arc<str> {
    format!("{application}-{store}-changelog").into()
}

impl Topology {
    /// Makes the nodes of one task of `sub_topology`; `subscribed` are the topics that patterns may match. Indices into the arena grow along every edge, since a node is
    /// declared after its parents.
    pub(crate) fn instantiate(
        &self,
        sub_topology: &SubTopology,
        application: &str,
        subscribed: &[Arc<str>],
        caching: bool,
    ) -> Instance {
        let mut places = std::collections::BTreeMap::new();
        for &id in &sub_topology.nodes {
            if !matches!(self.node(id).role, NodeRole::Source { .. }) {
                places.insert(id, u32::try_from(places.len()).expect("fewer than 2^32 nodes"));
            }
        }
        let mut sources = Vec::new();
        let mut cells = Vec::new();
        for &id in &sub_topology.nodes {
            let node = self.node(id);
            let wiring = Wiring { application, node, sub_topology, caching };
            let children = self.children(id).iter().filter_map(|child| places.get(child).copied()).collect();
            match &node.role {
                NodeRole::Source { topics, make, .. } => sources.push(SourceCell {
                    name: Arc::clone(&node.name),
                    node: make(&wiring),
                    children,
                    topics: topics
                        .iter()
                        .flat_map(|topic: &TopicRef| topic.resolve_all(application, subscribed))
                        .collect(),
                    processed: 0,
                    policy: node.policy,
                }),
                NodeRole::Processor { make } | NodeRole::Sink { make, .. } => {
                    let name = Arc::clone(&node.name);
                    let made = match self.wrapper() {
                        Some(wrapper) => {
                            let (name, wrapper) = (Arc::clone(&name), Arc::clone(wrapper));
                            Box::new(Wrapped { name, node: make(&wiring), wrapper })
                        }
                        None => make(&wiring),
                    };
                    cells.push(Cell { name, node: made, children, processed: 0, policy: node.policy });
                }
            }
        }
        Instance { sources, arena: NodeArena { cells } }
    }
}
