//! From declaration to running: makes the nodes of one task, each wired to its stores and topics by index.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::{GlobalDecl, GlobalFill, MakeNode, NodeDecl, NodeId, NodeRole, TopicRef};
use super::sub_topology::SubTopology;
use super::topology::Topology;
use crate::processor::{Cell, ErrorPolicy, NodeArena, SourceNode, Wrapped};
use crate::record::TaskId;
use crate::state::{GlobalHandle, KeyValueStore, StoreHandle};

/// What a maker may ask while it makes a node of one task.
pub(crate) struct Wiring<'a> {
    pub(crate) application: &'a str,
    pub(crate) node: &'a NodeDecl,
    sub_topology: &'a SubTopology,
    globals: &'a [GlobalDecl],
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
    /// The stores of all nodes below it, by their places.
    pub(crate) stores: Vec<usize>,
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

    /// The handle of a global table or store; nothing where there is none of this name and these types.
    pub(crate) fn global<K: 'static, V: 'static>(&self, name: &str) -> Option<GlobalHandle<K, V>> {
        let index = self.globals.iter().position(|global| &*global.store.name == name)?;
        let GlobalDecl { store, topic, .. } = &self.globals[index];
        let codec = store.types.codec::<KeyValueStore<K, V>>(topic.declared())?;
        Some(GlobalHandle::new(index, codec))
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
            let wiring = Wiring { application, node, sub_topology, globals: self.globals(), caching };
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
                    stores: self.stores_below(id, sub_topology),
                    processed: 0,
                    policy: node.policy,
                }),
                NodeRole::Processor { make } | NodeRole::Sink { make, .. } => {
                    cells.push(self.cell(&wiring, make, children));
                }
            }
        }
        Instance { sources, arena: NodeArena { cells } }
    }

    fn stores_below(&self, id: NodeId, sub_topology: &SubTopology) -> Vec<usize> {
        let (mut below, mut names) = (vec![id], BTreeSet::new());
        let mut next = 0;
        while let Some(&id) = below.get(next) {
            names.extend(&self.node(id).stores);
            let children = self.children(id).iter().filter(|child| sub_topology.nodes.contains(child));
            let fresh: Vec<_> = children.filter(|child| !below.contains(child)).copied().collect();
            below.extend(fresh);
            next += 1;
        }
        let places = sub_topology.stores.iter().enumerate();
        places.filter(|(_, store)| names.contains(&store.name)).map(|(place, _)| place).collect()
    }

    /// A node in its place, with the wrapper that the user wants around it.
    fn cell(&self, wiring: &Wiring<'_>, make: &MakeNode, children: Box<[u32]>) -> Cell {
        let name = Arc::clone(&wiring.node.name);
        let node = match self.wrapper() {
            Some(wrapper) => {
                let (name, wrapper) = (Arc::clone(&name), Arc::clone(wrapper));
                Box::new(Wrapped { name, node: make(wiring), wrapper })
            }
            None => make(wiring),
        };
        Cell { name, node, children, processed: 0, policy: wiring.node.policy }
    }

    /// Makes what fills the global stores, with their places among the globals: sources and processors, of which each
    /// source has its own.
    pub(crate) fn instantiate_globals(&self, application: &str) -> (Vec<(usize, SourceCell)>, NodeArena) {
        let (mut sources, mut cells) = (Vec::new(), Vec::new());
        let stores = self.globals().iter().map(|global| global.store.clone()).collect();
        let id = TaskId::GLOBAL.sub_topology;
        let (nodes, outputs) = (Vec::new(), Vec::new());
        let whole = SubTopology { id, nodes, stores, sources: Vec::new(), outputs };
        for (place, global) in self.globals().iter().enumerate() {
            let Some(GlobalFill { source, processor }) = &global.fill else { continue };
            let NodeRole::Processor { make } = &processor.role else { continue };
            let wiring = Wiring {
                application,
                node: processor,
                sub_topology: &whole,
                globals: self.globals(),
                caching: false,
            };
            let child = u32::try_from(cells.len()).expect("fewer than 2^32 nodes");
            let source = SourceCell {
                name: Arc::clone(&global.source),
                node: source(&wiring),
                children: [child].into(),
                policy: processor.policy,
                topics: vec![Arc::clone(global.topic.declared())],
                stores: Vec::new(),
                processed: 0,
            };
            sources.push((place, source));
            cells.push(self.cell(&wiring, make, [].into()));
        }
        (sources, NodeArena { cells })
    }
}
