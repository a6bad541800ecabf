//! The graph while it is being declared: nodes, stores, topics. What they are called, `naming` knows.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use super::config::AutoOffsetReset;
use super::naming::Names;
use super::pattern::TopicPattern;
use super::wiring::Wiring;
use crate::error::TopologyError;
use crate::processor::{ErrorPolicy, Node, ProcessorWrapper, SourceNode};
use crate::state::StoreDecl;

/// A declared node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A record type, for the check of edges and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeInfo {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl TypeInfo {
    pub(crate) fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }
}

/// A topic: the user's own, or one that belongs to the application and gets its id as prefix; for a source also several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TopicRef {
    External(Arc<str>),
    Internal(Arc<str>),
    /// Those of the user's own topics that match.
    Pattern(TopicPattern),
}

impl TopicRef {
    /// The topic's name; of a pattern its text.
    pub(crate) fn resolve(&self, application: &str) -> Arc<str> {
        match self {
            Self::External(name) => Arc::clone(name),
            Self::Internal(name) => format!("{application}-{name}").into(),
            Self::Pattern(pattern) => Arc::clone(&pattern.text),
        }
    }

    /// The names of all topics that are meant; `subscribed` are those that patterns may match.
    pub(crate) fn resolve_all(&self, application: &str, subscribed: &[Arc<str>]) -> Vec<Arc<str>> {
        match self {
            Self::Pattern(pattern) => {
                subscribed.iter().filter(|topic| pattern.matches(topic)).cloned().collect()
            }
            Self::External(_) | Self::Internal(_) => vec![self.resolve(application)],
        }
    }

    /// Whether the topic of this name is meant.
    pub(crate) fn means(&self, application: &str, topic: &str) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(topic),
            Self::External(_) | Self::Internal(_) => *self.resolve(application) == *topic,
        }
    }

    /// The name as `describe` shows it, before an application id is known.
    pub(crate) fn declared(&self) -> &Arc<str> {
        match self {
            Self::External(name) | Self::Internal(name) => name,
            Self::Pattern(pattern) => &pattern.text,
        }
    }
}

pub(crate) type MakeNode = Box<dyn Fn(&Wiring<'_>) -> Box<dyn Node> + Send + Sync>;
pub(crate) type MakeSource = Box<dyn Fn(&Wiring<'_>) -> Box<dyn SourceNode> + Send + Sync>;

/// What a node is to the graph.
pub(crate) enum NodeRole {
    Source {
        topics: Vec<TopicRef>,
        reset: Option<AutoOffsetReset>,
        make: MakeSource,
    },
    Processor {
        make: MakeNode,
    },
    /// Without a topic, records tell it.
    Sink {
        topic: Option<TopicRef>,
        make: MakeNode,
    },
}

/// What an operation on a stream changes, as far as it matters to where the stream is repartitioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or it is no operation on a stream.
    #[default]
    Other,
    /// The key, and it may be the value.
    Key,
    /// The value alone.
    Value,
    /// Nothing: it is several streams as one.
    Merge,
}

/// A node as declared.
pub(crate) struct NodeDecl {
    pub(crate) name: Arc<str>,
    pub(crate) parents: Vec<NodeId>,
    pub(crate) input: Option<TypeInfo>,
    pub(crate) output: TypeInfo,
    pub(crate) role: NodeRole,
    pub(crate) stores: Vec<Arc<str>>,
    pub(crate) effect: Effect,
    /// What its user wants about its errors.
    pub(crate) policy: Option<ErrorPolicy>,
    /// A table node whose child asked for the old value beside the new one.
    pub(crate) send_old: bool,
    /// A table node that computes old values from its parent's instead of from a store of its own.
    pub(crate) old_from_parent: bool,
    /// A windowed aggregation whose child waits for windows to close.
    pub(crate) flush_on_close: bool,
    /// A suppression that lets nothing go before its window closes, and has no bounds that could be exceeded.
    pub(crate) waits_for_close: bool,
    /// A windowed aggregation whose children all wait for windows to close, or such a child: nobody sees a result that is
    /// not final.
    pub(crate) final_only: bool,
    /// A windowed aggregation that can keep its results to itself until their windows close.
    pub(crate) can_wait: bool,
    /// The grace of a windowed aggregation, in milliseconds.
    pub(crate) grace_ms: Option<i64>,
    /// How long a record may take in a node whose calls are bounded in time, with all its attempts.
    pub(crate) longest_call: Option<Duration>,
}

impl NodeDecl {
    /// A node of which nothing more is known.
    pub(crate) fn new(
        name: Arc<str>,
        parents: Vec<NodeId>,
        (input, output): (Option<TypeInfo>, TypeInfo),
        role: NodeRole,
        stores: Vec<Arc<str>>,
    ) -> Self {
        Self {
            name,
            parents,
            input,
            output,
            role,
            stores,
            effect: Effect::Other,
            policy: None,
            send_old: false,
            old_from_parent: false,
            flush_on_close: false,
            waits_for_close: false,
            final_only: false,
            can_wait: false,
            grace_ms: None,
            longest_call: None,
        }
    }
}

/// A repartition topic as declared.
pub(crate) struct RepartitionDecl {
    pub(crate) topic: Arc<str>,
    pub(crate) partitions: Option<i32>,
    /// Where it was put in because an operation needed it; what the user asked for stays where it is.
    pub(crate) route: Option<Route>,
}

/// The three nodes by which a stream goes through a repartition topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) filter: NodeId,
    pub(crate) sink: NodeId,
    pub(crate) source: NodeId,
    pub(crate) drops_null_keys: bool,
    /// A join needed it.
    pub(crate) of_join: bool,
}

impl Route {
    pub(crate) fn nodes(self) -> [NodeId; 3] {
        [self.filter, self.sink, self.source]
    }
}

/// A global table or store as declared: read whole by every instance, part of no sub-topology.
pub(crate) struct GlobalDecl {
    /// The names of its nodes, for the description.
    pub(crate) source: Arc<str>,
    pub(crate) processor: Arc<str>,
    pub(crate) topic: TopicRef,
    pub(crate) store: StoreDecl,
    /// How many nodes were declared before it.
    pub(crate) before: usize,
    /// What stands in front of the store; without it the topic's records are the store's rows.
    pub(crate) fill: Option<GlobalFill>,
}

/// What fills a global store: a source, and the processor that writes what it reads.
pub(crate) struct GlobalFill {
    pub(crate) source: MakeSource,
    pub(crate) processor: NodeDecl,
}

/// All declarations so far.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<NodeDecl>,
    pub(crate) stores: Vec<StoreDecl>,
    pub(crate) repartitions: Vec<RepartitionDecl>,
    pub(crate) globals: Vec<GlobalDecl>,
    /// What stands around every node.
    pub(crate) wrapper: Option<Arc<dyn ProcessorWrapper>>,
    /// Stores that are restored from a source topic which others do not write, with the node that fills each.
    pub(crate) read_only: Vec<(NodeId, Arc<str>)>,
    /// Sources that must have the same number of partitions, with the node that wants it.
    pub(crate) co_partitioned: Vec<(NodeId, Vec<NodeId>)>,
    pub(crate) errors: Vec<TopologyError>,
    pub(crate) names: Names,
}

impl Graph {
    pub(crate) fn add(&mut self, node: NodeDecl) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("a topology has fewer than 2^32 nodes"));
        self.nodes.push(node);
        id
    }

    pub(crate) fn add_store(&mut self, store: StoreDecl) {
        self.stores.push(store);
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut NodeDecl {
        &mut self.nodes[node.index()]
    }

    /// Makes a table node send the old value beside the new one, and with it those above that it takes it from.
    pub(crate) fn enable_old_values(&mut self, node: NodeId) {
        let decl = self.node_mut(node);
        decl.send_old = true;
        if decl.old_from_parent {
            for parent in decl.parents.clone() {
                self.enable_old_values(parent);
            }
        }
    }

    /// The greatest grace among the nearest windowed aggregations above `node`, which are told to flush when a window
    /// closes. `None` where there is no windowed aggregation above.
    pub(crate) fn wait_for_windows(&mut self, node: NodeId) -> Option<i64> {
        let decl = self.node_mut(node);
        if let Some(grace) = decl.grace_ms {
            decl.flush_on_close = true;
            return Some(grace);
        }
        let parents = decl.parents.clone();
        parents.into_iter().filter_map(|parent| self.wait_for_windows(parent)).max()
    }

    /// Finds the windowed aggregations of which only final results are seen, and tells them and their children.
    pub(crate) fn mark_final_only(&mut self) {
        for index in 0..self.nodes.len() {
            if !(self.nodes[index].flush_on_close && self.nodes[index].can_wait) {
                continue;
            }
            let is_child = |node: &NodeDecl| node.parents.iter().any(|parent| parent.index() == index);
            // A join reads from the buffer what is held back: then it must be there.
            let is_read = |child: &NodeDecl| {
                let reads = |node: &&NodeDecl| node.stores.iter().any(|store| child.stores.contains(store));
                self.nodes.iter().filter(reads).count() > 1
            };
            let waits = |child: &NodeDecl| child.waits_for_close && !is_read(child);
            if self.nodes.iter().filter(|node| is_child(node)).all(waits) {
                self.nodes[index].final_only = true;
                self.nodes.iter_mut().filter(|node| is_child(node)).for_each(|child| child.final_only = true);
            }
        }
    }

    /// Has everything that reads a read-only store partitioned as the topic that fills it.
    pub(crate) fn co_partition_readers(&mut self) {
        for (filler, store) in std::mem::take(&mut self.read_only) {
            let filled_from = self.sources_of(filler);
            let readers = (0u32..).zip(&self.nodes).filter(|(_, node)| node.stores.contains(&store));
            let readers: Vec<NodeId> = readers.map(|(index, _)| NodeId(index)).collect();
            for reader in readers.into_iter().filter(|reader| *reader != filler) {
                let mut sources = filled_from.clone();
                sources.extend(
                    self.sources_of(reader).into_iter().filter(|source| !filled_from.contains(source)),
                );
                self.co_partitioned.push((reader, sources));
            }
        }
    }

    /// The source of an internal topic that a sink below `node` writes already.
    pub(crate) fn source_behind(&self, node: NodeId, internal: &TopicRef) -> Option<NodeId> {
        let writes = |decl: &NodeDecl| {
            let is_sink =
                matches!(&decl.role, NodeRole::Sink { topic: Some(topic), .. } if topic == internal);
            is_sink && decl.parents == [node]
        };
        let reads = |decl: &NodeDecl| matches!(&decl.role, NodeRole::Source { topics, .. } if topics.contains(internal));
        self.nodes.iter().any(writes).then_some(())?;
        (0u32..).zip(&self.nodes).find(|(_, decl)| reads(decl)).map(|(index, _)| NodeId(index))
    }

    /// The sources above a node, through all edges: what a join has to bring to the same partitions.
    pub(crate) fn sources_of(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut open = vec![node];
        while let Some(id) = open.pop() {
            let decl = &self.nodes[id.index()];
            if matches!(decl.role, NodeRole::Source { .. }) && !found.contains(&id) {
                found.push(id);
            }
            open.extend(&decl.parents);
        }
        found.sort_unstable();
        found
    }
}
