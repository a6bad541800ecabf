//! The member that a killed process of this instance has left in the group: as long as its session lasts, nobody gets its
//! tasks. Whoever has the lock of the state folder knows that the process has ended, and takes the member out. Must not
//! know tasks.

use super::application::Application;
use crate::client::ClientError;

/// Takes the member out that the last process on this state folder was, if it did not leave by itself.
pub(super) fn remove(application: &Application) -> Result<(), ClientError> {
    let Some(folder) = &application.folder else { return Ok(()) };
    let Some(member) = folder.member() else { return Ok(()) };
    let (group, timeout) = (&application.config.application_id, application.request_timeout());
    match application.log.admin()?.remove_member(group, &member, timeout) {
        Ok(true) => tracing::info!(member, "the last process here left no group: its member is taken out"),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%error, member, "the last process here left no group: its session has to end first");
        }
    }
    Ok(())
}

/// Writes down which member this process is.
pub(super) fn remember(application: &Application, member: &str) {
    let Some(folder) = &application.folder else { return };
    if let Err(error) = folder.set_member(Some(member)) {
        tracing::warn!(%error, "after a crash the session of this member has to end first");
    }
}

/// This process is no member any more.
pub(super) fn forget(application: &Application) {
    let Some(folder) = &application.folder else { return };
    if let Err(error) = folder.set_member(None) {
        tracing::debug!(%error, "a member that has left is still written down");
    }
}
