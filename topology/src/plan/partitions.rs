//! How many partitions each topic of the application needs: from the user's topics, through repartitions, to tasks and
//! changelogs. Pure: the counts of the user's topics are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::graph::{NodeId, NodeRole, TopicRef};
use super::sub_topology::{InternalTopic, SubTopology, TopicKind};
use super::topology::Topology;
use super::wiring::changelog_topic;
use crate::error::{TopologyError, TopologyErrors};
use crate::state::{StoreDecl, StoreKind};

/// Partition counts of the user's topics, by name.
///
/// ```
/// use candlewick::PartitionCounts;
/// let counts = PartitionCounts::from([("trades".into(), 6), ("quotes".into(), 6)]);
/// assert_eq!(counts["trades"], 6);
/// ```
pub type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// Every count the plan implies.
pub(crate) struct PlannedPartitions {
    /// How many tasks each sub-topology has: the greatest count among its sources.
    pub(crate) tasks: Vec<i32>,
    pub(crate) internal: Vec<InternalTopic>,
}

impl Topology {
    /// The topics that an application of this id makes for itself, given how many partitions its source topics have: for
    /// those who make topics, or their access rules, before it runs. Windows' changelogs keep a day more than the windows
    /// need, as they do by default.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, PartitionCounts, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("words", Consumed::<String, String>::default())
    ///     .group_by_key(Grouped::default())
    ///     .count(Materialized::named("counts"));
    /// let topology = builder.build().expect("valid");
    /// let counts = PartitionCounts::from([("words".into(), 6)]);
    /// let topics = topology.internal_topics("app", &counts).expect("joined topics fit together");
    /// assert_eq!((&*topics[0].name, topics[0].partitions), ("app-counts-changelog", 6));
    /// ```
    ///
    /// # Errors
    /// When joined topics do not have the same number of partitions.
    pub fn internal_topics(
        &self,
        application: &str,
        counts: &PartitionCounts,
    ) -> Result<Vec<InternalTopic>, TopologyErrors> {
        Ok(partition_counts(self, application, counts, ADDITIONAL_RETENTION_MS)?.internal)
    }
}

/// How much longer than the windows in it a changelog is kept by default: a day.
const ADDITIONAL_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// Computes all counts. `counts` must name every topic of [`Topology::source_topics`], and those that patterns match.
pub(crate) fn partition_counts(
    topology: &Topology,
    application: &str,
    counts: &PartitionCounts,
    window_changelog_additional_retention_ms: i64,
) -> Result<PlannedPartitions, TopologyErrors> {
    let mut known: BTreeMap<TopicRef, i32> =
        counts.iter().map(|(topic, count)| (TopicRef::External(Arc::clone(topic)), *count)).collect();
    for pattern in topology.patterns() {
        let matched = counts.iter().filter(|(topic, _)| pattern.means(application, topic));
        known.insert(pattern.clone(), matched.map(|(_, count)| *count).max().unwrap_or(0));
    }
    let twice = read_twice(topology, counts);
    if !twice.is_empty() {
        return Err(TopologyErrors(twice));
    }
    settle(topology, &mut known);
    let errors = co_partition_errors(topology, &known);
    if !errors.is_empty() {
        return Err(TopologyErrors(errors));
    }
    let tasks: Vec<i32> = topology.sub_topologies().iter().map(|sub| widest(sub, &known)).collect();
    let mut internal = Vec::new();
    for decl in topology.repartitions() {
        let topic = TopicRef::Internal(Arc::clone(&decl.topic));
        internal.push(InternalTopic {
            name: topic.resolve(application),
            kind: TopicKind::Repartition,
            partitions: known.get(&topic).copied().unwrap_or(1),
            config: repartition_config(),
        });
    }
    for (sub, &partitions) in topology.sub_topologies().iter().zip(&tasks) {
        for store in sub.stores.iter().filter(|store| store.logged) {
            internal.push(InternalTopic {
                name: changelog_topic(application, &store.name),
                kind: TopicKind::Changelog,
                partitions,
                config: changelog_config(store, window_changelog_additional_retention_ms),
            });
        }
    }
    Ok(PlannedPartitions { tasks, internal })
}

/// Topics that several patterns match. What is read by name too was refused when the topology was sealed.
fn read_twice(topology: &Topology, counts: &PartitionCounts) -> Vec<TopologyError> {
    let mut errors = Vec::new();
    for topic in counts.keys() {
        let mut readers = topology.patterns().filter(|pattern| pattern.means("", topic));
        if let (Some(first), Some(second)) = (readers.next(), readers.next()) {
            errors.push(TopologyError::TopicReadTwice {
                topic: topic.to_string(),
                first: first.declared().to_string(),
                second: second.declared().to_string(),
            });
        }
    }
    errors
}

fn widest(sub: &SubTopology, known: &BTreeMap<TopicRef, i32>) -> i32 {
    sub.sources.iter().filter_map(|topic| known.get(topic)).copied().max().unwrap_or(0)
}

/// Gives repartition topics their counts, upstream ones first: their own where the user chose one, else that of the
/// topics they are joined with, else the widest input of the sub-topology that writes them.
fn settle(topology: &Topology, known: &mut BTreeMap<TopicRef, i32>) {
    for decl in topology.repartitions() {
        if let Some(partitions) = decl.partitions {
            known.insert(TopicRef::Internal(Arc::clone(&decl.topic)), partitions);
        }
    }
    while let Some((topic, count)) = next_settled(topology, known) {
        known.insert(topic, count);
    }
    for (_, sources) in topology.co_partitioned() {
        align(topology, sources, known);
    }
}

/// A repartition topic whose count follows from those that are known, with that count. Where sub-topologies write for each
/// other in a ring, what is known of a writer's sources has to do.
fn next_settled(topology: &Topology, known: &BTreeMap<TopicRef, i32>) -> Option<(TopicRef, i32)> {
    let is_known = |topic: &TopicRef| known.contains_key(topic);
    let open = topology.repartitions().iter().filter_map(|decl| {
        let topic = TopicRef::Internal(Arc::clone(&decl.topic));
        let writer = topology.sub_topologies().iter().find(|sub| sub.outputs.contains(&topic))?;
        (!is_known(&topic)).then_some((topic, writer))
    });
    let open: Vec<_> = open.collect();
    let whole = open.iter().find(|(_, writer)| writer.sources.iter().all(is_known));
    let (topic, writer) =
        whole.or_else(|| open.iter().find(|(_, writer)| writer.sources.iter().any(is_known)))?;
    Some((topic.clone(), widest(writer, known).max(1)))
}

/// Repartition topics of a join take the count of the user's topics in it, or the widest of their own.
fn align(topology: &Topology, sources: &[NodeId], known: &mut BTreeMap<TopicRef, i32>) {
    let topics: Vec<TopicRef> = sources.iter().flat_map(|&source| topics_of(topology, source)).collect();
    let chosen = |topic: &TopicRef| {
        let TopicRef::Internal(name) = topic else { return true };
        topology.repartitions().iter().any(|decl| decl.topic == *name && decl.partitions.is_some())
    };
    let fixed =
        topics.iter().filter(|topic| chosen(topic)).filter_map(|topic| known.get(topic)).copied().max();
    let target = fixed.or_else(|| topics.iter().filter_map(|topic| known.get(topic)).copied().max());
    for topic in topics.iter().filter(|topic| !chosen(topic)) {
        if let Some(target) = target {
            known.insert(topic.clone(), target);
        }
    }
}

fn topics_of(topology: &Topology, source: NodeId) -> Vec<TopicRef> {
    match &topology.node(source).role {
        NodeRole::Source { topics, .. } => topics.clone(),
        NodeRole::Sink { .. } | NodeRole::Processor { .. } => Vec::new(),
    }
}

fn co_partition_errors(topology: &Topology, known: &BTreeMap<TopicRef, i32>) -> Vec<TopologyError> {
    let mut errors = Vec::new();
    for (node, sources) in topology.co_partitioned() {
        let topics: Vec<TopicRef> = sources.iter().flat_map(|&source| topics_of(topology, source)).collect();
        let Some(first) = topics.first() else { continue };
        for other in &topics[1..] {
            let (left_count, right_count) =
                (known.get(first).copied().unwrap_or(0), known.get(other).copied().unwrap_or(0));
            if left_count != right_count {
                errors.push(TopologyError::NotCoPartitioned {
                    node: topology.node(*node).name.to_string(),
                    left: first.declared().to_string(),
                    left_count,
                    right: other.declared().to_string(),
                    right_count,
                });
            }
        }
    }
    errors
}

fn pairs(config: &[(&str, &str)]) -> BTreeMap<String, String> {
    config.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

/// How much longer than the history a changelog keeps versions apart: a day, as in Kafka Streams.
const VERSIONS_ADDITIONAL_LAG_MS: i64 = 24 * 60 * 60 * 1000;

/// As Kafka Streams makes them: never expired by time, purged by deletion of what was read.
fn repartition_config() -> BTreeMap<String, String> {
    pairs(&[
        ("cleanup.policy", "delete"),
        ("segment.bytes", "52428800"),
        ("retention.ms", "-1"),
        ("message.timestamp.type", "CreateTime"),
    ])
}

/// How long the log keeps the records of a store's changelog, by their time and the wall clock, in milliseconds; nothing where
/// it keeps the newest of each key for good.
pub(crate) fn changelog_retention_ms(store: &StoreDecl, additional_retention_ms: i64) -> Option<i64> {
    let config = changelog_config(store, additional_retention_ms);
    let kept = config.get("retention.ms").filter(|_| config["cleanup.policy"].contains("delete"))?;
    kept.parse().ok().filter(|kept| *kept >= 0)
}

fn changelog_config(store: &StoreDecl, additional_retention_ms: i64) -> BTreeMap<String, String> {
    let mut config = match store.kind {
        StoreKind::Window { retention_ms: retention, .. }
        | StoreKind::Session { retention_ms: retention } => {
            let mut config = pairs(&[("cleanup.policy", "compact,delete")]);
            let kept = match additional_retention_ms {
                ..0 => -1,
                additional => retention.saturating_add(additional),
            };
            config.insert("retention.ms".into(), kept.to_string());
            config
        }
        StoreKind::Versioned { history_ms } => {
            let lag = history_ms.saturating_add(VERSIONS_ADDITIONAL_LAG_MS).to_string();
            pairs(&[("cleanup.policy", "compact"), ("min.compaction.lag.ms", &lag)])
        }
        StoreKind::KeyValue | StoreKind::Suppress | StoreKind::JoinBuffer => {
            pairs(&[("cleanup.policy", "compact")])
        }
    };
    config.insert("message.timestamp.type".into(), "CreateTime".into());
    config.extend(store.changelog_config.iter().map(|(key, value)| (key.clone(), value.clone())));
    config
}
