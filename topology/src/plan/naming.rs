//! The names of a graph while it is being declared: the one counter behind generated names, which counts as Kafka Streams
//! does, and what is called after a node that its user names.

use std::sync::Arc;

use super::graph::{Graph, NodeId, NodeRole, TopicRef};
use crate::error::TopologyError;

/// The counter, and who is called after whom.
#[derive(Default)]
pub(crate) struct Names {
    counter: u32,
    /// The last number, where the node that has it takes none once it is named.
    spare: Option<u32>,
    followers: Vec<(NodeId, Follower)>,
}

/// What is called after a node, once its user names that.
pub(crate) enum Follower {
    /// A node, it may be the same: the name and this behind it.
    Node(NodeId, String),
    /// The repartition topic that this source reads, and its three nodes.
    Topic(NodeId),
}

impl Graph {
    /// The next generated name, as Kafka Streams counts them.
    pub(crate) fn next_name(&mut self, prefix: &str) -> Arc<str> {
        let number = self.names.counter;
        self.names.counter += 1;
        self.names.spare = None;
        format!("{prefix}{number:010}").into()
    }

    /// The next generated name of a node that uses up no number where its user names it. Almost all do.
    pub(crate) fn next_name_unless_named(&mut self, prefix: &str) -> Arc<str> {
        let name = self.next_name(prefix);
        self.names.spare = Some(self.names.counter - 1);
        name
    }

    /// Has something called after a node, should its user name it.
    pub(crate) fn call_after(&mut self, node: NodeId, follower: Follower) {
        self.names.followers.push((node, follower));
    }

    /// Gives a node the name that its user wants, and with it what is called after it.
    pub(crate) fn rename(&mut self, node: NodeId, name: &Arc<str>) {
        let old = std::mem::replace(&mut self.node_mut(node).name, Arc::clone(name));
        if let Some(number) = self.names.spare.filter(|number| old.ends_with(&format!("{number:010}"))) {
            self.names.counter = number;
            self.names.spare = None;
        }
        let followers = std::mem::take(&mut self.names.followers);
        for (_, follower) in followers.iter().filter(|(after, _)| *after == node) {
            match follower {
                Follower::Node(other, suffix) => {
                    self.node_mut(*other).name = format!("{name}{suffix}").into()
                }
                Follower::Topic(source) => self.rename_repartition(*source, name),
            }
        }
        self.names.followers = followers;
    }

    fn rename_repartition(&mut self, source: NodeId, name: &str) {
        let reads = |route: super::Route| route.source == source;
        let Some(decl) = self.repartitions.iter_mut().find(|decl| decl.route.is_some_and(reads)) else {
            return;
        };
        let topic = repartition_topic(name);
        let old = std::mem::replace(&mut decl.topic, Arc::clone(&topic));
        let Some(route) = decl.route else { return };
        self.errors.retain(
            |error| !matches!(error, TopologyError::Unnamed { generated, .. } if **generated == *old),
        );
        for (node, part) in route.nodes().into_iter().zip(REPARTITION_PARTS) {
            let decl = self.node_mut(node);
            decl.name = format!("{topic}-{part}").into();
            let topic = TopicRef::Internal(Arc::clone(&topic));
            match &mut decl.role {
                NodeRole::Source { topics, .. } => *topics = vec![topic],
                NodeRole::Sink { topic: to, .. } => *to = Some(topic),
                NodeRole::Processor { .. } => {}
            }
        }
    }
}

/// What is behind the topic's name in those of the nodes by which a stream goes through it, in the order of `Route::nodes`.
pub(super) const REPARTITION_PARTS: [&str; 3] = ["filter", "sink", "source"];

/// The repartition topic that is called after something.
pub(crate) fn repartition_topic(base: &str) -> Arc<str> {
    const SUFFIX: &str = "-repartition";
    if base.ends_with(SUFFIX) { base.into() } else { format!("{base}{SUFFIX}").into() }
}

/// Whether Kafka Streams has the nodes around the repartition topic of this name keep their numbers: where it takes the name
/// for one that it made itself for an operator of streams.
pub(crate) fn is_generated(base: &str) -> bool {
    let number = base.strip_prefix("KSTREAM").and_then(|rest| rest.rsplit_once('-'));
    number.is_some_and(|(_, digits)| digits.len() == 10 && digits.bytes().all(|digit| digit.is_ascii_digit()))
}
