//! The partitions of one task: what was fetched and waits, and which record comes next. The head with the lowest time
//! goes first, so that joined inputs advance together; within a partition the order of offsets always holds. Knows
//! bytes and times only.

use std::collections::VecDeque;
use std::time::Duration;

use crate::record::{RawRecord, RecordRun, TopicPartition};
use crate::time::Timestamp;

/// One source partition of a task.
pub(crate) struct PartitionQueue {
    pub(crate) partition: TopicPartition,
    /// Index of the source node that reads it.
    pub(crate) source: usize,
    runs: VecDeque<RecordRun>,
    cursor: usize,
    buffered: usize,
    /// The time of the head record as its extractor tells it; filled when the choice between partitions needs it.
    head_time: Option<Timestamp>,
    /// The next offset to process: one past the last one processed.
    pub(crate) position: Option<i64>,
    /// The position is not committed yet.
    pub(crate) moved: bool,
    pub(crate) paused: bool,
    /// The greatest record time seen.
    pub(crate) partition_time: Timestamp,
    /// While this queue is empty, no record of another one is processed: one of a lower time may be on its way.
    pub(crate) is_awaited: bool,
    /// Since when there is nothing more in the log.
    pub(crate) caught_up_since: Option<Duration>,
}

/// All source partitions of a task.
pub(crate) struct PartitionGroup {
    pub(crate) queues: Vec<PartitionQueue>,
}

impl PartitionQueue {
    fn new(partition: TopicPartition, source: usize) -> Self {
        Self {
            partition,
            source,
            runs: VecDeque::new(),
            cursor: 0,
            buffered: 0,
            head_time: None,
            position: None,
            moved: false,
            paused: false,
            partition_time: Timestamp::UNKNOWN,
            is_awaited: false,
            caught_up_since: None,
        }
    }

    /// Records that wait.
    pub(crate) fn len(&self) -> usize {
        self.buffered
    }

    pub(crate) fn head(&self) -> Option<RawRecord<'_>> {
        self.runs.front()?.get(self.cursor)
    }

    /// How many records of the foremost run have gone.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The keys of the next records of the foremost run, at most so many.
    pub(crate) fn coming(&self, records: usize) -> impl Iterator<Item = &[u8]> {
        let run = self.runs.front();
        let next = self.cursor..self.cursor + records;
        next.filter_map(move |index| run?.get(index)?.key)
    }

    /// Steps behind the head record.
    pub(crate) fn advance(&mut self, offset: i64) {
        self.position = Some(offset + 1);
        self.moved = true;
        self.head_time = None;
        self.buffered -= 1;
        self.cursor += 1;
        if self.runs.front().is_some_and(|run| run.len() <= self.cursor) {
            self.runs.pop_front();
            self.cursor = 0;
        }
    }

    fn push(&mut self, run: RecordRun) {
        self.buffered += run.len();
        if !run.is_empty() {
            self.runs.push_back(run);
        }
    }
}

impl PartitionGroup {
    pub(crate) fn new(partitions: Vec<(TopicPartition, usize)>) -> Self {
        let queues = partitions.into_iter().map(|(partition, source)| PartitionQueue::new(partition, source));
        Self { queues: queues.collect() }
    }

    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.queues.iter().map(|queue| queue.partition.clone()).collect()
    }

    pub(crate) fn index_of(&self, partition: &TopicPartition) -> Option<usize> {
        self.queues.iter().position(|queue| queue.partition == *partition)
    }

    pub(crate) fn push(&mut self, index: usize, run: RecordRun) {
        self.queues[index].push(run);
    }

    pub(crate) fn buffered(&self) -> usize {
        self.queues.iter().map(PartitionQueue::len).sum()
    }

    /// Whether a record may be processed.
    pub(crate) fn is_ready(&self) -> bool {
        let is_held = |queue: &PartitionQueue| queue.buffered == 0 && queue.is_awaited;
        self.buffered() > 0 && (self.queues.len() == 1 || !self.queues.iter().any(is_held))
    }

    /// The queue whose head has the lowest time, by `time_of` (a source's extractor); the first one among equals; none
    /// while an empty queue is awaited.
    /// With one partition nothing is compared and no time is asked for.
    #[inline]
    pub(crate) fn choose(
        &mut self,
        mut time_of: impl FnMut(&PartitionQueue, RawRecord<'_>) -> Timestamp,
    ) -> Option<usize> {
        if let [queue] = self.queues.as_slice() {
            return (queue.buffered > 0).then_some(0);
        }
        let mut best: Option<(Timestamp, usize)> = None;
        for (index, queue) in self.queues.iter_mut().enumerate() {
            let Some(head) = queue.head() else {
                if queue.is_awaited {
                    return None;
                }
                continue;
            };
            let time = match queue.head_time {
                Some(time) => time,
                None => time_of(queue, head),
            };
            queue.head_time = Some(time);
            if best.is_none_or(|(least, _)| time < least) {
                best = Some((time, index));
            }
        }
        best.map(|(_, index)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Headers;

    fn run(topic: &str, records: &[(i64, i64)]) -> RecordRun {
        let mut run = RecordRun::new(TopicPartition::new(topic, 0));
        for &(offset, time) in records {
            run.push(offset, Timestamp(time), None, Some(b"x"), Headers::default());
        }
        run
    }

    #[test]
    fn lowest_head_goes_first_and_offsets_stay_in_order() {
        let partitions = vec![(TopicPartition::new("a", 0), 0), (TopicPartition::new("b", 0), 1)];
        let mut group = PartitionGroup::new(partitions);
        group.push(0, run("a", &[(0, 10), (1, 5), (2, 30)]));
        group.push(1, run("b", &[(0, 7), (1, 20)]));
        let mut order = Vec::new();
        while let Some(index) = group.choose(|_, raw| raw.timestamp) {
            let head = group.queues[index].head().map(|raw| (raw.offset, raw.timestamp.0)).expect("chosen");
            order.push((index, head.1));
            group.queues[index].advance(head.0);
        }
        assert_eq!(order, [(1, 7), (0, 10), (0, 5), (1, 20), (0, 30)]);
        assert_eq!(group.buffered(), 0);
    }

    #[test]
    fn keys_that_come_are_those_of_the_foremost_run_behind_what_has_gone() {
        let mut group = PartitionGroup::new(vec![(TopicPartition::new("a", 0), 0)]);
        let mut keyed = RecordRun::new(TopicPartition::new("a", 0));
        for (offset, key) in [(0, Some(&b"k0"[..])), (1, None), (2, Some(b"k2")), (3, Some(b"k3"))] {
            keyed.push(offset, Timestamp(0), key, None, Headers::default());
        }
        group.push(0, keyed);
        group.push(0, run("a", &[(4, 0)]));
        let queue = &mut group.queues[0];
        assert_eq!(queue.coming(3).collect::<Vec<_>>(), [&b"k0"[..], b"k2"]);
        queue.advance(0);
        assert_eq!((queue.cursor(), queue.coming(9).collect::<Vec<_>>()), (1, vec![&b"k2"[..], b"k3"]));
    }

    #[test]
    fn nothing_goes_while_an_empty_queue_is_awaited() {
        let partitions = vec![(TopicPartition::new("a", 0), 0), (TopicPartition::new("b", 0), 1)];
        let mut group = PartitionGroup::new(partitions);
        group.push(0, run("a", &[(0, 10)]));
        group.queues[1].is_awaited = true;
        assert_eq!((group.is_ready(), group.choose(|_, raw| raw.timestamp)), (false, None));
        group.push(1, run("b", &[(0, 7)]));
        assert_eq!((group.is_ready(), group.choose(|_, raw| raw.timestamp)), (true, Some(1)));
        group.queues[1].advance(0);
        assert_eq!(group.choose(|_, raw| raw.timestamp), None);
        group.queues[1].is_awaited = false;
        assert_eq!((group.is_ready(), group.choose(|_, raw| raw.timestamp)), (true, Some(0)));
    }
}
