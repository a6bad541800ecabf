//! How far each partition was read and how far it is safe: what may be committed. Pure bookkeeping of offsets.

use std::collections::BTreeMap;

use candlewick::client::{CommittedOffset, StartAt};
use candlewick::{Partition, TopicPartition};

/// Offsets of the partitions that are read.
#[derive(Debug, Default)]
pub(super) struct Positions {
    held: BTreeMap<Partition, Position>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Position {
    /// The next offset to read; `None` before the first record of a partition without a committed offset.
    next: Option<i64>,
    committed: Option<i64>,
}

impl Positions {
    /// A partition was assigned, with its committed offset.
    pub(super) fn add(&mut self, partition: Partition, committed: Option<i64>) {
        self.held.insert(partition, Position { next: committed, committed });
    }

    pub(super) fn remove(&mut self, partition: Partition) {
        self.held.remove(&partition);
    }

    pub(super) fn contains(&self, partition: Partition) -> bool {
        self.held.contains_key(&partition)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = Partition> {
        self.held.keys().copied()
    }

    /// Everything before this offset has been read.
    pub(super) fn read_to(&mut self, partition: Partition, next: i64) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.next = Some(held.next.map_or(next, |before| before.max(next)));
        }
    }

    /// What stood before this offset is gone: reading goes on here.
    pub(super) fn reset(&mut self, partition: Partition, first: i64) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.next = Some(first);
        }
    }

    /// Where the partitions are read from: behind what was read.
    pub(super) fn starts(&self, topic: &str) -> Vec<(TopicPartition, StartAt)> {
        let start = |next: Option<i64>| next.map_or(StartAt::Beginning, StartAt::Offset);
        let held = self.held.iter();
        held.map(|(partition, position)| (TopicPartition::new(topic, partition.0), start(position.next)))
            .collect()
    }

    /// What was read and not committed. Asked for when everything that was read is safe.
    pub(super) fn uncommitted(&self, topic: &str) -> Vec<(TopicPartition, CommittedOffset)> {
        let held = self.held.iter().filter(|(_, position)| position.next != position.committed);
        held.filter_map(|(partition, position)| {
            let offset = CommittedOffset { offset: position.next?, metadata: String::new() };
            Some((TopicPartition::new(topic, partition.0), offset))
        })
        .collect()
    }

    /// The log took these offsets.
    pub(super) fn committed(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) {
        for (partition, offset) in offsets {
            if let Some(held) = self.held.get_mut(&partition.partition) {
                held.committed = Some(offset.offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_and_not_committed_is_committed() {
        let mut positions = Positions::default();
        positions.add(Partition(0), Some(10));
        positions.add(Partition(1), None);
        assert!(positions.uncommitted("t").is_empty());
        positions.read_to(Partition(0), 12);
        positions.read_to(Partition(9), 5);
        let offsets = positions.uncommitted("t");
        assert_eq!(offsets.len(), 1);
        assert_eq!((offsets[0].0.partition, offsets[0].1.offset), (Partition(0), 12));
        positions.committed(&offsets);
        assert!(positions.uncommitted("t").is_empty());
        let starts = positions.starts("t");
        assert_eq!(starts[0].1, StartAt::Offset(12));
        assert_eq!(starts[1].1, StartAt::Beginning);
    }
}
