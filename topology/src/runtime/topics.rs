//! What must hold before an instance may run: source topics exist, joined ones fit together, internal topics are made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::StreamsConfig;
use super::error::StreamsError;
use super::threads::Threads;
use crate::client::{Admin, ClientError, Log, NewTopic};
use crate::plan::{InternalTopic, PartitionCounts, Topology, partition_counts};
use crate::time::{Clock, Timestamp};

/// What start-up found and made.
pub(crate) struct PreparedTopics {
    /// Partition counts of all topics, by resolved name.
    pub(crate) partitions: BTreeMap<Arc<str>, i32>,
    /// The topics that patterns match.
    pub(crate) subscribed: Vec<Arc<str>>,
    /// How many tasks each sub-topology has.
    pub(crate) tasks: Vec<i32>,
    /// Since when, by the wall clock, the rows of each sub-topology are of one lineage.
    pub(crate) since: Vec<i64>,
}

/// The control topic has one partition for each instance there may be.
pub(crate) const CONTROL_PARTITIONS: i32 = 64;

/// The name of the topic through which the instances of an application find each other.
pub(crate) fn control_topic(application: &str) -> String {
    format!("{application}-control")
}

/// What the log has of the topics that a plan needs.
pub(crate) struct Survey {
    /// Partition counts of the topics that are read, by resolved name.
    pub(crate) partitions: BTreeMap<Arc<str>, i32>,
    /// The topics that patterns match.
    pub(crate) subscribed: Vec<Arc<str>>,
    /// How many tasks each sub-topology has.
    pub(crate) tasks: Vec<i32>,
    /// The application's own topics, as they must be.
    pub(crate) internal: Vec<InternalTopic>,
    /// Those of them that exist, with the partitions they have.
    pub(crate) existing: BTreeMap<String, i32>,
}

/// Looks at topics and makes none. Waits for source topics that long.
pub(crate) fn survey(
    topology: &Topology,
    config: &StreamsConfig,
    log: &Arc<dyn Log>,
    waiting: (&dyn Clock, &dyn Threads),
    wait: Duration,
) -> Result<Survey, StreamsError> {
    let timeout = Duration::from_millis(config.request_timeout_ms);
    let mut admin = log.admin()?;
    let mut partitions = wait_for_sources(topology, &mut *admin, waiting, wait, timeout)?;
    let matched = matching(topology, config, &mut *admin, timeout)?;
    let subscribed = matched.keys().cloned().collect();
    partitions.extend(matched);
    let additional = config.window_changelog_additional_retention_ms;
    let planned = partition_counts(topology, &config.application_id, &partitions, additional)?;
    let names: Vec<&str> = planned.internal.iter().map(|topic| &*topic.name).collect();
    let found = admin.describe(&names, timeout)?.into_iter().flatten();
    let existing = found.map(|topic| (topic.name, topic.partitions)).collect();
    Ok(Survey { partitions, subscribed, tasks: planned.tasks, internal: planned.internal, existing })
}

/// Makes the application's topics that a survey found missing.
pub(crate) fn prepare(
    topology: &Topology,
    config: &StreamsConfig,
    log: &Arc<dyn Log>,
    survey: &Survey,
) -> Result<PreparedTopics, StreamsError> {
    let timeout = Duration::from_millis(config.request_timeout_ms);
    let mut admin = log.admin()?;
    let replication = config.replication_factor;
    let mut wanted: Vec<NewTopic> = survey
        .internal
        .iter()
        .map(|topic| NewTopic {
            name: topic.name.to_string(),
            partitions: topic.partitions,
            replication,
            config: topic.config.clone(),
        })
        .collect();
    let compact = BTreeMap::from([("cleanup.policy".to_string(), "compact".to_string())]);
    let control = NewTopic {
        name: control_topic(&config.application_id),
        partitions: CONTROL_PARTITIONS,
        replication,
        config: compact,
    };
    wanted.push(control);
    wanted.extend(missing_sinks(topology, config, &mut *admin, timeout)?);
    admin.create(&wanted, timeout)?;

    let mut partitions = survey.partitions.clone();
    partitions.extend(wanted.iter().map(|topic| (Arc::from(&*topic.name), topic.partitions)));
    let mut sinks = topology.sink_topics();
    sinks.extend(config.dead_letter_topic.as_deref().map(Arc::from));
    let names: Vec<&str> = sinks.iter().map(|name| &**name).collect();
    for description in admin.describe(&names, timeout)?.into_iter().flatten() {
        partitions.insert(description.name.into(), description.partitions);
    }
    let (subscribed, tasks) = (survey.subscribed.clone(), survey.tasks.clone());
    Ok(PreparedTopics { partitions, subscribed, tasks, since: Vec::new() })
}

/// The topics that patterns match now, with their partition counts. What the application made itself is none of them.
fn matching(
    topology: &Topology,
    config: &StreamsConfig,
    admin: &mut dyn Admin,
    timeout: Duration,
) -> Result<PartitionCounts, StreamsError> {
    if topology.patterns().next().is_none() {
        return Ok(PartitionCounts::new());
    }
    let own = format!("{}-", config.application_id);
    let is_internal = |topic: &str| {
        let suffixes = ["-changelog", "-repartition", "-control"];
        topic.starts_with(&own) && suffixes.iter().any(|suffix| topic.ends_with(suffix))
    };
    let mut topics = admin.topics(timeout)?;
    topics.retain(|topic| topology.has_pattern_for(topic) && !is_internal(topic));
    if topics.is_empty() {
        let patterns: Vec<&str> = topology.patterns().map(|pattern| &**pattern.declared()).collect();
        tracing::warn!(
            patterns = patterns.join(", "),
            "no topic matches; topics that come later are read after a restart"
        );
    }
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let found = admin.describe(&names, timeout)?.into_iter().flatten();
    Ok(found.map(|description| (description.name.into(), description.partitions)).collect())
}

/// The topics the topology writes must exist; a dead letter topic is made when it is missing.
fn missing_sinks(
    topology: &Topology,
    config: &StreamsConfig,
    admin: &mut dyn Admin,
    timeout: Duration,
) -> Result<Option<NewTopic>, StreamsError> {
    let sinks = topology.sink_topics();
    let names: Vec<&str> = sinks.iter().map(|name| &**name).collect();
    for (name, found) in names.iter().zip(admin.describe(&names, timeout)?) {
        if found.is_none() {
            return Err(ClientError::UnknownTopic { topic: (*name).to_owned() }.into());
        }
    }
    let Some(topic) = &config.dead_letter_topic else { return Ok(None) };
    let found = admin.describe(&[topic], timeout)?.into_iter().flatten().next();
    let config = BTreeMap::from([("retention.ms".to_string(), "-1".to_string())]);
    Ok(found.is_none().then(|| NewTopic { name: topic.clone(), partitions: 1, replication: -1, config }))
}

fn wait_for_sources(
    topology: &Topology,
    admin: &mut dyn Admin,
    (clock, threads): (&dyn Clock, &dyn Threads),
    wait: Duration,
    timeout: Duration,
) -> Result<PartitionCounts, StreamsError> {
    let topics = topology.source_topics();
    let names: Vec<&str> = topics.iter().map(|name| &**name).collect();
    let deadline = clock.monotonic() + wait;
    let mut told = Timestamp::UNKNOWN;
    loop {
        let mut missing = Vec::new();
        let mut counts = PartitionCounts::new();
        for (name, found) in topics.iter().zip(admin.describe(&names, timeout)?) {
            match found {
                Some(description) => drop(counts.insert(Arc::clone(name), description.partitions)),
                None => missing.push(name.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(counts);
        }
        if clock.monotonic() >= deadline {
            return Err(StreamsError::MissingTopics { topics: missing });
        }
        if told == Timestamp::UNKNOWN {
            told = clock.wall();
            tracing::warn!(topics = missing.join(", "), "waiting for source topics that do not exist yet");
        }
        threads.sleep(Duration::from_millis(200));
    }
}
