//! What becomes of each part of a plan when it takes over from the one that was written down: the rules. Pure; asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{PlanAction, PlanChange, PlanReport};
use super::{Manifest, StoreEntry};
use crate::plan::Topology;
use crate::state::StoreDecl;

/// What there was before.
pub(crate) struct Before<'a> {
    /// The plan that was written down last.
    pub(crate) manifest: Option<&'a Manifest>,
    /// The application's own topics that exist, with their partitions.
    pub(crate) existing: &'a BTreeMap<String, i32>,
    /// Whether an instance of it runs.
    pub(crate) is_alive: bool,
}

/// A comparison at work.
struct Comparison<'a> {
    new: &'a Manifest,
    old: &'a Manifest,
    before: &'a Before<'a>,
    changes: Vec<PlanChange>,
    /// The sub-topologies with state whose input is not spread as it was.
    spread_anew: BTreeSet<usize>,
}

/// What to do where state cannot go on.
const ANEW: &str =
    "give it another name, or reset the application (`candlewick reset`) to process its input anew";

impl Manifest {
    /// What becomes of each part of this plan, which is that of `topology`.
    pub(crate) fn take_over(
        &self,
        before: &Before<'_>,
        topology: &Topology,
        application: &str,
    ) -> PlanReport {
        let nothing = Self::default();
        let old = before.manifest.unwrap_or(&nothing);
        let mut comparison =
            Comparison { new: self, old, before, changes: Vec::new(), spread_anew: BTreeSet::new() };
        comparison.numbers();
        comparison.inputs();
        comparison.repartitions();
        let decls = topology.sub_topologies().iter().flat_map(|sub| &sub.stores);
        for decl in decls {
            if let Some(entry) = self.stores.get(&*decl.name) {
                comparison.store(decl, entry);
            }
        }
        comparison.left_stores();
        comparison.operators();
        let mut changes = comparison.changes;
        changes.sort_by(|a, b| (a.action, &a.subject).cmp(&(b.action, &b.subject)));
        PlanReport { application: application.to_owned(), is_known: before.manifest.is_some(), changes }
    }
}

impl Comparison<'_> {
    fn say(&mut self, action: PlanAction, subject: String, reason: impl Into<String>) {
        self.changes.push(PlanChange { action, subject, reason: reason.into() });
    }

    /// A task's number says which input it reads: versions that number otherwise would read the same input twice.
    fn numbers(&mut self) {
        let moved = |topic: &&String| {
            self.old.reader_of(topic).zip(self.new.reader_of(topic)).is_some_and(|(old, new)| old != new)
        };
        let topics = self.new.sub_topologies.iter().flat_map(|sub| sub.sources.keys());
        let moved: Vec<&str> = topics.filter(moved).map(String::as_str).collect();
        if !moved.is_empty() && self.before.is_alive {
            let reason = format!(
                "{} would be read by tasks of other numbers than in the version that runs, and both cannot run side by \
                 side; stop all of its instances first",
                moved.join(", ")
            );
            self.say(PlanAction::Refuse, "tasks".into(), reason);
        }
    }

    fn inputs(&mut self) {
        let stateful: BTreeSet<usize> = self.new.stores.values().map(|store| store.sub_topology).collect();
        let (new, old) = (self.new, self.old);
        let read =
            |topic: &String| new.repartitions.contains_key(topic) || old.repartitions.contains_key(topic);
        for (number, sub) in new.sub_topologies.iter().enumerate() {
            for (topic, &partitions) in sub.sources.iter().filter(|(topic, _)| !read(topic)) {
                let had = old.sub_topologies.iter().find_map(|sub| sub.sources.get(topic)).copied();
                let subject = format!("topic {topic}");
                match had {
                    None if self.before.manifest.is_none() => {}
                    None => self.say(PlanAction::New, subject, "it was not read before"),
                    Some(had) if had == partitions => {}
                    Some(had) if stateful.contains(&number) => {
                        self.spread_anew.insert(number);
                        let reason = format!(
                            "it has {partitions} partitions and had {had}, and there is state by its keys, most of which \
                             would be looked for in other partitions than they were kept in; make a topic with {had} \
                             partitions, or reset the application (`candlewick reset`) to process its input anew"
                        );
                        self.say(PlanAction::Refuse, subject, reason);
                    }
                    Some(had) => {
                        let reason =
                            format!("{partitions} partitions instead of {had}; nothing is kept by its keys");
                        self.say(PlanAction::Reuse, subject, reason);
                    }
                }
            }
        }
        for topic in old.sub_topologies.iter().flat_map(|sub| sub.sources.keys()).filter(|topic| !read(topic))
        {
            if new.reader_of(topic).is_none() {
                self.say(PlanAction::Left, format!("topic {topic}"), "it is not read any more");
            }
        }
    }

    fn repartitions(&mut self) {
        let (new, old) = (self.new, self.old);
        for (topic, &partitions) in &new.repartitions {
            let subject = format!("repartition topic {topic}");
            match self.before.existing.get(topic).or_else(|| old.repartitions.get(topic)) {
                Some(&had) if had != partitions => {
                    let reason = format!(
                        "it has {had} partitions and {partitions} are needed; set Repartitioned::partitions({had}) to keep \
                         it, or reset the application (`candlewick reset`)"
                    );
                    self.say(PlanAction::Refuse, subject, reason);
                }
                Some(_) => self.say(PlanAction::Reuse, subject, ""),
                None => self.say(PlanAction::New, subject, ""),
            }
        }
        for topic in old.repartitions.keys().filter(|topic| !new.repartitions.contains_key(*topic)) {
            let reason = "what still waits in it is not processed any more";
            self.say(PlanAction::Left, format!("repartition topic {topic}"), reason);
        }
    }

    fn store(&mut self, decl: &StoreDecl, new: &StoreEntry) {
        let subject = format!("store {}", decl.name);
        let exists = new.changelog.as_ref().and_then(|topic| self.before.existing.get(topic)).copied();
        if let Some(had) = exists.filter(|&had| had != new.partitions)
            && let Some(topic) = &new.changelog
        {
            if !self.spread_anew.contains(&new.sub_topology) {
                let reason = format!(
                    "its changelog {topic} has {had} partitions and {} are needed; {ANEW}",
                    new.partitions
                );
                self.say(PlanAction::Refuse, subject, reason);
            }
            return;
        }
        let (action, reason) = match self.old.stores.get(&*decl.name) {
            Some(old) => became(decl, old, new),
            None if exists.is_some() => (PlanAction::Reuse, "its changelog is there already".to_owned()),
            None if self.before.manifest.is_some() => {
                (PlanAction::New, "it begins empty: input that was processed before is not in it".to_owned())
            }
            None => (PlanAction::New, String::new()),
        };
        let is_told = action == PlanAction::Refuse && self.spread_anew.contains(&new.sub_topology);
        if !is_told {
            self.say(action, subject, reason);
        }
    }

    fn left_stores(&mut self) {
        let old = self.old;
        for (name, store) in old.stores.iter().filter(|(name, _)| !self.new.stores.contains_key(*name)) {
            let reason = match &store.changelog {
                Some(topic) => format!("its changelog {topic} stays until it is deleted"),
                None => String::new(),
            };
            self.say(PlanAction::Left, format!("store {name}"), reason);
        }
    }

    fn operators(&mut self) {
        let all = |manifest: &Manifest| -> BTreeMap<String, Option<i64>> {
            let operators = manifest.sub_topologies.iter().flat_map(|sub| &sub.operators);
            operators.map(|(name, operator)| (name.clone(), operator.grace_ms)).collect()
        };
        if self.before.manifest.is_none() {
            return;
        }
        let (new, old) = (all(self.new), all(self.old));
        for (action, these, those) in [(PlanAction::New, &new, &old), (PlanAction::Left, &old, &new)] {
            let names: Vec<&str> =
                these.keys().filter(|name| !those.contains_key(*name)).map(String::as_str).collect();
            if !names.is_empty() {
                self.say(action, "operators".into(), names.join(", "));
            }
        }
        for (name, grace) in &new {
            if let Some((Some(had), Some(grace))) = old.get(name).map(|had| (*had, *grace))
                && had != grace
            {
                let reason = format!("a grace of {grace} ms instead of {had} ms, from now on");
                self.say(PlanAction::Reuse, format!("operator {name}"), reason);
            }
        }
    }
}

/// What becomes of a store that was there before.
fn became(decl: &StoreDecl, old: &StoreEntry, new: &StoreEntry) -> (PlanAction, String) {
    if let Some(reason) = obstacle(decl, old, new) {
        return (PlanAction::Refuse, format!("{reason}; {ANEW}"));
    }
    if old.values != new.values {
        let reason = "its values were written by another schema, and are read by the rules of their format";
        return (PlanAction::Migrate, reason.to_owned());
    }
    match rebuilt(old, new) {
        Some(reason) => (PlanAction::Rebuild, reason),
        None => (PlanAction::Reuse, kept_otherwise(old, new).unwrap_or_default()),
    }
}

/// Why a store's rows, here and in its changelog, cannot be gone on with.
fn obstacle(decl: &StoreDecl, old: &StoreEntry, new: &StoreEntry) -> Option<String> {
    if old.kind != new.kind {
        return Some(format!("it was a {} store and is a {} store now", old.kind, new.kind));
    }
    if let (Some(was), Some(is)) = (old.size_ms, new.size_ms)
        && was != is
    {
        return Some(format!("its windows were of {was} ms and are of {is} ms now"));
    }
    if old.partitions != new.partitions {
        return Some(format!(
            "it lies in {} partitions and its input has {} now, so that most keys would be looked for where they are not",
            old.partitions, new.partitions
        ));
    }
    if let (Some(was), Some(is)) = (&old.key, &new.key)
        && was != is
    {
        let what = if was.name() == is.name() { "another schema" } else { was.name() };
        return Some(format!(
            "its keys were written as {what} and are written as {is} now, and are looked up by their bytes"
        ));
    }
    if old.values.len() == new.values.len()
        && let Err(error) = decl.formats.reads(&old.values)
    {
        return Some(format!("its values were {error}"));
    }
    match (&old.changelog, &new.changelog) {
        (None, Some(_)) => Some("it has no changelog to be restored from, and would have one now".to_owned()),
        (Some(was), Some(is)) if was != is && decl.source.is_none() => {
            Some(format!("it was restored from {was}, and its changelog {is} would begin empty"))
        }
        _ => None,
    }
}

/// Why what lies on the disks of instances is of no use any more.
fn rebuilt(old: &StoreEntry, new: &StoreEntry) -> Option<String> {
    let from = new
        .changelog
        .as_ref()
        .map_or_else(|| "it begins empty".to_owned(), |topic| format!("it is restored from {topic}"));
    if old.sub_topology != new.sub_topology {
        let (was, is) = (old.sub_topology, new.sub_topology);
        return Some(format!("it belongs to the tasks {is}_* instead of {was}_*; {from}"));
    }
    if old.changelog.is_some() && new.changelog.is_some() && old.changelog != new.changelog {
        return Some(from);
    }
    (old.persistent != new.persistent).then(|| {
        let place = if new.persistent { "on disk" } else { "in memory" };
        format!("it is kept {place} now; {from}")
    })
}

/// What changes from now on, and takes nothing away.
fn kept_otherwise(old: &StoreEntry, new: &StoreEntry) -> Option<String> {
    match (old.retention_ms, new.retention_ms, &new.changelog) {
        (Some(was), Some(is), changelog) if was != is => {
            let topic = changelog
                .as_ref()
                .map(|topic| format!("; {topic} keeps its own retention.ms until it is altered"));
            Some(format!("rows are kept for {is} ms instead of {was} ms{}", topic.unwrap_or_default()))
        }
        _ => match (&old.changelog, &new.changelog) {
            (Some(was), None) => {
                Some(format!("{was} is not written any more: after a loss of its disk it begins empty"))
            }
            _ => None,
        },
    }
}

impl Manifest {
    /// The sub-topologies whose folders on a disk, last used by the plan `old`, hold rows that this plan must not go on with.
    /// `left` are the stores, with their sub-topologies, that earlier plans left there; it is brought up to date.
    pub(crate) fn stale_on_disk(&self, old: &Self, left: &mut BTreeSet<(String, usize)>) -> BTreeSet<usize> {
        let mut stale = BTreeSet::new();
        for (name, new) in self.stores.iter().filter(|(_, store)| store.persistent) {
            let place = (name.clone(), new.sub_topology);
            let old =
                old.stores.get(name).filter(|old| old.persistent && old.sub_topology == new.sub_topology);
            let is_same = old.is_some_and(|old| old.changelog == new.changelog || new.changelog.is_none());
            if !is_same && (old.is_some() || left.contains(&place)) {
                stale.insert(new.sub_topology);
            }
        }
        left.retain(|(_, sub)| !stale.contains(sub));
        for (name, old) in old.stores.iter().filter(|(_, store)| store.persistent) {
            let stays = self
                .stores
                .get(name)
                .is_some_and(|new| new.persistent && new.sub_topology == old.sub_topology);
            if !stays && !stale.contains(&old.sub_topology) {
                left.insert((name.clone(), old.sub_topology));
            }
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan with these stores, each with its sub-topology, on disk.
    fn plan(stores: &[(&str, usize)]) -> Manifest {
        let entry = |sub_topology| StoreEntry {
            sub_topology,
            partitions: 1,
            kind: "key-value".into(),
            size_ms: None,
            retention_ms: None,
            changelog: Some("changelog".into()),
            persistent: true,
            key: None,
            values: Vec::new(),
        };
        let stores = stores.iter().map(|(name, sub)| ((*name).to_owned(), entry(*sub)));
        Manifest { stores: stores.collect(), ..Manifest::default() }
    }

    #[test]
    fn rows_that_a_plan_left_on_disk_are_removed_when_they_would_be_used_again() {
        let (with, without, moved) =
            (plan(&[("a", 0), ("b", 0)]), plan(&[("b", 0)]), plan(&[("b", 0), ("a", 1)]));
        let mut left = BTreeSet::new();
        assert!(with.stale_on_disk(&Manifest::default(), &mut left).is_empty(), "an empty disk");
        assert!(without.stale_on_disk(&with, &mut left).is_empty(), "what is not used does no harm");
        assert_eq!(left, BTreeSet::from([("a".to_owned(), 0)]));
        assert!(moved.stale_on_disk(&without, &mut left).is_empty(), "there is nothing of it in that place");
        assert_eq!(
            with.stale_on_disk(&moved, &mut left),
            BTreeSet::from([0]),
            "it would go on with old rows"
        );
        assert_eq!(left, BTreeSet::from([("a".to_owned(), 1)]));
    }

    #[test]
    fn rows_of_another_changelog_are_removed() {
        let (one, mut other) = (plan(&[("a", 0)]), plan(&[("a", 0)]));
        other.stores.get_mut("a").expect("it is there").changelog = Some("source".into());
        assert_eq!(other.stale_on_disk(&one, &mut BTreeSet::new()), BTreeSet::from([0]));
        other.stores.get_mut("a").expect("it is there").changelog = None;
        assert!(other.stale_on_disk(&one, &mut BTreeSet::new()).is_empty(), "they are all that there is");
    }
}
