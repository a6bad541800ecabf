//! `candlewick reset`: takes an application back to before its first start, or to a place in its input. Its input and
//! output topics stay.

use std::path::PathBuf;
use std::sync::Arc;

use candlewick::client::{Admin, ClientError};
use candlewick::{SnapshotStore, TopicPartition};

use crate::cli::{ResetOptions, ResetTo};
use crate::error::CommandError;
use crate::log::{self, TIMEOUT};
use crate::snapshots;

/// Deletes the application's internal topics, its group, its local state and its snapshots, and sets where it reads from next; or says
/// what it would do.
///
/// # Errors
/// While an instance of the application runs, or when the log refuses.
pub fn reset(options: &ResetOptions) -> Result<(), CommandError> {
    let id = &options.application_id;
    let log = log::open(&options.log, id)?;
    let mut admin = log.admin()?;
    let members = admin.group_members(id, TIMEOUT)?;
    if !members.is_empty() {
        let reason = format!("{} instance(s) of {id} are running; stop them before a reset", members.len());
        return Err(CommandError::Usage(reason));
    }
    let topics = admin.topics(TIMEOUT)?;
    let internal: Vec<&str> =
        topics.iter().filter(|topic| is_internal(topic, id, &topics)).map(String::as_str).collect();
    // Before anything is deleted: what was read is known from it.
    let places = match options.to {
        Some(to) => places(options, to, &internal, &mut *admin)?,
        None => Vec::new(),
    };
    let kept = Kept::of(options)?;
    let state: PathBuf =
        options.state_dir.clone().unwrap_or_else(|| options.log.data_dir.join("state")).join(id);
    if !options.dry_run {
        admin.delete(&internal, TIMEOUT)?;
        admin.delete_group(id, TIMEOUT)?;
        if !places.is_empty() {
            admin.set_group_offsets(id, &places, TIMEOUT)?;
        }
        match std::fs::remove_dir_all(&state) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CommandError::Io { path: state, source });
            }
            Ok(()) | Err(_) => {}
        }
        kept.delete()?;
    }
    let (deleted, set) = if options.dry_run { ("would delete", "would read") } else { ("deleted", "reads") };
    for topic in internal {
        println!("{deleted} topic {topic}");
    }
    println!("{deleted} the offsets of group {id}");
    println!("{deleted} {}", state.display());
    for name in &kept.names {
        println!("{deleted} snapshot {name}");
    }
    for (partition, offset) in places {
        println!("{set} {partition} from offset {offset}");
    }
    Ok(())
}

/// The application's snapshots.
struct Kept {
    place: Option<Arc<dyn SnapshotStore>>,
    names: Vec<String>,
}

impl Kept {
    fn of(options: &ResetOptions) -> Result<Self, CommandError> {
        let place = snapshots::open(options.snapshots.as_deref())?;
        let names = place.as_ref().map(|place| place.list(&format!("{}/", options.application_id)));
        Ok(Self { place, names: names.transpose().map_err(CommandError::Snapshots)?.unwrap_or_default() })
    }

    fn delete(&self) -> Result<(), CommandError> {
        let Some(place) = &self.place else { return Ok(()) };
        self.names.iter().try_for_each(|name| place.delete(name)).map_err(CommandError::Snapshots)
    }
}

/// Where each partition of the input is read from next.
fn places(
    options: &ResetOptions,
    to: ResetTo,
    internal: &[&str],
    admin: &mut dyn Admin,
) -> Result<Vec<(TopicPartition, i64)>, CommandError> {
    let mut inputs = options.inputs.clone();
    if inputs.is_empty() {
        let read = admin.group_offsets(&options.application_id, TIMEOUT)?;
        inputs = read.into_iter().map(|(partition, _)| partition.topic.to_string()).collect();
        inputs.retain(|topic| !internal.contains(&topic.as_str()));
    }
    inputs.sort_unstable();
    inputs.dedup();
    if inputs.is_empty() {
        let reason = format!("{} has read nothing yet: name its input by --input", options.application_id);
        return Err(CommandError::Usage(reason));
    }
    let names: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut places = Vec::new();
    for (topic, found) in names.iter().zip(admin.describe(&names, TIMEOUT)?) {
        let Some(found) = found else {
            return Err(ClientError::UnknownTopic { topic: (*topic).to_owned() }.into());
        };
        for number in 0..found.partitions {
            let partition = TopicPartition::new(*topic, number);
            let offset = place(&partition, to, admin)?;
            places.push((partition, offset));
        }
    }
    Ok(places)
}

fn place(partition: &TopicPartition, to: ResetTo, admin: &mut dyn Admin) -> Result<i64, CommandError> {
    let marks = admin.watermarks(partition, TIMEOUT)?;
    Ok(match to {
        ResetTo::Earliest => marks.low,
        ResetTo::Latest => marks.high,
        ResetTo::Time(time) => admin.offset_for_time(partition, time, TIMEOUT)?.unwrap_or(marks.high),
        ResetTo::Offset(offset) => offset.clamp(marks.low, marks.high),
    })
}

/// Whether a topic is the application's own: by its name, unless the name belongs to an application with a longer id, whose
/// control topic is there.
fn is_internal(topic: &str, application: &str, topics: &[String]) -> bool {
    let own = |id: &str| {
        topic.strip_prefix(id).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
            rest == "control" || rest.ends_with("-changelog") || rest.ends_with("-repartition")
        })
    };
    let others = topics.iter().filter_map(|topic| topic.strip_suffix("-control"));
    own(application) && !others.filter(|id| id.len() > application.len()).any(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_of_an_application_with_a_longer_id_are_not_this_ones() {
        let topics = [
            "app-control",
            "app-counts-changelog",
            "app-by-word-repartition",
            "app-two-control",
            "app-two-counts-changelog",
            "app-three-counts-changelog",
            "apple-control",
            "app-output",
            "words",
        ];
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let own = |id: &str| -> Vec<&str> {
            topics.iter().filter(|topic| is_internal(topic, id, &topics)).map(String::as_str).collect()
        };
        // Of app-three there is no control topic: it is a store `three-counts` of app.
        let expected =
            ["app-control", "app-counts-changelog", "app-by-word-repartition", "app-three-counts-changelog"];
        assert_eq!(own("app"), expected);
        assert_eq!(own("app-two"), ["app-two-control", "app-two-counts-changelog"]);
    }
}
