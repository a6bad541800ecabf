//! What a consumer asks the brokers and what it learns from their answers: leaders, offsets, records. Must not know what
//! polls do with them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cluster::{Answer, Asked};
use super::consumer::FetchConsumer;
use super::messages::{
    FETCH, FetchLimits, FetchPlace, LIST_OFFSETS, Leader, METADATA, OffsetQuestion, Refusal, read_fetch,
    read_list_offsets, read_metadata, write_fetch, write_list_offsets, write_metadata,
};
use super::slot::Slot;
use super::wire::{Malformed, Reader};
use crate::client::error::ClientError;
use crate::record::TopicPartition;
use crate::time::Clock;

/// A partition that could not be fetched, and leaders that are not known, are asked for again after this.
const AGAIN: Duration = Duration::from_millis(50);
/// A topic that the cluster does not know is gone when it says so for this long: brokers learn of changes in turn.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// How long a fetch waits while other partitions of its broker are left out of it, whose records are still here: theirs
/// is the next one.
const SHORT_WAIT: Duration = Duration::from_millis(2);

impl FetchConsumer {
    /// The leader of a partition, as it was last heard.
    pub(super) fn leader(&self, partition: &TopicPartition) -> Option<Leader> {
        let leaders = self.leaders.get(&partition.topic)?;
        let found = leaders.iter().find(|(number, _)| *number == partition.partition.0);
        found.map(|(_, leader)| *leader).filter(|leader| leader.broker >= 0)
    }

    /// Asks for leaders when that is due.
    pub(super) fn refresh(&mut self, now: Duration) {
        if !self.stale || self.refreshing || now < self.refresh_at {
            return;
        }
        let mut topics: Vec<&Arc<str>> = self.slots.iter().map(|slot| &slot.source.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        let names = topics.iter().map(|topic| &***topic);
        let asked = self.cluster.ask_any(METADATA, Asked::Metadata, |writer| write_metadata(writer, names));
        (self.refreshing, self.refresh_at) = (asked, now + AGAIN);
    }

    /// Asks each leader whose last fetch is answered for the partitions that have room.
    pub(super) fn fetch(&mut self, now: Duration) {
        let mut asked: Vec<i32> = Vec::new();
        for index in 0..self.slots.len() {
            let Some(Leader { broker, .. }) = self.slots[index].leader else { continue };
            if !asked.contains(&broker) && !self.fetching.contains(&broker) {
                asked.push(broker);
                self.fetch_from(broker, now);
            }
        }
    }

    fn fetch_from(&mut self, broker: i32, now: Duration) {
        let low_water = self.settings.partition_bytes_max / 2;
        let of_broker = |slot: &&Slot| slot.leader.is_some_and(|leader| leader.broker == broker);
        let has_room = |slot: &&Slot| {
            !slot.paused && slot.fetch_from >= 0 && now >= slot.retry_at && slot.waiting() <= low_water
        };
        // What comes first in a fetch is served first: each partition is it in turn.
        let (front, back) = self.slots.split_at(self.turn % self.slots.len().max(1));
        let slots: Vec<&Slot> = back.iter().chain(front).filter(of_broker).filter(has_room).collect();
        if slots.is_empty() {
            return;
        }
        let all = self.slots.iter().filter(of_broker).count();
        let wait = match slots.len() < all {
            // Where a partition ends is told by its first answer, which may be what somebody waits for.
            _ if slots.iter().any(|slot| slot.end.is_none()) => Duration::ZERO,
            true => self.settings.wait.min(SHORT_WAIT),
            false => self.settings.wait,
        };
        let limits = FetchLimits {
            isolation: self.settings.isolation,
            wait_ms: count(wait.as_millis()),
            bytes_min: count(self.settings.bytes_min as u128),
            bytes_max: count(self.settings.bytes_max as u128),
            partition_bytes_max: count(self.settings.partition_bytes_max as u128),
        };
        let places = slots.iter().map(|slot| (slot.source.clone(), slot.fetch_from)).collect();
        let written = slots.iter().map(|slot| FetchPlace {
            topic: &slot.source.topic,
            partition: slot.source.partition.0,
            epoch: slot.leader.map_or(-1, |leader| leader.epoch),
            offset: slot.fetch_from,
        });
        let is_asked = self
            .cluster
            .ask(broker, FETCH, Asked::Fetch(places), |writer| write_fetch(writer, &limits, written));
        if is_asked {
            self.fetching.push(broker);
        } else {
            // It may lead no longer.
            self.stale = true;
        }
    }

    /// Asks the leaders for offsets; the answers come to `offsets`.
    pub(super) fn question_offsets(&mut self, asked: &[(&TopicPartition, i64)]) {
        let level = self.settings.isolation;
        let mut brokers: Vec<i32> = asked
            .iter()
            .filter_map(|(partition, _)| self.leader(partition))
            .map(|leader| leader.broker)
            .collect();
        brokers.sort_unstable();
        brokers.dedup();
        for broker in brokers {
            let of_broker = asked.iter().filter_map(|(partition, at)| {
                let leader = self.leader(partition).filter(|leader| leader.broker == broker)?;
                let (topic, number) = (&*partition.topic, partition.partition.0);
                Some(OffsetQuestion { topic, partition: number, epoch: leader.epoch, at: *at })
            });
            let questions: Vec<OffsetQuestion<'_>> = of_broker.collect();
            let is_asked = self.cluster.ask(broker, LIST_OFFSETS, Asked::Offsets, |writer| {
                write_list_offsets(writer, level, questions.into_iter());
            });
            self.stale |= !is_asked;
        }
    }

    /// Takes in an answer, or that there is none.
    pub(super) fn absorb(&mut self, answer: Answer) {
        let Answer { broker, asked, frame } = answer;
        let outcome = match (asked, frame) {
            (Asked::Metadata, frame) => {
                self.refreshing = false;
                frame.map_or(Ok(()), |frame| self.absorb_metadata(&frame))
            }
            (Asked::Fetch(places), frame) => {
                self.fetching.retain(|fetching| *fetching != broker);
                self.stale |= frame.is_none();
                frame.map_or(Ok(()), |frame| self.absorb_fetch(&places, &frame))
            }
            (Asked::Offsets, Some(frame)) => self.absorb_offsets(&frame),
            (Asked::Offsets, None) => {
                self.stale = true;
                Ok(())
            }
            (Asked::Versions | Asked::Awaited, _) => Ok(()),
        };
        if let Err(malformed) = outcome {
            self.cluster.hang_up(broker, &malformed);
            self.fetching.retain(|fetching| *fetching != broker);
            (self.stale, self.refreshing) = (true, false);
        }
    }

    fn absorb_metadata(&mut self, frame: &Bytes) -> Result<(), Malformed> {
        let (brokers, topics) = read_metadata(&mut Reader::new(frame, "the cluster's metadata"))?;
        self.cluster.learn(&brokers);
        let now = self.clock.monotonic();
        let mut missing: Vec<&str> = Vec::new();
        for (topic, leaders) in topics {
            match leaders {
                Ok(leaders) => drop(self.leaders.insert(topic.into(), leaders)),
                Err(refusal) if refusal.is_missing() => missing.push(topic),
                Err(refusal) if refusal.is_passing() => {}
                Err(refusal) => self.pend(refusal.error("finding the leaders", topic, self.cluster.who())),
            }
        }
        for index in 0..self.slots.len() {
            let source = self.slots[index].source.clone();
            let leader = self.leader(&source);
            let is_missing = missing.contains(&&*source.topic) || self.is_beyond(&source);
            let slot = &mut self.slots[index];
            slot.leader = leader;
            slot.missing_since = is_missing.then(|| slot.missing_since.unwrap_or(now));
            if slot.missing_since.is_some_and(|since| now > since + GONE_AFTER) {
                slot.missing_since = Some(now);
                self.pend(ClientError::UnknownTopic { topic: source.topic.to_string() });
            }
        }
        self.stale = self.slots.iter().any(|slot| slot.leader.is_none() || slot.missing_since.is_some());
        Ok(())
    }

    /// Whether the topic is there and has fewer partitions.
    fn is_beyond(&self, source: &TopicPartition) -> bool {
        let leaders = self.leaders.get(&source.topic);
        leaders.is_some_and(|leaders| leaders.iter().all(|(number, _)| *number != source.partition.0))
    }

    fn absorb_fetch(&mut self, places: &[(TopicPartition, i64)], frame: &Bytes) -> Result<(), Malformed> {
        let fetched = match read_fetch(&mut Reader::new(frame, "fetched records"))? {
            Ok(fetched) => fetched,
            Err(refusal) if refusal.is_passing() => Vec::new(),
            Err(refusal) => {
                self.pend(refusal.error("fetching", "all topics", self.cluster.who()));
                Vec::new()
            }
        };
        for (index, fetched) in fetched.into_iter().enumerate() {
            let same = |(source, _): &&(TopicPartition, i64)| {
                source.partition.0 == fetched.partition && &*source.topic == fetched.topic
            };
            // Answers stand in the order of the questions, nearly always.
            let place = places.get(index).filter(same).or_else(|| places.iter().find(same));
            let Some((source, from)) = place else { continue };
            let Some(slot) = self.slots.iter().position(|slot| slot.source == *source) else { continue };
            match fetched.refusal {
                None => self.slots[slot].accept(*from, fetched, frame),
                Some(refusal) => self.refused(slot, *from, refusal),
            }
        }
        Ok(())
    }

    fn refused(&mut self, index: usize, from: i64, refusal: Refusal) {
        let now = self.clock.monotonic();
        let slot = &mut self.slots[index];
        if slot.fetch_from != from {
            return;
        }
        if refusal == Refusal::OFFSET_OUT_OF_RANGE {
            slot.retry_at = Duration::MAX;
            self.lost.push(slot.source.clone());
        } else if refusal.is_passing() || refusal.is_missing() {
            slot.retry_at = now + AGAIN;
            self.stale = true;
        } else {
            slot.retry_at = now + Duration::from_secs(1);
            let error = refusal.error("fetching", &slot.source.topic, self.cluster.who());
            self.pend(error);
        }
    }

    fn absorb_offsets(&mut self, frame: &Bytes) -> Result<(), Malformed> {
        for answer in read_list_offsets(&mut Reader::new(frame, "offsets"))? {
            self.offsets.insert(TopicPartition::new(answer.topic, answer.partition), answer.found);
        }
        Ok(())
    }

    fn pend(&mut self, error: ClientError) {
        self.pending.get_or_insert(error);
    }
}

fn count(count: u128) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
