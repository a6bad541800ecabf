//! The graph of a topology as plain data, for pages that draw it. Must not know who runs it.

use super::status::{NodeView, TopologyView};
use crate::plan::{NodeRole, Topology};

/// The graph of a topology: its nodes, and the topics they read and write.
pub(crate) fn view(topology: &Topology) -> TopologyView {
    let mut nodes = Vec::new();
    for sub in topology.sub_topologies() {
        for &id in &sub.nodes {
            let node = topology.node(id);
            let kind = match &node.role {
                NodeRole::Source { .. } => "source",
                NodeRole::Processor { .. } => "processor",
                NodeRole::Sink { .. } => "sink",
            };
            let stores = node.stores.iter().map(|store| store.to_string()).collect();
            nodes.push(NodeView { name: node.name.to_string(), kind, sub_topology: Some(sub.id), stores });
        }
    }
    let mut edges = Vec::new();
    topology.edges(|from, to| edges.push((from.to_owned(), to.to_owned())));
    let topics: std::collections::BTreeSet<&str> = edges
        .iter()
        .flat_map(|(from, to)| [from.as_str(), to.as_str()])
        .filter(|name| !nodes.iter().any(|node: &NodeView| node.name == *name))
        .collect();
    let topics: Vec<NodeView> = topics
        .into_iter()
        .map(|name| NodeView { name: name.into(), kind: "topic", sub_topology: None, stores: Vec::new() })
        .collect();
    nodes.extend(topics);
    TopologyView { nodes, edges }
}
