//! Which instances keep copies of tasks' stores: standbys, and those that tasks are about to move to, which warm up first.
//! Pure. What it decides moves no task; must not know how a copy is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{Announcement, Copies, Owner, Row};
use super::view::View;
use crate::record::TaskId;

/// What is wished for.
#[derive(Clone, Debug, Default)]
pub(crate) struct CopyRules {
    /// The tasks that have stores to be restored.
    pub(crate) stateful: BTreeSet<TaskId>,
    /// Copies of each task beside the one that runs.
    pub(crate) standbys: usize,
    /// Copies more than that which may be made at a time for tasks that are to move; without any, tasks move unprepared.
    pub(crate) warm_ups_max: usize,
    /// How many records a copy may be behind to be taken over.
    pub(crate) lag_max: i64,
}

impl CopyRules {
    pub(crate) fn is_stateful(&self, task: TaskId) -> bool {
        self.stateful.contains(&task)
    }

    /// Whether a task may move to this member at once.
    pub(crate) fn is_ready(&self, task: TaskId, member: &Announcement) -> bool {
        self.warm_ups_max == 0 || !self.is_stateful(task) || self.is_near(task, member)
    }

    /// Whether this member has a copy that little is missing of.
    pub(crate) fn is_near(&self, task: TaskId, member: &Announcement) -> bool {
        member.lag(task).is_some_and(|lag| lag <= self.lag_max)
    }
}

/// Where a task is, and where it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Whose it is by the table.
    owner: Option<String>,
    /// Who is to have it, if somebody else.
    heir: Option<String>,
    /// Whose it was until now: nobody is nearer to it.
    former: Option<String>,
}

impl Places {
    pub(crate) fn of(row: Option<&Row>, to: Option<&Announcement>) -> Self {
        let owner = row.map(|row| row.owner.incarnation.instance.clone());
        let heir = to.map(|to| to.incarnation.instance.clone()).filter(|heir| owner.as_ref() != Some(heir));
        Self { owner, heir, former: None }
    }

    pub(crate) fn granted(row: Option<&Row>, to: &Owner) -> Self {
        let owner = Some(to.incarnation.instance.clone());
        let former = row.map(|row| row.owner.incarnation.instance.clone());
        Self { former: former.filter(|former| owner.as_ref() != Some(former)), owner, heir: None }
    }

    /// How many standbys the task is to have: one that it goes to counts, since its owner of now will be one in its place.
    fn standbys(&self, rules: &CopyRules) -> usize {
        rules.standbys.saturating_sub(usize::from(self.heir.is_some()))
    }

    fn has(&self, instance: &str) -> bool {
        [&self.owner, &self.heir].into_iter().flatten().any(|name| name == instance)
    }
}

/// The lists of copies that are to change. A copy that is to be replaced stays until its replacement is near.
pub(crate) fn keep_copies(
    view: &View,
    rules: &CopyRules,
    candidates: &BTreeMap<&str, &Announcement>,
    places: &BTreeMap<TaskId, Places>,
) -> BTreeMap<TaskId, Copies> {
    let standbys = spread(view, rules, candidates, places);
    let mut warming = 0;
    let mut changed = BTreeMap::new();
    for (&task, places) in places.iter().filter(|(task, _)| rules.is_stateful(**task)) {
        let known: &[String] = view.copies.get(&task).map_or(&[], |copies| &copies.instances);
        let mut listed: BTreeSet<&str> = standbys.get(&task).into_iter().flatten().copied().collect();
        let is_near = |instance: &&&str| rules.is_near(task, candidates[**instance]);
        if listed.iter().filter(is_near).count() < listed.len() {
            let others = known.iter().map(String::as_str).filter(|name| candidates.contains_key(name));
            listed.extend(others.filter(|name| places.owner.as_deref() != Some(name)).collect::<Vec<_>>());
        }
        if let Some(heir) = places.heir.as_deref().filter(|heir| candidates.contains_key(heir))
            && !listed.contains(heir)
        {
            let is_begun = known.iter().any(|name| name == heir);
            if is_begun || warming < rules.warm_ups_max {
                listed.insert(heir);
            }
            warming += usize::from(!rules.is_near(task, candidates[heir]));
        }
        if !listed.iter().copied().eq(known.iter().map(String::as_str)) {
            let instances = listed.into_iter().map(str::to_owned).collect();
            changed.insert(task, Copies { epoch: view.epoch + 1, instances });
        }
    }
    changed
}

/// The standbys of every task: those there are stay, and the number of copies of any two members differs by little.
fn spread<'a>(
    view: &'a View,
    rules: &CopyRules,
    candidates: &BTreeMap<&'a str, &Announcement>,
    places: &'a BTreeMap<TaskId, Places>,
) -> BTreeMap<TaskId, BTreeSet<&'a str>> {
    let mut load: BTreeMap<&str, usize> = candidates.keys().map(|&name| (name, 0)).collect();
    let mut chosen: BTreeMap<TaskId, BTreeSet<&str>> = BTreeMap::new();
    let stateful = || places.iter().filter(|(task, _)| rules.is_stateful(**task));
    for (&task, places) in stateful() {
        let listed = view.copies.get(&task).into_iter().flat_map(|copies| &copies.instances);
        let known = places.former.iter().chain(listed).map(String::as_str);
        let mine = chosen.entry(task).or_default();
        for name in known.filter(|name| !places.has(name)) {
            if mine.len() < places.standbys(rules)
                && let Some(load) = load.get_mut(name)
                && mine.insert(name)
            {
                *load += 1;
            }
        }
    }
    for (&task, places) in stateful() {
        let Some(mine) = chosen.get_mut(&task) else { continue };
        while mine.len() < places.standbys(rules) {
            let free = load.iter().filter(|(name, _)| !mine.contains(*name) && !places.has(name));
            let Some(name) = free.min_by_key(|(_, load)| **load).map(|(name, _)| *name) else { break };
            mine.insert(name);
            load.entry(name).and_modify(|load| *load += 1);
        }
    }
    level(&mut chosen, &mut load, places);
    chosen
}

/// Moves copies from those who have many to those who have at least two less.
fn level<'a>(
    chosen: &mut BTreeMap<TaskId, BTreeSet<&'a str>>,
    load: &mut BTreeMap<&'a str, usize>,
    places: &BTreeMap<TaskId, Places>,
) {
    for (task, mine) in chosen {
        let Some(most) = mine.iter().copied().max_by_key(|name| load[name]) else { continue };
        let free = load.iter().filter(|(name, _)| !mine.contains(*name) && !places[task].has(name));
        let Some((least, fewest)) = free.min_by_key(|(_, load)| **load).map(|(name, load)| (*name, *load))
        else {
            continue;
        };
        if fewest + 2 <= load[most] {
            mine.remove(most);
            mine.insert(least);
            load.entry(most).and_modify(|load| *load -= 1);
            load.entry(least).and_modify(|load| *load += 1);
        }
    }
}
