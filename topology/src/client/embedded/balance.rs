//! Who should own which partition: even, and moving as few as possible. Pure; must not know sessions or events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Spreads `partitions` over the members of `current`: counts differ by at most one, and a member keeps what it has as
/// far as that allows.
pub(super) fn balance(
    partitions: i32,
    current: &BTreeMap<Arc<str>, BTreeSet<i32>>,
) -> BTreeMap<Arc<str>, BTreeSet<i32>> {
    if current.is_empty() {
        return BTreeMap::new();
    }
    let total = usize::try_from(partitions).unwrap_or(0);
    let (share, extra) = (total / current.len(), total % current.len());
    let mut by_size: Vec<(&Arc<str>, &BTreeSet<i32>)> = current.iter().collect();
    by_size.sort_by_key(|(_, owned)| std::cmp::Reverse(owned.len()));
    let mut free: BTreeSet<i32> = (0..partitions).collect();
    let mut target = BTreeMap::new();
    for (at, (member, owned)) in by_size.iter().enumerate() {
        let quota = share + usize::from(at < extra);
        let kept: BTreeSet<i32> =
            owned.iter().copied().filter(|one| free.contains(one)).take(quota).collect();
        free.retain(|one| !kept.contains(one));
        target.insert(Arc::clone(member), (quota, kept));
    }
    let mut free = free.into_iter();
    target
        .into_iter()
        .map(|(member, (quota, mut owned))| {
            let missing = quota - owned.len();
            owned.extend(free.by_ref().take(missing));
            (member, owned)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(counts: &[usize]) -> BTreeMap<Arc<str>, BTreeSet<i32>> {
        let mut next = 0..;
        let member =
            |(at, count): (usize, &usize)| (format!("m{at}").into(), next.by_ref().take(*count).collect());
        counts.iter().enumerate().map(member).collect()
    }

    proptest! {
        #[test]
        fn all_partitions_are_spread_evenly_and_few_move(counts in prop::collection::vec(0usize..9, 1..7), grown in 0i32..5) {
            let before = names(&counts);
            let total = i32::try_from(counts.iter().sum::<usize>()).expect("a few") + grown;
            let after = balance(total, &before);
            let all: Vec<i32> = after.values().flatten().copied().collect();
            prop_assert_eq!(all.len(), usize::try_from(total).expect("positive"));
            prop_assert_eq!(all.iter().copied().collect::<BTreeSet<_>>().len(), all.len());
            let sizes = || after.values().map(BTreeSet::len);
            prop_assert!(sizes().max().expect("a member") - sizes().min().expect("a member") <= 1);
            let share = usize::try_from(total).expect("positive").div_ceil(counts.len());
            for (member, owned) in &before {
                let kept = owned.intersection(&after[member]).count();
                prop_assert!(kept >= owned.len().min(share).saturating_sub(1));
            }
        }
    }
}
