//! What the leader does with the task table, given what the control topic says and who lives. Pure; the leader's thread
//! carries it out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::copies::{CopyRules, Places, keep_copies};
use super::records::{Announcement, Copies, Incarnation, Owner, Phase, Row};
use super::view::View;
use crate::record::TaskId;
use crate::runtime::assignment::{Candidate, place};

/// What is known of a task's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerFate {
    /// It is a member, and may run the task.
    Current,
    /// It has said that it has nothing open for the task any more.
    Released,
    /// It has left the group without saying so.
    Gone,
    /// The same, and its transactional ids are fenced and the delay is over.
    Fenced,
}

/// What to do with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowAction {
    Keep,
    Revoke,
    Fence,
    Grant,
}

/// The one transition of a row. `phase` is nothing for a task that was never granted; `wanted` says whether there is somebody
/// to run it and whether that is another one than its owner.
pub(crate) fn step(phase: Option<Phase>, fate: OwnerFate, wanted: Option<Wanted>) -> RowAction {
    match (phase, fate, wanted) {
        (None, _, Some(_)) | (Some(_), OwnerFate::Released | OwnerFate::Fenced, Some(_)) => RowAction::Grant,
        (Some(_), OwnerFate::Gone, Some(_)) => RowAction::Fence,
        (Some(Phase::Granted), OwnerFate::Current, Some(Wanted::Another)) => RowAction::Revoke,
        (Some(_), OwnerFate::Current, _) | (_, _, None) => RowAction::Keep,
    }
}

/// Whom the placement wants a task to be with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Owner,
    Another,
}

/// What the leader knows beside the control topic.
pub(crate) struct Circumstances<'a> {
    /// Every task of the leader's own topology.
    pub(crate) tasks: &'a [TaskId],
    pub(crate) fingerprint: &'a str,
    /// The group's members, asked for after the view was read.
    pub(crate) live: &'a BTreeSet<String>,
    pub(crate) now: Duration,
    /// How long the tasks of a member that crashed wait for it to come back, where nobody has a copy of their stores.
    pub(crate) delay: Duration,
    pub(crate) copies: &'a CopyRules,
}

/// What the leader remembers from one decision to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Incarnations whose transactional ids were fenced.
    pub(crate) fenced: BTreeSet<Incarnation>,
    /// Since when owners are gone.
    gone: BTreeMap<Incarnation, Duration>,
}

/// What is to be done, in this order: fence, and decide again; else write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) fence: BTreeMap<Incarnation, BTreeSet<String>>,
    pub(crate) rows: BTreeMap<TaskId, Row>,
    pub(crate) copies: BTreeMap<TaskId, Copies>,
    /// Instances whose announcements are of no use any more.
    pub(crate) forget: Vec<String>,
}

pub(crate) fn decide(view: &View, facts: &Circumstances<'_>, memory: &mut Memory) -> Decision {
    let candidates: BTreeMap<&str, &Announcement> = view
        .members
        .iter()
        .filter(|(_, member)| is_candidate(member, facts))
        .map(|(instance, member)| (instance.as_str(), member))
        .collect();
    let fates: BTreeMap<TaskId, OwnerFate> =
        view.table.iter().map(|(&task, row)| (task, fate(task, row, view, facts, memory))).collect();
    let wanted = want(view, facts, &candidates, &fates, memory);
    let mut decision = Decision::default();
    let mut places = BTreeMap::new();
    for &task in facts.tasks {
        let row = view.table.get(&task);
        let to = wanted.get(&task).and_then(|instance| candidates.get(instance.as_str()));
        places.insert(task, Places::of(row, to.copied()));
        let is_owner = |member: &Announcement| {
            row.is_some_and(|row| row.owner.incarnation.instance == member.incarnation.instance)
        };
        let whom = to.map(|member| if is_owner(member) { Wanted::Owner } else { Wanted::Another });
        let fate = fates.get(&task).copied().unwrap_or(OwnerFate::Released);
        let phase = match step(row.map(|row| row.phase), fate, whom) {
            RowAction::Keep => continue,
            RowAction::Fence => {
                if let Some(row) = row {
                    let ids = ids_to_fence(&row.owner, view, facts);
                    decision.fence.entry(row.owner.incarnation.clone()).or_default().extend(ids);
                }
                continue;
            }
            // It runs where it is until there is a copy where it goes.
            RowAction::Revoke if !to.is_some_and(|to| facts.copies.is_ready(task, to)) => continue,
            RowAction::Revoke => Phase::Revoking,
            RowAction::Grant => Phase::Granted,
        };
        let owner = match (phase, row, to) {
            (Phase::Revoking, Some(row), _) => row.owner.clone(),
            (_, _, Some(to)) => {
                Owner { incarnation: to.incarnation.clone(), transactional_ids: to.transactional_ids.clone() }
            }
            (_, _, None) => continue,
        };
        if phase == Phase::Granted {
            places.insert(task, Places::granted(row, &owner));
        }
        decision.rows.insert(task, Row { epoch: view.epoch + 1, phase, owner });
    }
    decision.copies = keep_copies(view, facts.copies, &candidates, &places);
    decision.forget = forgettable(view, facts, &decision);
    decision
}

fn is_candidate(member: &Announcement, facts: &Circumstances<'_>) -> bool {
    !member.is_leaving
        && member.fingerprint == facts.fingerprint
        && facts.live.contains(&member.incarnation.member)
}

/// Where every task that can be placed now should be.
fn want(
    view: &View,
    facts: &Circumstances<'_>,
    candidates: &BTreeMap<&str, &Announcement>,
    fates: &BTreeMap<TaskId, OwnerFate>,
    memory: &mut Memory,
) -> BTreeMap<TaskId, String> {
    let mut placeable = Vec::new();
    let mut current = BTreeMap::new();
    let mut gone = BTreeMap::new();
    for &task in facts.tasks {
        let (Some(row), Some(&fate)) = (view.table.get(&task), fates.get(&task)) else {
            placeable.push(task);
            continue;
        };
        let owner = &row.owner.incarnation;
        let is_candidate = candidates.contains_key(owner.instance.as_str());
        match fate {
            // Of another version: it keeps what it has until it leaves.
            OwnerFate::Current if !is_candidate => continue,
            OwnerFate::Gone | OwnerFate::Fenced => {
                let since = memory.gone.get(owner).copied().unwrap_or(facts.now);
                gone.insert(owner.clone(), since);
                let is_early = facts.now.saturating_sub(since) < facts.delay;
                if !is_candidate && is_early && !has_heir(task, facts, candidates) {
                    continue;
                }
            }
            OwnerFate::Current | OwnerFate::Released => {}
        }
        placeable.push(task);
        // What is being given up is free to go wherever there is room, to a copy of its stores first.
        if row.phase == Phase::Granted && is_candidate {
            current.insert(task, owner.instance.clone());
        } else if let Some(heir) = nearest_copy(task, candidates) {
            current.insert(task, heir.to_owned());
        }
    }
    memory.gone = gone;
    let has_copy = |task: &TaskId, instance: &str| {
        view.copies.get(task).is_some_and(|copies| copies.instances.iter().any(|name| name == instance))
    };
    let seats: Vec<Candidate> = candidates
        .iter()
        .map(|(&instance, member)| Candidate { instance: instance.to_owned(), threads: member.threads })
        .collect();
    place(&placeable, &seats, &current, has_copy)
}

/// Whether a copy of the task's stores is so near that nobody needs to wait for the owner to come back.
fn has_heir(task: TaskId, facts: &Circumstances<'_>, candidates: &BTreeMap<&str, &Announcement>) -> bool {
    candidates.values().any(|member| facts.copies.is_near(task, member))
}

/// Whose copy of the task's stores is the least behind.
fn nearest_copy<'a>(task: TaskId, candidates: &BTreeMap<&'a str, &Announcement>) -> Option<&'a str> {
    let lags = candidates.iter().filter_map(|(&instance, member)| Some((member.lag(task)?, instance)));
    lags.min().map(|(_, instance)| instance)
}

/// What is known of the owner of a row.
fn fate(task: TaskId, row: &Row, view: &View, facts: &Circumstances<'_>, memory: &Memory) -> OwnerFate {
    let owner = &row.owner.incarnation;
    let mut is_live = facts.live.contains(&owner.member);
    if let Some(said) = view.members.get(&owner.instance) {
        let is_same_process = said.incarnation.process == owner.process;
        // A later incarnation of the same process is announced only when nothing of the earlier one is open.
        if is_same_process && said.incarnation.count > owner.count {
            return OwnerFate::Released;
        }
        let has_given_up = said.applied >= row.epoch || said.is_leaving;
        if said.incarnation == *owner && has_given_up && !said.holds.contains(&task.to_string()) {
            return OwnerFate::Released;
        }
        // Another process has the instance's folder, so the earlier one is dead, whatever the group still believes.
        is_live &= is_same_process || !facts.live.contains(&said.incarnation.member);
    }
    match (is_live, memory.fenced.contains(owner)) {
        (true, _) => OwnerFate::Current,
        (false, true) => OwnerFate::Fenced,
        (false, false) => OwnerFate::Gone,
    }
}

/// The owner's transactional ids, without those under which a living member writes: an instance that came back has fenced
/// its earlier self when it registered them.
fn ids_to_fence(owner: &Owner, view: &View, facts: &Circumstances<'_>) -> BTreeSet<String> {
    let lives = |member: &&Announcement| facts.live.contains(&member.incarnation.member);
    let in_use: BTreeSet<&String> =
        view.members.values().filter(lives).flat_map(|member| &member.transactional_ids).collect();
    // A thread that was added since the grant writes under an id that was announced before it got a task.
    let said = view.members.get(&owner.incarnation.instance);
    let said = said.filter(|said| said.incarnation == owner.incarnation);
    let later = said.into_iter().flat_map(|said| &said.transactional_ids);
    let all = owner.transactional_ids.iter().chain(later);
    all.filter(|id| !in_use.contains(id)).cloned().collect()
}

/// Announcements of those who are gone and own nothing, before or after this decision.
fn forgettable(view: &View, facts: &Circumstances<'_>, decision: &Decision) -> Vec<String> {
    let owns = |instance: &str| {
        let rows = view.table.iter().map(|(task, row)| decision.rows.get(task).unwrap_or(row));
        rows.chain(decision.rows.values()).any(|row| row.owner.incarnation.instance == instance)
    };
    let gone = |member: &Announcement| !facts.live.contains(&member.incarnation.member);
    view.members
        .iter()
        .filter(|(instance, member)| gone(member) && !owns(instance))
        .map(|(instance, _)| instance.clone())
        .collect()
}
