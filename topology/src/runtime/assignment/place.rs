//! From shares to tasks: each member keeps what it runs as far as its share goes, and takes from what is left.

use std::collections::BTreeMap;

use super::shares::shares;
use crate::record::TaskId;

/// Somebody who can run tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its lasting name.
    pub(crate) instance: String,
    /// Its stream threads: its weight.
    pub(crate) threads: usize,
}

/// Places every task on one of `candidates`, which must be in the order of their names. `current` tells who runs a task
/// now; a name that is no candidate counts as nobody. Of tasks that may move, those move first that have a copy of their
/// stores where there is room, and they move there. Without candidates nothing is placed.
pub(crate) fn place(
    tasks: &[TaskId],
    candidates: &[Candidate],
    current: &BTreeMap<TaskId, String>,
    has_copy: impl Fn(&TaskId, &str) -> bool,
) -> BTreeMap<TaskId, String> {
    if candidates.is_empty() {
        return BTreeMap::new();
    }
    let mut by_sub_topology: BTreeMap<u32, Vec<TaskId>> = BTreeMap::new();
    for &task in tasks {
        by_sub_topology.entry(task.sub_topology).or_default().push(task);
    }
    let owner = |task: &TaskId| {
        let name = current.get(task)?;
        candidates.iter().position(|candidate| candidate.instance == *name)
    };
    let held: Vec<Vec<usize>> =
        by_sub_topology.values().map(|tasks| held_by(tasks, owner, candidates)).collect();
    let sizes: Vec<usize> = by_sub_topology.values().map(Vec::len).collect();
    let weights: Vec<usize> = candidates.iter().map(|candidate| candidate.threads.max(1)).collect();
    let mut left = shares(&sizes, &weights, &held);
    let mut placed = BTreeMap::new();
    for (tasks, left) in by_sub_topology.values().zip(&mut left) {
        let mut homeless = Vec::new();
        let mut settle = |task: TaskId, at: usize, left: &mut Vec<usize>| {
            left[at] -= 1;
            placed.insert(task, candidates[at].instance.clone());
        };
        // Where more lie than are to stay, those stay that nobody else has a copy of.
        let room: Vec<bool> =
            left.iter().zip(&held_by(tasks, owner, candidates)).map(|(l, h)| l > h).collect();
        let copy_with_room = |task: &TaskId, room: &dyn Fn(usize) -> bool| {
            (0..candidates.len()).find(|&at| room(at) && has_copy(task, &candidates[at].instance))
        };
        let (movable, fixed): (Vec<TaskId>, Vec<TaskId>) =
            tasks.iter().partition(|task| copy_with_room(task, &|at| room[at]).is_some());
        for task in fixed.into_iter().chain(movable) {
            match owner(&task).filter(|&at| left[at] > 0) {
                Some(at) => settle(task, at, left),
                None => homeless.push(task),
            }
        }
        homeless.sort_by_key(|task| copy_with_room(task, &|at| left[at] > 0).is_none());
        for task in homeless {
            let at = copy_with_room(&task, &|at| left[at] > 0)
                .or_else(|| left.iter().position(|&room| room > 0))
                .expect("shares add up to the number of tasks");
            settle(task, at, left);
        }
    }
    placed
}

/// How many of these tasks each candidate has.
fn held_by(
    tasks: &[TaskId],
    owner: impl Fn(&TaskId) -> Option<usize>,
    candidates: &[Candidate],
) -> Vec<usize> {
    let mut counts = vec![0; candidates.len()];
    tasks.iter().filter_map(owner).for_each(|at| counts[at] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Partition;

    const NO_COPIES: fn(&TaskId, &str) -> bool = |_, _| false;

    fn tasks(sizes: &[usize]) -> Vec<TaskId> {
        let of = |(sub_topology, &size): (u32, &usize)| {
            let size = i32::try_from(size).expect("small");
            (0..size).map(move |n| TaskId { sub_topology, partition: Partition(n) })
        };
        (0u32..).zip(sizes).flat_map(of).collect()
    }

    fn members(threads: &[usize]) -> Vec<Candidate> {
        let member = |(at, &threads): (usize, &usize)| Candidate { instance: format!("m{at:02}"), threads };
        threads.iter().enumerate().map(member).collect()
    }

    fn moves(before: &BTreeMap<TaskId, String>, after: &BTreeMap<TaskId, String>) -> usize {
        after.iter().filter(|(task, owner)| before.get(task).is_some_and(|was| was != *owner)).count()
    }

    fn is_balanced(placed: &BTreeMap<TaskId, String>, sizes: &[usize], members: &[Candidate]) -> bool {
        let weight: usize = members.iter().map(|member| member.threads).sum();
        let within = |count: usize, total: usize, threads: usize| {
            (total * threads / weight..=(total * threads).div_ceil(weight)).contains(&count)
        };
        members.iter().all(|member| {
            let of = |sub: Option<u32>| {
                let mine = placed.iter().filter(|(_, owner)| **owner == member.instance);
                mine.filter(|(task, _)| sub.is_none_or(|sub| task.sub_topology == sub)).count()
            };
            within(of(None), sizes.iter().sum(), member.threads)
                && (0u32..).zip(sizes).all(|(sub, &size)| within(of(Some(sub)), size, member.threads))
        })
    }

    #[test]
    fn a_newcomer_takes_its_share_and_nothing_else_moves() {
        let all = tasks(&[8]);
        let alone = place(&all, &members(&[1]), &BTreeMap::new(), NO_COPIES);
        let both = place(&all, &members(&[1, 1]), &alone, NO_COPIES);
        assert_eq!(moves(&alone, &both), 4);
        assert_eq!(place(&all, &members(&[1, 1]), &both, NO_COPIES), both);
    }

    #[test]
    fn nobody_gets_anything_where_there_is_nobody() {
        assert!(place(&tasks(&[3]), &[], &BTreeMap::new(), NO_COPIES).is_empty());
    }

    #[test]
    fn what_has_a_copy_moves_first_and_to_its_copy() {
        let all = tasks(&[6]);
        let alone = place(&all, &members(&[1]), &BTreeMap::new(), NO_COPIES);
        let copies = |task: &TaskId, instance: &str| match task.partition.0 {
            0 => instance == "m02",
            1 => instance == "m01",
            _ => false,
        };
        let three = place(&all, &members(&[1, 1, 1]), &alone, copies);
        let at = |n: usize| three[&all[n]].as_str();
        assert_eq!([at(0), at(1)], ["m02", "m01"], "{three:?}");
        assert_eq!(moves(&alone, &three), 4);
    }

    proptest! {
        #[test]
        fn every_task_is_placed_once_and_every_share_is_within_one(
            sizes in prop::collection::vec(0usize..13, 1..5),
            threads in prop::collection::vec(1usize..5, 1..7),
            before in prop::collection::vec(1usize..5, 1..7),
        ) {
            let all = tasks(&sizes);
            let earlier = place(&all, &members(&before), &BTreeMap::new(), NO_COPIES);
            for current in [BTreeMap::new(), earlier] {
                let now = members(&threads);
                let placed = place(&all, &now, &current, NO_COPIES);
                prop_assert_eq!(placed.keys().copied().collect::<Vec<_>>(), all.clone());
                prop_assert!(is_balanced(&placed, &sizes, &now), "{placed:?}");
                // Settled: asked again with its own answer, it moves nothing.
                prop_assert_eq!(&place(&all, &now, &placed, NO_COPIES), &placed);
            }
        }

        #[test]
        fn no_balanced_placement_moves_fewer_tasks(
            sizes in prop::collection::vec(0usize..4, 1..3),
            threads in prop::collection::vec(1usize..3, 1..4),
            before in prop::collection::vec(0usize..4, 8),
        ) {
            let all = tasks(&sizes);
            let now = members(&threads);
            let owner = |at: &usize| format!("m{at:02}");
            let current: BTreeMap<TaskId, String> =
                all.iter().copied().zip(before.iter().cycle().map(owner)).collect();
            let chosen = moves(&current, &place(&all, &now, &current, NO_COPIES));
            // Every placement there is, by counting in the base of the members.
            let total = now.len().pow(u32::try_from(all.len()).expect("few"));
            for number in 0..total {
                let mut rest = number;
                let mut other = BTreeMap::new();
                for &task in &all {
                    other.insert(task, now[rest % now.len()].instance.clone());
                    rest /= now.len();
                }
                let is_better = moves(&current, &other) < chosen;
                prop_assert!(!is_better || !is_balanced(&other, &sizes, &now), "{other:?}");
            }
        }
    }
}
