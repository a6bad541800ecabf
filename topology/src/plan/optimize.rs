//! Merging of repartition topics (KIP-295): what several operations below one change of key would each write to a topic
//! of their own is written once, right below that change. A rewriting of the declared graph, before it is sealed.

use std::sync::Arc;

use super::graph::{Effect, Graph, NodeDecl, NodeId, Route};
use super::naming::REPARTITION_PARTS;

/// Repartitions that become one.
struct Merged {
    /// The node below which the records are repartitioned.
    anchor: NodeId,
    /// Places among the graph's repartitions, in the order of their declaration.
    repartitions: Vec<usize>,
}

/// Merges the repartitions of each re-keyed stream, as Kafka Streams does with `merge.repartition.topics`. One that is
/// alone moves up to the change of the key too.
pub(super) fn merge_repartitions(graph: &mut Graph) {
    let mut removed = vec![false; graph.repartitions.len()];
    let mut moved: Vec<(NodeId, Route)> = Vec::new();
    for merged in find(graph) {
        let route = rewire(graph, &merged);
        for &other in &merged.repartitions[1..] {
            removed[other] = true;
        }
        moved.push((merged.anchor, route));
    }
    let gone = |(index, removed): (usize, &bool)| {
        removed.then(|| graph.repartitions[index].route).flatten().map(|route| route.nodes())
    };
    let gone: Vec<NodeId> = removed.iter().enumerate().filter_map(gone).flatten().collect();
    let mut removed = removed.into_iter();
    graph.repartitions.retain(|_| !removed.next().unwrap_or(false));
    reorder(graph, &moved, &gone);
}

/// What can be merged: by the node below which it would be.
fn find(graph: &Graph) -> Vec<Merged> {
    let mut found: Vec<Merged> = Vec::new();
    for (index, decl) in graph.repartitions.iter().enumerate() {
        let Some(anchor) = decl.route.and_then(|route| anchor(graph, route)) else { continue };
        match found.iter_mut().find(|merged| merged.anchor == anchor) {
            Some(merged) => merged.repartitions.push(index),
            None => found.push(Merged { anchor, repartitions: vec![index] }),
        }
    }
    found
}

/// The node that a repartition can follow directly: what changed the key, or joined streams with changed keys into one,
/// with nothing between that changes values, since those are what is written.
fn anchor(graph: &Graph, route: Route) -> Option<NodeId> {
    let written = graph.nodes[route.filter.index()].input;
    let mut node = parent(graph, route.filter)?;
    loop {
        let decl = &graph.nodes[node.index()];
        let is_anchor = match decl.effect {
            Effect::Key => true,
            Effect::Merge => comes_from_changed_key(graph, route.filter),
            Effect::Value => return None,
            Effect::Other => false,
        };
        if is_anchor {
            return (Some(decl.output) == written).then_some(node);
        }
        node = parent(graph, node)?;
    }
}

/// The one parent of a node.
fn parent(graph: &Graph, node: NodeId) -> Option<NodeId> {
    match graph.nodes[node.index()].parents[..] {
        [parent] => Some(parent),
        _ => None,
    }
}

/// Whether the nearest change above is one of the key: looked for as Kafka Streams does, where of several ways up the last
/// one counts.
fn comes_from_changed_key(graph: &Graph, node: NodeId) -> bool {
    let any = nearest(graph, node, |effect| matches!(effect, Effect::Key | Effect::Value));
    any.is_some() && any == nearest(graph, node, |effect| effect == Effect::Key)
}

fn nearest(graph: &Graph, node: NodeId, wanted: impl Fn(Effect) -> bool + Copy) -> Option<NodeId> {
    let mut found = None;
    for &parent in &graph.nodes[node.index()].parents {
        if wanted(graph.nodes[parent.index()].effect) {
            return Some(parent);
        }
        found = nearest(graph, parent, wanted);
    }
    found
}

/// Lets the first of the repartitions do the work of all, below the anchor: what stood between runs behind it.
fn rewire(graph: &mut Graph, merged: &Merged) -> Route {
    let routes: Vec<Route> =
        merged.repartitions.iter().filter_map(|&index| graph.repartitions[index].route).collect();
    let first = routes[0];
    let below: Vec<Vec<usize>> = routes.iter().map(|route| children(graph, route.source)).collect();
    for route in &routes {
        let top = top_below(graph, route.filter, merged.anchor);
        replace(&mut graph.nodes[top.index()].parents, merged.anchor, first.source);
    }
    for (route, children) in routes.iter().zip(below) {
        let above = graph.nodes[route.filter.index()].parents[0];
        for child in children {
            replace(&mut graph.nodes[child].parents, route.source, above);
        }
    }
    // A null key is left out only where nobody below has a use for it.
    if let Some(keeping) = routes.iter().find(|route| !route.drops_null_keys && **route != first) {
        let (keeping, first) = (keeping.filter.index(), first.filter.index());
        let (low, high) = graph.nodes.split_at_mut(keeping.max(first));
        std::mem::swap(&mut low[keeping.min(first)].role, &mut high[0].role);
    }
    graph.nodes[first.filter.index()].parents = vec![merged.anchor];
    let topic = Arc::clone(&graph.repartitions[merged.repartitions[0]].topic);
    for (node, part) in first.nodes().into_iter().zip(REPARTITION_PARTS) {
        graph.nodes[node.index()].name = format!("{topic}-{part}").into();
    }
    for (_, sources) in &mut graph.co_partitioned {
        routes.iter().for_each(|route| replace(sources, route.source, first.source));
        sources.dedup();
    }
    first
}

/// The node directly below `anchor` on the way up from `node`.
fn top_below(graph: &Graph, mut node: NodeId, anchor: NodeId) -> NodeId {
    while graph.nodes[node.index()].parents[0] != anchor {
        node = graph.nodes[node.index()].parents[0];
    }
    node
}

fn children(graph: &Graph, node: NodeId) -> Vec<usize> {
    let below = |decl: &NodeDecl| decl.parents.contains(&node);
    (0..graph.nodes.len()).filter(|&index| below(&graph.nodes[index])).collect()
}

fn replace(list: &mut [NodeId], old: NodeId, new: NodeId) {
    list.iter_mut().filter(|node| **node == old).for_each(|node| *node = new);
}

/// Puts each moved repartition right behind its anchor, so that parents still stand before their children, and takes out
/// the nodes that are gone.
fn reorder(graph: &mut Graph, moved: &[(NodeId, Route)], gone: &[NodeId]) {
    let of_moved: Vec<NodeId> = moved.iter().flat_map(|(_, route)| route.nodes()).collect();
    let mut order: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for index in (0u32..).take(graph.nodes.len()).map(NodeId) {
        if of_moved.contains(&index) || gone.contains(&index) {
            continue;
        }
        order.push(index);
        order
            .extend(moved.iter().filter(|(anchor, _)| *anchor == index).flat_map(|(_, route)| route.nodes()));
    }
    let mut places = vec![None; graph.nodes.len()];
    for (new, old) in (0u32..).zip(&order) {
        places[old.index()] = Some(NodeId(new));
    }
    let new = |old: NodeId| places[old.index()].expect("what is gone has no children, see `rewire`");
    // Global tables stand before the first remaining node that was declared after them.
    let later = |before: usize| places[before..].iter().flatten().next().map_or(order.len(), |id| id.index());
    graph.globals.iter_mut().for_each(|global| global.before = later(global.before));
    let mut nodes: Vec<Option<NodeDecl>> = graph.nodes.drain(..).map(Some).collect();
    graph.nodes = order.iter().filter_map(|old| nodes[old.index()].take()).collect();
    graph.nodes.iter_mut().flat_map(|decl| &mut decl.parents).for_each(|parent| *parent = new(*parent));
    for (node, sources) in &mut graph.co_partitioned {
        *node = new(*node);
        sources.iter_mut().for_each(|source| *source = new(*source));
    }
    for route in graph.repartitions.iter_mut().filter_map(|decl| decl.route.as_mut()) {
        *route =
            Route { filter: new(route.filter), sink: new(route.sink), source: new(route.source), ..*route };
    }
}
