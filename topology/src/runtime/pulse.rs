//! The pulse of a stream thread: whether it is inside user code, and that it gets on there. Written for each record, so it
//! is a plain store; must not know who feels it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::{Partition, TaskId};

/// Even while the thread is outside of nodes, odd inside; each record adds two. One thread writes, others read.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: AtomicU64,
    task: AtomicU64,
}

impl Pulse {
    /// Nodes of this task are called; whether they were before.
    pub(crate) fn enter(&self, task: TaskId) -> bool {
        let beats = self.beats.load(Ordering::Relaxed);
        let number = u64::from(task.sub_topology) << 32 | u64::from(task.partition.0.cast_unsigned());
        self.task.store(number, Ordering::Relaxed);
        self.beats.store(beats + 1 + beats % 2, Ordering::Relaxed);
        beats % 2 == 1
    }

    /// One record more.
    #[inline]
    pub(crate) fn beat(&self) {
        self.beats.store(self.beats.load(Ordering::Relaxed) + 2, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        let beats = self.beats.load(Ordering::Relaxed);
        self.beats.store(beats + beats % 2, Ordering::Relaxed);
    }

    /// A number that stays the same as long as one call into a node lasts; `None` outside of nodes.
    pub(crate) fn inside(&self) -> Option<(u64, TaskId)> {
        let beats = self.beats.load(Ordering::Relaxed);
        let number = self.task.load(Ordering::Relaxed);
        let (sub_topology, partition) = ((number >> 32) as u32, Partition((number as u32).cast_signed()));
        (beats % 2 == 1).then_some((beats, TaskId { sub_topology, partition }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_number_and_the_next_record_another() {
        let (pulse, task) = (Pulse::default(), TaskId { sub_topology: 2, partition: Partition(7) });
        assert_eq!(pulse.inside(), None);
        assert!(!pulse.enter(task));
        let first = pulse.inside().expect("inside");
        assert_eq!((pulse.inside(), first.1), (Some(first), task));
        pulse.beat();
        assert_ne!(pulse.inside().expect("still inside").0, first.0);
        assert!(pulse.enter(task), "a punctuation between two records");
        assert!(pulse.inside().is_some());
        pulse.leave();
        assert_eq!(pulse.inside(), None);
    }
}
