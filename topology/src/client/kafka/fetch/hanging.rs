//! Transactions that hang: open in a partition, and ended for their coordinator, so that nothing ever ends them there.
//! Brokers that are killed while they write markers leave such ones; a reader of committed records never gets past them.
//! They are found and ended as Kafka's own tool does (KIP-664), but only where it is certain that they were aborted, and
//! that no producer can be writing to them: their coordinator says so, with an epoch beyond theirs. Whether one was
//! committed or aborted nobody can tell any more once its producer has registered anew: such ones are left to people.
//! Must not know why somebody waits.

use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::dialogue::Dialogue;
use super::hanging_messages::{
    DESCRIBE_PRODUCERS, DESCRIBE_TRANSACTIONS, LIST_TRANSACTIONS, Marker, OpenIn, OpenTransaction, Outcome,
    State, Transaction, WRITE_MARKERS, read_listed, read_markers, read_producers, read_transactions,
    write_listed, write_markers, write_producers, write_transactions,
};
use super::messages::{METADATA, Refusal, read_metadata, write_metadata};
use super::wire::Reader;
use crate::client::error::ClientError;
use crate::record::TopicPartition;

const OPERATION: &str = "ending hanging transactions";

/// One search.
pub(super) struct Search {
    pub(super) brokers: Dialogue,
}

/// Ends the hanging transactions of a partition; gives how many.
pub(in super::super) fn end_hanging(
    settings: &KafkaSettings,
    partition: &TopicPartition,
    timeout: Duration,
) -> Result<usize, ClientError> {
    Search::new(settings, timeout)?.end_in(partition)
}

/// The same where a group's offsets are kept: in its partition of the offsets topic, by the hash that brokers use.
pub(in super::super) fn end_hanging_offsets(
    settings: &KafkaSettings,
    group: &str,
    timeout: Duration,
) -> Result<usize, ClientError> {
    const OFFSETS: &str = "__consumer_offsets";
    let mut search = Search::new(settings, timeout)?;
    let count = search.leaders(OFFSETS)?.len();
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
    search.end_in(&TopicPartition::new(OFFSETS, (hash & i32::MAX) % count))
}

impl Search {
    pub(super) fn new(settings: &KafkaSettings, timeout: Duration) -> Result<Self, ClientError> {
        Ok(Self { brokers: Dialogue::new(settings, OPERATION, timeout)? })
    }

    fn end_in(&mut self, partition: &TopicPartition) -> Result<usize, ClientError> {
        let leaders = self.leaders(&partition.topic)?;
        let leader = leaders.iter().find(|(number, _)| *number == partition.partition.0);
        let Some((_, leader)) = leader else {
            return Err(ClientError::UnknownTopic { topic: partition.topic.to_string() });
        };
        let open = self.open_transactions(*leader, partition)?;
        if open.is_empty() {
            return Ok(0);
        }
        let known = self.known_transactions(&open)?;
        let hanging: Vec<&OpenTransaction> = open.iter().filter(|open| hangs(open, &known)).collect();
        if hanging.is_empty() {
            return Ok(0);
        }
        // Still the same ones: what was on its way to be ended, when its coordinator was asked, is ended by now.
        let still = self.open_transactions(*leader, partition)?;
        let mut ended = 0;
        for open in hanging.into_iter().filter(|open| still.contains(open)) {
            self.end(*leader, partition, open, Outcome::Aborted)?;
            ended += 1;
        }
        Ok(ended)
    }

    /// Writes into a partition how a transaction has ended.
    pub(super) fn end(
        &mut self,
        leader: i32,
        partition: &TopicPartition,
        open: &OpenTransaction,
        outcome: Outcome,
    ) -> Result<(), ClientError> {
        let marker = Marker { partition, open, outcome };
        let frame = self.brokers.ask(Some(leader), WRITE_MARKERS, |writer| write_markers(writer, &marker))?;
        let refusal = read_markers(&mut Reader::new(&frame, "written markers"))
            .map_err(|error| self.brokers.malformed(error))?;
        refusal.map_or(Ok(()), |refusal| {
            Err(refusal.error(OPERATION, &partition.topic, self.brokers.cluster.who()))
        })
    }

    fn open_transactions(
        &mut self,
        leader: i32,
        partition: &TopicPartition,
    ) -> Result<Vec<OpenTransaction>, ClientError> {
        let found = self.open_in(leader, std::slice::from_ref(partition))?.pop();
        found
            .map_or(Ok(Vec::new()), |(_, open)| open)
            .map_err(|refusal| refusal.error(OPERATION, &partition.topic, self.brokers.cluster.who()))
    }

    /// The open transactions of partitions that this broker leads.
    pub(super) fn open_in(
        &mut self,
        leader: i32,
        partitions: &[TopicPartition],
    ) -> Result<OpenIn, ClientError> {
        let frame = self
            .brokers
            .ask(Some(leader), DESCRIBE_PRODUCERS, |writer| write_producers(writer, partitions))?;
        read_producers(&mut Reader::new(&frame, "described producers"))
            .map_err(|error| self.brokers.malformed(error))
    }

    /// What the coordinators know of the producers of these transactions.
    fn known_transactions(&mut self, open: &[OpenTransaction]) -> Result<Vec<Transaction>, ClientError> {
        let mut known = Vec::new();
        for broker in self.brokers.cluster.ids() {
            let frame =
                self.brokers.ask(Some(broker), LIST_TRANSACTIONS, |writer| write_listed(writer, open))?;
            let listed = read_listed(&mut Reader::new(&frame, "listed transactions"))
                .map_err(|error| self.brokers.malformed(error))?;
            let ids = listed.map_err(|refusal| {
                refusal.error(OPERATION, "all transactions", self.brokers.cluster.who())
            })?;
            if ids.is_empty() {
                continue;
            }
            let frame = self
                .brokers
                .ask(Some(broker), DESCRIBE_TRANSACTIONS, |writer| write_transactions(writer, &ids))?;
            let described = read_transactions(&mut Reader::new(&frame, "described transactions"))
                .map_err(|error| self.brokers.malformed(error))?;
            known.extend(described.map_err(|refusal| {
                refusal.error(OPERATION, "the transactions", self.brokers.cluster.who())
            })?);
        }
        Ok(known)
    }

    /// The leaders of a topic's partitions.
    fn leaders(&mut self, topic: &str) -> Result<Vec<(i32, i32)>, ClientError> {
        let frame =
            self.brokers.ask(None, METADATA, |writer| write_metadata(writer, std::iter::once(topic)))?;
        let (brokers, topics) = read_metadata(&mut Reader::new(&frame, "the cluster's metadata"))
            .map_err(|error| self.brokers.malformed(error))?;
        self.brokers.cluster.learn(&brokers);
        let leaders = topics.into_iter().next().map(|(_, leaders)| leaders);
        let leaders = leaders
            .unwrap_or(Err(Refusal(3)))
            .map_err(|refusal| refusal.error(OPERATION, topic, self.brokers.cluster.who()))?;
        Ok(leaders.into_iter().map(|(number, leader)| (number, leader.broker)).collect())
    }
}

/// Whether this transaction was aborted, nobody will ever say so in the partition, and nobody can be writing in it: its
/// coordinator has aborted and fenced it, and nothing has come after it.
fn hangs(open: &OpenTransaction, known: &[Transaction]) -> bool {
    known.iter().any(|known| {
        known.producer == open.producer
            && known.state == State::Ended(Outcome::Aborted)
            && i32::from(known.epoch) == open.epoch + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_aborted_and_no_live_producer_can_write_to_is_ended() {
        let open = OpenTransaction { producer: 7, epoch: 2, coordinator_epoch: 0, start: 10 };
        let known = |producer, epoch, state| [Transaction { producer, epoch, state, began: 0 }];
        let aborted = State::Ended(Outcome::Aborted);
        assert!(hangs(&open, &known(7, 3, aborted)));
        assert!(!hangs(&open, &[]), "nobody knows what became of it");
        assert!(!hangs(&open, &known(8, 3, aborted)));
        assert!(!hangs(&open, &known(7, 2, aborted)), "its producer may begin the next one at any moment");
        assert!(!hangs(&open, &known(7, 4, aborted)), "that was a later one");
        assert!(!hangs(&open, &known(7, 3, State::Ending)), "it is about to be ended");
        assert!(!hangs(&open, &known(7, 3, State::Ended(Outcome::Committed))), "that was a later one");
        assert!(!hangs(&open, &known(7, 3, State::Other)), "it may have been committed");
    }
}
