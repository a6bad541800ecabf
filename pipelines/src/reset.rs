//! `candlewick reset`: takes an application back to before its first start. Its input and output topics stay.

use std::path::PathBuf;

use crate::cli::ResetOptions;
use crate::error::CommandError;
use crate::log::{self, TIMEOUT};

/// Deletes the application's internal topics, its group and its local state, or says what it would delete.
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
    let internal: Vec<String> =
        admin.topics(TIMEOUT)?.into_iter().filter(|topic| is_internal(topic, id)).collect();
    let state: PathBuf =
        options.state_dir.clone().unwrap_or_else(|| options.log.data_dir.join("state")).join(id);
    let verb = if options.dry_run { "would delete" } else { "deleted" };
    if !options.dry_run {
        let names: Vec<&str> = internal.iter().map(String::as_str).collect();
        admin.delete(&names, TIMEOUT)?;
        admin.delete_group(id, TIMEOUT)?;
        match std::fs::remove_dir_all(&state) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CommandError::Io { path: state, source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    for topic in &internal {
        println!("{verb} topic {topic}");
    }
    println!("{verb} the offsets of group {id}");
    println!("{verb} {}", state.display());
    Ok(())
}

fn is_internal(topic: &str, application: &str) -> bool {
    topic.strip_prefix(application).and_then(|rest| rest.strip_prefix('-')).is_some_and(|rest| {
        rest == "control" || rest.ends_with("-changelog") || rest.ends_with("-repartition")
    })
}
