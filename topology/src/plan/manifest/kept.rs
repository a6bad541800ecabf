//! A manifest as it lies in the control topic: with the time since which the rows of each sub-topology are of one lineage.
//! What was kept of them before that time, such as a snapshot, is of rows that were given up. Pure; asks nobody.

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::time::Timestamp;

/// A manifest that was written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) manifest: Manifest,
    /// By the number of the sub-topology, in milliseconds of the wall clock.
    #[serde(default)]
    pub(crate) since: Vec<i64>,
}

impl Kept {
    /// A manifest that follows `last` at this time. Rows that take over keep their lineage; a new one begins where a store on
    /// disk is not what the last version had in that place, and with an application that begins anew.
    pub(crate) fn new(manifest: &Manifest, last: Option<&Self>, now: Timestamp) -> Self {
        let lineage = |sub_topology: usize| {
            let had = last.and_then(|last| Some((last, *last.since.get(sub_topology)?)));
            match had {
                Some((last, since)) if manifest.goes_on(&last.manifest, sub_topology) => since,
                // No two have the same time, whatever the clock says.
                Some((_, since)) => now.as_millis().max(since + 1),
                None => now.as_millis(),
            }
        };
        Self { manifest: manifest.clone(), since: (0..manifest.sub_topologies.len()).map(lineage).collect() }
    }

    /// Whether this manifest is written down here, with all that belongs to it.
    pub(crate) fn is_of(&self, manifest: &Manifest) -> bool {
        self.manifest == *manifest && self.since.len() == manifest.sub_topologies.len()
    }
}

impl Manifest {
    /// Whether all that this plan has on the disk of a sub-topology is what the plan `old` had there.
    fn goes_on(&self, old: &Self, sub_topology: usize) -> bool {
        let mut stores =
            self.stores.iter().filter(|(_, store)| store.persistent && store.sub_topology == sub_topology);
        stores.all(|(name, new)| {
            old.stores.get(name).is_some_and(|old| {
                let is_same = old.changelog == new.changelog || new.changelog.is_none();
                is_same && old.persistent && old.sub_topology == sub_topology
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{StoreEntry, SubTopologyEntry};
    use super::*;

    /// A plan of two sub-topologies with these stores on disk: each with its sub-topology and its changelog.
    fn plan(stores: &[(&str, usize, &str)]) -> Manifest {
        let entry = |&(name, sub_topology, changelog): &(&str, usize, &str)| {
            let entry = StoreEntry {
                sub_topology,
                partitions: 1,
                kind: "key-value".into(),
                size_ms: None,
                retention_ms: None,
                changelog: Some(changelog.into()),
                persistent: true,
                key: None,
                values: Vec::new(),
            };
            (name.to_owned(), entry)
        };
        let sub = SubTopologyEntry { tasks: 1, sources: BTreeMap::new(), operators: BTreeMap::new() };
        let sub_topologies = vec![sub.clone(), sub];
        Manifest { sub_topologies, stores: stores.iter().map(entry).collect(), ..Manifest::default() }
    }

    #[test]
    fn a_lineage_ends_where_a_store_on_disk_is_another_than_before() {
        let plans = [
            // The plan, and which sub-topologies go on from the one before.
            (plan(&[("a", 0, "x"), ("b", 1, "y")]), [false, false]),
            (plan(&[("a", 0, "x")]), [true, true]),
            (plan(&[("a", 0, "z")]), [false, true]),
            (plan(&[("a", 0, "z"), ("b", 1, "y")]), [true, false]),
            (plan(&[("a", 1, "z"), ("b", 1, "y")]), [true, false]),
            (plan(&[("a", 1, "z"), ("b", 1, "y")]), [true, true]),
        ];
        let mut last: Option<Kept> = None;
        for (number, (plan, goes_on)) in plans.iter().enumerate() {
            // A clock that stands still makes none equal to another.
            let kept = Kept::new(plan, last.as_ref(), Timestamp(7));
            let before = last.map_or(vec![i64::MIN; 2], |last| last.since);
            for sub in 0..2 {
                let is_same = kept.since[sub] == before[sub];
                assert_eq!(is_same, goes_on[sub], "plan {number}, sub-topology {sub}");
                assert!(is_same || kept.since[sub] > before[sub]);
            }
            let text = serde_json::to_vec(&kept).expect("JSON");
            assert_eq!(serde_json::from_slice::<Kept>(&text).expect("the same"), kept);
            last = Some(kept);
        }
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_and_written_anew() {
        let manifest = plan(&[("a", 0, "x")]);
        let text = serde_json::to_vec(&manifest).expect("JSON");
        let kept: Kept = serde_json::from_slice(&text).expect("a manifest");
        assert!(kept.manifest == manifest && !kept.is_of(&manifest));
        assert_eq!(Kept::new(&manifest, Some(&kept), Timestamp(9)).since, [9, 9]);
    }
}
