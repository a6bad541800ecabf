//! The plan: what was declared, sealed and checked. Pure: no I/O, no clock, no client; the same declarations give the
//! same plan. Knows processors only as makers of nodes, and topics only by name.

mod config;
mod describe;
mod graph;
mod java_order;
mod java_tree;
mod manifest;
mod naming;
mod optimize;
mod partitions;
mod pattern;
mod sub_topology;
mod topology;
mod wiring;

pub use config::{AutoOffsetReset, BuildOptions};
pub(crate) use graph::{
    Effect, GlobalDecl, GlobalFill, Graph, MakeNode, NodeDecl, NodeId, NodeRole, RepartitionDecl, Route,
    TopicRef, TypeInfo,
};
pub(crate) use manifest::{Before, Kept, Manifest, Planned};
pub use manifest::{PlanAction, PlanChange, PlanReport};
pub(crate) use naming::{Follower, is_generated, repartition_topic};
pub use partitions::PartitionCounts;
pub(crate) use partitions::{changelog_retention_ms, partition_counts};
pub(crate) use pattern::TopicPattern;
pub(crate) use sub_topology::SubTopology;
pub use sub_topology::{InternalTopic, TopicKind};
pub use topology::Topology;
pub(crate) use wiring::{Instance, SourceCell, Wiring, changelog_topic};
