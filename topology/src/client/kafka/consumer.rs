//! The Kafka engine of [`Consumer`]: assigned partitions, read in batches.
//!
//! Positions are counted here: behind the last record handed on, moved over commit markers by what librdkafka says it
//! passed, and over everything else (aborted batches, compacted tails) by its end-of-partition events. Such an event
//! shifts librdkafka's own position one too far when it is taken through the batch call, which a later pause would make
//! real by skipping a record: so the position is set again before such a partition is paused.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use super::commits::{commit, committed};
use super::errors::{client_error, from_native, from_rdkafka};
use super::ffi::{FetchQueue, Fetched, OffsetSpec, list_offsets};
use super::settings::KafkaSettings;
use super::signals::Signals;
use crate::client::error::ClientError;
use crate::client::traits::{
    CommittedOffset, Consumer, ConsumerSettings, GroupMetadata, Isolation, PolledBatch, StartAt,
};
use crate::record::{Headers, RecordRun, TopicPartition};
use crate::time::{Clock, SystemClock, Timestamp};

/// How long an assignment or a seek may wait for the cluster.
const ASSIGN_TIMEOUT: Duration = Duration::from_secs(30);
/// How many records one native call hands over.
const TAKE_MAX: usize = 4_096;

/// An assigned partition.
struct Slot {
    source: TopicPartition,
    topic: CString,
    position: i64,
    /// Something has come since the assignment or seek: what librdkafka says of it is of this position.
    heard: bool,
    /// An end-of-partition event was the last that came: librdkafka's own position is one too far.
    shifted: bool,
    /// The last end met, and the high watermark as it was then.
    end: Option<(i64, Option<i64>)>,
    paused: bool,
    /// The run of this poll.
    run: Option<usize>,
}

/// A consumer over librdkafka.
pub(super) struct KafkaConsumer {
    fetch: FetchQueue,
    signals: Arc<Signals>,
    group: CString,
    isolation: Isolation,
    slots: Vec<Slot>,
    /// Slots by topic key and partition, learned from what comes; keys are of this assignment only.
    known: BTreeMap<(usize, i32), usize>,
    /// An error that was met behind records, which go first.
    pending: Option<ClientError>,
    clock: SystemClock,
}

impl KafkaConsumer {
    pub(super) fn new(cluster: &KafkaSettings, settings: &ConsumerSettings) -> Result<Self, ClientError> {
        let signals = Arc::new(Signals::new(cluster));
        let fetch = FetchQueue::new(&cluster.consumer(settings), Arc::clone(&signals))
            .map_err(|error| from_rdkafka("making a consumer", &error, &signals))?;
        let (group, isolation) = (c_name("making a consumer", &settings.group)?, settings.isolation);
        let (slots, known) = (Vec::new(), BTreeMap::new());
        let clock = SystemClock::default();
        Ok(Self { fetch, signals, group, isolation, slots, known, pending: None, clock })
    }

    fn slot(&self, partition: &TopicPartition) -> Result<usize, ClientError> {
        self.slots.iter().position(|slot| slot.source == *partition).ok_or_else(|| ClientError::Fatal {
            operation: "moving a consumer",
            reason: format!("{partition} is not assigned to it"),
        })
    }

    fn failed(&self, operation: &'static str, error: &super::ffi::NativeError) -> ClientError {
        from_native(operation, error, &self.signals)
    }

    /// The offsets that these starts mean now.
    ///
    /// Asks again while the answer is a passing one: clients are told of a new partition's leader before the broker knows
    /// itself to be it.
    fn resolve(&self, starts: &[(TopicPartition, StartAt)]) -> Result<Vec<i64>, ClientError> {
        let until = self.clock.monotonic() + ASSIGN_TIMEOUT;
        loop {
            match self.resolve_once(starts) {
                Err(ClientError::Unavailable { .. }) if self.clock.monotonic() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }

    fn resolve_once(&self, starts: &[(TopicPartition, StartAt)]) -> Result<Vec<i64>, ClientError> {
        let asked: Vec<(&TopicPartition, OffsetSpec)> = starts
            .iter()
            .filter_map(|(partition, start)| match start {
                StartAt::Offset(_) => None,
                StartAt::Beginning => Some((partition, OffsetSpec::Earliest)),
                StartAt::End => Some((partition, OffsetSpec::Latest)),
            })
            .collect();
        let mut found = Vec::new().into_iter();
        if !asked.is_empty() {
            let stable = self.isolation == Isolation::ReadCommitted;
            found = list_offsets(self.fetch.client(), &asked, stable, ASSIGN_TIMEOUT)
                .map_err(|error| self.failed("looking up offsets", &error))?
                .into_iter();
        }
        let mut resolve = |partition: &TopicPartition, start: &StartAt| match start {
            StartAt::Offset(offset) => Ok(*offset),
            StartAt::Beginning | StartAt::End => {
                let offset = found.next().expect("one answer for each question").map_err(|error| {
                    let topic = Some(&*partition.topic);
                    client_error("looking up offsets", error.code, &error.text, topic, &self.signals)
                })?;
                Ok(offset.unwrap_or(0))
            }
        };
        starts.iter().map(|(partition, start)| resolve(partition, start)).collect()
    }

    /// Makes librdkafka read these slots from their positions.
    fn move_to_positions(&mut self, indices: &[usize]) -> Result<(), ClientError> {
        let places = positions_list(indices.iter().map(|index| &self.slots[*index]));
        let moved =
            self.fetch.seek(&places, ASSIGN_TIMEOUT).map_err(|error| self.failed("seeking", &error))?;
        for &index in indices {
            (self.slots[index].heard, self.slots[index].shifted) = (false, false);
        }
        if moved {
            return Ok(());
        }
        // A partition that has met an offset out of range cannot be moved, only assigned anew, and so all of them.
        let positions: Vec<i64> = self.slots.iter().map(|slot| self.position_of(slot)).collect();
        let mut paused = TopicPartitionList::new();
        for (slot, position) in self.slots.iter_mut().zip(positions) {
            (slot.position, slot.heard, slot.shifted) = (position, false, false);
            if slot.paused {
                paused.add_partition(&slot.source.topic, slot.source.partition.0);
            }
        }
        self.known.clear();
        let all = positions_list(self.slots.iter());
        self.fetch.assign(&all).map_err(|error| self.failed("seeking", &error))?;
        self.fetch.pause(&paused).map_err(|error| self.failed("seeking", &error))
    }

    fn position_of(&self, slot: &Slot) -> i64 {
        if !slot.heard || slot.shifted {
            return slot.position;
        }
        let passed = self.fetch.passed(&slot.topic, slot.source.partition.0);
        passed.map_or(slot.position, |passed| passed.max(slot.position))
    }

    /// Finds missing topics before librdkafka waits for them.
    fn require_topics(&self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        let mut seen: BTreeMap<&str, i32> = BTreeMap::new();
        for (partition, _) in partitions {
            let unknown = || ClientError::UnknownTopic { topic: partition.topic.to_string() };
            if !seen.contains_key(&*partition.topic) {
                let name = c_name("assigning partitions", &partition.topic)?;
                let count = self.fetch.partitions_of(&name, ASSIGN_TIMEOUT);
                let count = count.map_err(|error| self.failed("assigning partitions", &error))?;
                seen.insert(&partition.topic, count.ok_or_else(unknown)?);
            }
            if partition.partition.0 >= seen[&*partition.topic] {
                return Err(unknown());
            }
        }
        Ok(())
    }

    fn out_of_range(&self, source: TopicPartition, offset: i64) -> ClientError {
        let asked = [(&source, OffsetSpec::Earliest)];
        let latest = [(&source, OffsetSpec::Latest)];
        let limit = Duration::from_secs(5);
        let ask = |what: &[(&TopicPartition, OffsetSpec)]| {
            let answers = list_offsets(self.fetch.client(), what, false, limit).ok()?;
            answers.into_iter().next()?.ok()?
        };
        let (low, high) = (ask(&asked).unwrap_or(-1), ask(&latest).unwrap_or(-1));
        ClientError::OffsetOutOfRange { partition: source, offset, low, high }
    }

    /// Takes what is there, at most `max`, waiting up to `timeout` for the first. Returns how many records came.
    fn take(&mut self, max: usize, timeout: Duration, runs: &mut Vec<RecordRun>) -> (usize, usize) {
        let Self { fetch, slots, known, .. } = self;
        let mut last = (0_usize, -1_i32, usize::MAX);
        let mut records = 0;
        let mut errors: Vec<(Option<usize>, Code, String)> = Vec::new();
        let count = fetch.take(max, timeout, |fetched| {
            let key = (fetched.topic_key(), fetched.partition());
            if (last.0, last.1) != key || last.2 == usize::MAX {
                last = (key.0, key.1, find(slots, known, fetched));
            }
            let slot = slots.get_mut(last.2);
            match fetched.error() {
                None => {
                    if let Some(slot) = slot {
                        push(slot, runs, fetched);
                        records += 1;
                    }
                }
                Some(Code::PartitionEOF) => {
                    if let Some(slot) = slot {
                        slot.position = slot.position.max(fetched.offset());
                        slot.end = Some((fetched.offset(), None));
                        (slot.heard, slot.shifted) = (true, true);
                    }
                }
                Some(code) => {
                    let text = fetched.value().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                    errors.push((slot.is_some().then_some(last.2), code, text));
                }
            }
        });
        for index in 0..self.slots.len() {
            if matches!(self.slots[index].end, Some((_, None))) {
                let slot = &self.slots[index];
                let high = self.fetch.high_watermark(&slot.topic, slot.source.partition.0).unwrap_or(-1);
                self.slots[index].end = slot.end.map(|(end, _)| (end, Some(high)));
            }
        }
        for (slot, code, text) in errors {
            self.note(slot, code, &text);
        }
        (count, records)
    }

    fn note(&mut self, slot: Option<usize>, code: Code, text: &str) {
        let slot = slot.map(|index| &self.slots[index]);
        let error = match (code, slot) {
            (
                Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation | Code::NoOffset,
                Some(slot),
            ) => self.out_of_range(slot.source.clone(), slot.position),
            (code, slot) => {
                let topic = slot.map(|slot| slot.source.topic.to_string());
                client_error("polling", code, text, topic.as_deref(), &self.signals)
            }
        };
        self.pending.get_or_insert(error);
    }
}

pub(super) fn c_name(operation: &'static str, name: &str) -> Result<CString, ClientError> {
    let refused =
        |_| ClientError::Fatal { operation, reason: format!("{name:?} holds a zero byte: use another name") };
    CString::new(name).map_err(refused)
}

/// The slot of what came; `usize::MAX` when it belongs to none.
fn find(slots: &[Slot], known: &mut BTreeMap<(usize, i32), usize>, fetched: &Fetched<'_>) -> usize {
    let key = (fetched.topic_key(), fetched.partition());
    if let Some(&slot) = known.get(&key) {
        return slot;
    }
    let Some(topic) = fetched.topic() else { return usize::MAX };
    let same = |slot: &Slot| slot.source.partition.0 == key.1 && &*slot.source.topic == topic;
    let found = slots.iter().position(same).unwrap_or(usize::MAX);
    if found != usize::MAX {
        known.insert(key, found);
    }
    found
}

fn push(slot: &mut Slot, runs: &mut Vec<RecordRun>, fetched: &Fetched<'_>) {
    let index = *slot.run.get_or_insert_with(|| {
        runs.push(RecordRun::new(slot.source.clone()));
        runs.len() - 1
    });
    let headers: Headers = fetched.headers();
    let offset = fetched.offset();
    runs[index].push(offset, Timestamp(fetched.timestamp()), fetched.key(), fetched.value(), headers);
    slot.position = offset + 1;
    (slot.heard, slot.shifted) = (true, false);
}

/// The list of these offsets, with their texts.
pub(super) fn offsets_list(offsets: &[(TopicPartition, CommittedOffset)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, committed) in offsets {
        let mut place = list.add_partition(&partition.topic, partition.partition.0);
        place.set_offset(Offset::Offset(committed.offset)).expect("a plain offset has a number");
        if !committed.metadata.is_empty() {
            place.set_metadata(&committed.metadata);
        }
    }
    list
}

fn positions_list<'a>(slots: impl Iterator<Item = &'a Slot>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for slot in slots {
        let mut place = list.add_partition(&slot.source.topic, slot.source.partition.0);
        place.set_offset(Offset::Offset(slot.position)).expect("a plain offset has a number");
    }
    list
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        self.require_topics(partitions)?;
        let offsets = self.resolve(partitions)?;
        let mut slots = Vec::with_capacity(partitions.len());
        for ((source, _), position) in partitions.iter().zip(offsets) {
            let topic = c_name("assigning partitions", &source.topic)?;
            let source = source.clone();
            slots.push(Slot {
                source,
                topic,
                position,
                heard: false,
                shifted: false,
                end: None,
                paused: false,
                run: None,
            });
        }
        self.fetch
            .assign(&positions_list(slots.iter()))
            .map_err(|error| self.failed("assigning partitions", &error))?;
        self.slots = slots;
        self.known.clear();
        self.pending = None;
        Ok(())
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        let index = self.slot(partition)?;
        let position = self.resolve(&[(partition.clone(), to)])?[0];
        let slot = &mut self.slots[index];
        slot.position = position;
        (slot.heard, slot.shifted, slot.end) = (false, false, None);
        self.move_to_positions(&[index])?;
        if matches!(&self.pending, Some(ClientError::OffsetOutOfRange { partition: of, .. }) if of == partition)
        {
            self.pending = None;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut list = TopicPartitionList::new();
        let mut shifted = Vec::new();
        for partition in partitions {
            let index = self.slot(partition)?;
            list.add_partition(&partition.topic, partition.partition.0);
            self.slots[index].paused = true;
            if self.slots[index].shifted {
                shifted.push(index);
            }
        }
        if !shifted.is_empty() {
            self.move_to_positions(&shifted)?;
        }
        self.fetch.pause(&list).map_err(|error| self.failed("pausing", &error))
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let index = self.slot(partition)?;
            self.slots[index].paused = false;
            list.add_partition(&partition.topic, partition.partition.0);
        }
        self.fetch.resume(&list).map_err(|error| self.failed("resuming", &error))
    }

    fn poll(
        &mut self,
        records_max: usize,
        timeout: Duration,
        batch: &mut PolledBatch,
    ) -> Result<(), ClientError> {
        batch.runs.clear();
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        for slot in &mut self.slots {
            slot.run = None;
        }
        let until = self.clock.monotonic() + timeout;
        let mut records = 0;
        // The native call waits for a full batch: ask without waiting, and wait for a single one.
        while records < records_max && self.pending.is_none() {
            let wanted = (records_max - records).min(TAKE_MAX);
            let (mut count, mut came) = self.take(wanted, Duration::ZERO, &mut batch.runs);
            if count == 0 && records == 0 {
                let left = until.saturating_sub(self.clock.monotonic());
                if left.is_zero() {
                    break;
                }
                (count, came) = self.take(1, left, &mut batch.runs);
                if count == 0 {
                    break;
                }
            }
            records += came;
            if count == 0 {
                break;
            }
        }
        if records > 0 {
            return Ok(());
        }
        if self.signals.take_down() {
            let reason = self.signals.why("all brokers are down");
            return Err(ClientError::Unavailable { operation: "polling", reason });
        }
        self.pending.take().map_or(Ok(()), Err)
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        Some(self.position_of(&self.slots[self.slot(partition).ok()?]))
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        let slot = &self.slots[self.slot(partition).ok()?];
        let high = self.fetch.high_watermark(&slot.topic, slot.source.partition.0)?;
        // librdkafka tells the last stable offset only by meeting it: it stands until the log grows.
        match slot.end {
            Some((end, Some(at))) if self.isolation == Isolation::ReadCommitted && at == high => Some(end),
            _ => Some(high),
        }
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        committed(self.fetch.client(), &self.group, partitions, timeout)
            .map_err(|error| self.failed("reading committed offsets", &error))
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        commit(offsets, member, |list| {
            self.fetch.commit(list).map_err(|error| self.failed("committing offsets", &error))
        })
    }
}
