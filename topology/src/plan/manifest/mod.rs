//! The manifest: what of a plan outlives the program that ran it, in plain data. A later version is compared with it
//! before it may take over. Owns its fields and how they come from a plan; must not know where it is kept.

mod compare;
mod kept;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use compare::Before;
pub(crate) use kept::Kept;
pub use report::{PlanAction, PlanChange, PlanReport};

use super::graph::NodeRole;
use super::sub_topology::{InternalTopic, SubTopology, TopicKind};
use super::topology::Topology;
use crate::serde::Format;
use crate::state::{StoreDecl, StoreKind};

/// A plan as it is written down. Fields that are not known are passed over, so that versions can stand side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// By the number of the sub-topology.
    pub(crate) sub_topologies: Vec<SubTopologyEntry>,
    pub(crate) stores: BTreeMap<String, StoreEntry>,
    /// The partitions of the repartition topics, by their names.
    #[serde(default)]
    pub(crate) repartitions: BTreeMap<String, i32>,
}

/// What a task is an instance of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubTopologyEntry {
    pub(crate) tasks: i32,
    /// The topics it reads, with their partitions.
    pub(crate) sources: BTreeMap<String, i32>,
    #[serde(default)]
    pub(crate) operators: BTreeMap<String, OperatorEntry>,
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperatorEntry {
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grace_ms: Option<i64>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreEntry {
    pub(crate) sub_topology: usize,
    pub(crate) partitions: i32,
    pub(crate) kind: String,
    /// Of windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_ms: Option<i64>,
    /// How long rows are kept, where they are not kept for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention_ms: Option<i64>,
    /// What it is restored from; nothing where that is lost with its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) changelog: Option<String>,
    pub(crate) persistent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Format>,
    #[serde(default)]
    pub(crate) values: Vec<Format>,
}

/// What a plan needs to be written down beside itself.
pub(crate) struct Planned<'a> {
    pub(crate) application: &'a str,
    /// The partitions of the topics that are read, by name.
    pub(crate) partitions: &'a BTreeMap<Arc<str>, i32>,
    /// The topics that patterns match.
    pub(crate) subscribed: &'a [Arc<str>],
    /// How many tasks each sub-topology has.
    pub(crate) tasks: &'a [i32],
    pub(crate) internal: &'a [InternalTopic],
}

impl Manifest {
    pub(crate) fn of(topology: &Topology, planned: &Planned<'_>) -> Self {
        let mut manifest = Self::default();
        for (sub, &tasks) in topology.sub_topologies().iter().zip(planned.tasks) {
            let number = manifest.sub_topologies.len();
            for store in &sub.stores {
                manifest.stores.insert(store.name.to_string(), store_entry(store, number, tasks, planned));
            }
            manifest.sub_topologies.push(SubTopologyEntry {
                tasks,
                sources: sources(sub, planned),
                operators: operators(topology, sub),
            });
        }
        let repartitions = planned.internal.iter().filter(|topic| topic.kind == TopicKind::Repartition);
        manifest.repartitions =
            repartitions.map(|topic| (topic.name.to_string(), topic.partitions)).collect();
        manifest
    }

    /// The sub-topology that reads a topic.
    fn reader_of(&self, topic: &str) -> Option<usize> {
        self.sub_topologies.iter().position(|sub| sub.sources.contains_key(topic))
    }
}

fn sources(sub: &SubTopology, planned: &Planned<'_>) -> BTreeMap<String, i32> {
    let mut sources = BTreeMap::new();
    for topic in
        sub.sources.iter().flat_map(|topic| topic.resolve_all(planned.application, planned.subscribed))
    {
        let internal = planned.internal.iter().find(|internal| internal.name == topic);
        let partitions = internal.map(|internal| internal.partitions);
        let partitions = partitions.or_else(|| planned.partitions.get(&topic).copied()).unwrap_or(0);
        sources.insert(topic.to_string(), partitions);
    }
    sources
}

fn operators(topology: &Topology, sub: &SubTopology) -> BTreeMap<String, OperatorEntry> {
    let entry = |id: &super::NodeId| {
        let node = topology.node(*id);
        let kind = match &node.role {
            NodeRole::Source { .. } => "source",
            NodeRole::Processor { .. } => "processor",
            NodeRole::Sink { .. } => "sink",
        };
        (node.name.to_string(), OperatorEntry { kind: kind.to_owned(), grace_ms: node.grace_ms })
    };
    sub.nodes.iter().map(entry).collect()
}

fn store_entry(store: &StoreDecl, sub_topology: usize, partitions: i32, planned: &Planned<'_>) -> StoreEntry {
    let (kind, size_ms, retention_ms) = match store.kind {
        StoreKind::KeyValue => ("key-value", None, None),
        StoreKind::Window { retention_ms, size_ms } => ("window", Some(size_ms), Some(retention_ms)),
        StoreKind::Session { retention_ms } => ("session", None, Some(retention_ms)),
        StoreKind::Suppress => ("suppression buffer", None, None),
        StoreKind::JoinBuffer => ("join buffer", None, None),
        StoreKind::Versioned { history_ms } => ("versioned", None, Some(history_ms)),
    };
    let own = || super::changelog_topic(planned.application, &store.name).to_string();
    let source = store.source.as_ref().map(|source| source.topic.to_string());
    StoreEntry {
        sub_topology,
        partitions,
        kind: kind.to_owned(),
        size_ms,
        retention_ms,
        changelog: source.or_else(|| store.logged.then(own)),
        persistent: store.persistent,
        key: store.formats.key().cloned(),
        values: store.formats.values().cloned().collect(),
    }
}
