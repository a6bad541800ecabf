//! The orders in which Kafka Streams prints what it keeps in Java's hash maps and tree sets: they are part of the text that
//! `describe` gives. Knows names and edges; nothing of what nodes are.

use std::cmp::Ordering;

use super::graph::NodeId;
use super::java_tree::JavaTreeSet;
use super::topology::Topology;

/// Where Java's hash map of `len` strings keeps a name among its buckets, which it is gone through by.
pub(super) fn java_bucket(name: &str, len: usize) -> usize {
    let buckets = len.saturating_mul(4).div_ceil(3).next_power_of_two().max(16);
    let hash = name.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    (hash ^ (hash >> 16)) as usize & (buckets - 1)
}

/// The nodes of one sub-topology with their neighbours, as Kafka Streams links them: node by node in the order of a hash
/// map, each neighbour put where it belongs by how much hung below it at that moment.
pub(super) struct Linked<'t> {
    topology: &'t Topology,
    nodes: Vec<LinkedNode>,
}

struct LinkedNode {
    id: NodeId,
    /// How many ways lead down from here, itself included.
    size: u64,
    above: JavaTreeSet<NodeId>,
    below: JavaTreeSet<NodeId>,
}

impl<'t> Linked<'t> {
    pub(super) fn new(topology: &'t Topology, ids: &[NodeId]) -> Self {
        let node = |&id: &NodeId| LinkedNode {
            id,
            size: 1,
            above: JavaTreeSet::default(),
            below: JavaTreeSet::default(),
        };
        let mut linked = Self { topology, nodes: ids.iter().map(node).collect() };
        let mut order = ids.to_vec();
        order.sort_by_key(|id| (java_bucket(&topology.node(*id).name, ids.len()), *id));
        for id in order {
            for &parent in &topology.node(id).parents {
                let mut above = std::mem::take(&mut linked.of_mut(id).above);
                above.insert(parent, |a, b| linked.compare(a, b));
                linked.of_mut(id).above = above;
                let mut below = std::mem::take(&mut linked.of_mut(parent).below);
                below.insert(id, |a, b| linked.compare(a, b));
                linked.of_mut(parent).below = below;
                let size = linked.of(id).size;
                linked.grow(parent, size);
            }
        }
        linked
    }

    /// All nodes: what has most below it first.
    pub(super) fn in_order(&self) -> Vec<NodeId> {
        let mut ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        ids.sort_by(|a, b| self.compare(*a, *b));
        ids
    }

    pub(super) fn above(&self, id: NodeId) -> Vec<NodeId> {
        self.of(id).above.items()
    }

    pub(super) fn below(&self, id: NodeId) -> Vec<NodeId> {
        self.of(id).below.items()
    }

    fn of(&self, id: NodeId) -> &LinkedNode {
        let found = self.nodes.iter().find(|node| node.id == id);
        found.expect("edges stay within a sub-topology")
    }

    fn of_mut(&mut self, id: NodeId) -> &mut LinkedNode {
        let found = self.nodes.iter_mut().find(|node| node.id == id);
        found.expect("edges stay within a sub-topology")
    }

    fn compare(&self, a: NodeId, b: NodeId) -> Ordering {
        let by_size = self.of(b).size.cmp(&self.of(a).size);
        by_size.then_with(|| self.topology.node(a).name.cmp(&self.topology.node(b).name))
    }

    fn grow(&mut self, id: NodeId, by: u64) {
        let node = self.of_mut(id);
        node.size = node.size.saturating_add(by);
        for above in node.above.items() {
            self.grow(above, by);
        }
    }
}
