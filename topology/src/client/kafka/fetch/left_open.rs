//! What the predecessor of a producer has left open although its last transaction is over. A broker that starts gives up
//! markers of transactions that were ending when it died ("couldn't find leader endpoint … can be skipped"): they have ended for
//! their coordinator and are open in their partitions. The coordinator forgets how they have ended as soon as a producer
//! registers anew under the id, and then nobody can tell any more; so they are ended before that. It is certain which those
//! are, because a producer begins no transaction while it does not know that the one before was ended everywhere
//! (`ending`): what is open is the last one. Must not know why somebody registers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::group_offsets::ask_coordinator;
use super::group_offsets_messages::Coordinated;
use super::hanging::Search;
use super::hanging_messages::{
    DESCRIBE_TRANSACTIONS, INIT_PRODUCER, OpenTransaction, Outcome, State, Transaction, read_init_producer,
    read_transactions, write_init_producer, write_transactions,
};
use super::messages::{METADATA, Refusal, read_metadata, write_all_metadata};
use super::settings::FetchSettings;
use super::wire::Reader;
use crate::client::error::ClientError;
use crate::record::TopicPartition;

/// Between two questions, while a transaction ends.
const AGAIN: Duration = Duration::from_millis(20);

/// Where a transaction is open, and the broker that leads there.
type Open = (i32, TopicPartition, OpenTransaction);

/// Ends it; gives in how many partitions. What this user may not end is told with what an administrator needs for that. Where
/// this client cannot look, it does not. What the predecessor has under way is aborted first: it is fenced.
pub(in super::super) fn end_left_open(
    settings: &KafkaSettings,
    transactional_id: &str,
    timeout: Duration,
) -> Result<usize, ClientError> {
    if !FetchSettings::can_reach(settings) {
        return Ok(0);
    }
    let mut search = Search::new(settings, timeout)?;
    loop {
        let Some(known) = search.last_ended(transactional_id)? else { return Ok(0) };
        let open = search.left_open_by(&known)?;
        if open.is_empty() {
            return Ok(0);
        }
        // Its owner may live: what was open before it was asked whether all has ended, and is open after, has hung throughout.
        if search.last_ended(transactional_id)? == Some(known) {
            return search.end_what_hangs(transactional_id, &known, &open);
        }
    }
}

/// Whether the last transaction of an id has ended, as far as its coordinator knows.
pub(in super::super) fn has_ended(
    settings: &KafkaSettings,
    transactional_id: &str,
    timeout: Duration,
) -> Result<bool, ClientError> {
    let known = Search::new(settings, timeout)?.last_of(transactional_id)?;
    Ok(known.is_none_or(|known| matches!(known.state, State::Ended(_))))
}

/// How this open transaction has ended, if it is the last one of its producer as the coordinator knows it. One that was aborted
/// by somebody else was fenced by that.
fn outcome(open: &OpenTransaction, known: &Transaction) -> Option<Outcome> {
    let State::Ended(outcome) = known.state else { return None };
    let later = i32::from(known.epoch) - open.epoch;
    let is_last = later == 0 || later == 1 && outcome == Outcome::Aborted;
    (known.producer == open.producer && is_last).then_some(outcome)
}

impl Search {
    /// The last transaction of a transactional id, once it has ended; none if nothing is known of it. One under way is
    /// aborted.
    fn last_ended(&mut self, id: &str) -> Result<Option<Transaction>, ClientError> {
        loop {
            let Some(known) = self.last_of(id)? else { return Ok(None) };
            match known.state {
                State::Ended(_) => return Ok(Some(known)),
                // Registering will tell what is forbidden.
                State::Ongoing if !self.fence(id)? => return Ok(None),
                State::Other => return Ok(None),
                State::Ongoing | State::Ending => {}
            }
            if self.brokers.left().is_zero() {
                return Err(self.brokers.too_late("a transaction has not ended in time"));
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Has the transaction that is under way aborted; says whether this user may.
    fn fence(&mut self, id: &str) -> Result<bool, ClientError> {
        let refused =
            ask_coordinator(&mut self.brokers, Coordinated::Transactions(id), |brokers, broker| {
                let frame =
                    brokers.ask(Some(broker), INIT_PRODUCER, |writer| write_init_producer(writer, id))?;
                let refused = read_init_producer(&mut Reader::new(&frame, "a registration"));
                Ok(Ok(refused.map_err(|error| brokers.malformed(error))?))
            })?;
        Ok(refused != Ok(Some(Refusal::TRANSACTIONAL_ID_DENIED)))
    }

    /// The last transaction of a transactional id, if its coordinator knows one and this user may see it.
    fn last_of(&mut self, id: &str) -> Result<Option<Transaction>, ClientError> {
        let known = ask_coordinator(&mut self.brokers, Coordinated::Transactions(id), |brokers, broker| {
            if !brokers.cluster.knows(DESCRIBE_TRANSACTIONS) {
                // A broker before 3.0: it cannot be asked.
                return Ok(Ok(Vec::new()));
            }
            let frame = brokers
                .ask(Some(broker), DESCRIBE_TRANSACTIONS, |writer| write_transactions(writer, &[id]))?;
            let known = read_transactions(&mut Reader::new(&frame, "described transactions"));
            known.map_err(|error| brokers.malformed(error))
        })?;
        Ok(known.ok().and_then(|known| known.first().copied()))
    }

    /// Where the last transaction of a producer is open.
    fn left_open_by(&mut self, known: &Transaction) -> Result<Vec<Open>, ClientError> {
        let mut left = Vec::new();
        for (leader, partitions) in self.partitions_by_leader()? {
            for (partition, open) in self.open_in(leader, &partitions)? {
                // What this user may not see is not looked at.
                let open = open.unwrap_or_default().into_iter().find(|open| outcome(open, known).is_some());
                left.extend(open.map(|open| (leader, partition, open)));
            }
        }
        Ok(left)
    }

    /// Ends what is still open of what was.
    fn end_what_hangs(
        &mut self,
        transactional_id: &str,
        known: &Transaction,
        open: &[Open],
    ) -> Result<usize, ClientError> {
        let mut ended = 0;
        for (leader, partition, open) in open {
            let still = self.open_in(*leader, std::slice::from_ref(partition))?.pop();
            let is_open = still.is_some_and(|(_, still)| still.unwrap_or_default().contains(open));
            let Some(outcome) = outcome(open, known).filter(|_| is_open) else { continue };
            match self.end(*leader, partition, open, outcome) {
                Ok(()) => ended += 1,
                Err(error @ ClientError::Denied { .. }) => tracing::warn!(
                    transactional_id,
                    %partition,
                    start_offset = open.start,
                    ?outcome,
                    %error,
                    "a transaction that has ended is open for ever: let an administrator end it as it has ended, \
                     with this partition and this offset (`kafka-transactions.sh abort` for one that was aborted)"
                ),
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// All partitions that this user may see.
    fn partitions_by_leader(&mut self) -> Result<BTreeMap<i32, Vec<TopicPartition>>, ClientError> {
        let frame = self.brokers.ask(None, METADATA, write_all_metadata)?;
        let (brokers, topics) = read_metadata(&mut Reader::new(&frame, "the cluster's metadata"))
            .map_err(|error| self.brokers.malformed(error))?;
        self.brokers.cluster.learn(&brokers);
        let mut by_leader: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
        for (topic, leaders) in topics {
            for (number, leader) in leaders.unwrap_or_default() {
                if leader.broker >= 0 {
                    by_leader.entry(leader.broker).or_default().push(TopicPartition::new(topic, number));
                }
            }
        }
        Ok(by_leader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_ended_is_said_of_the_last_transaction_alone() {
        let open = OpenTransaction { producer: 7, epoch: 2, coordinator_epoch: 0, start: 10 };
        let said = |producer, epoch, state| outcome(&open, &Transaction { producer, epoch, state, began: 0 });
        let (committed, aborted) = (State::Ended(Outcome::Committed), State::Ended(Outcome::Aborted));
        assert_eq!(said(7, 2, committed), Some(Outcome::Committed));
        assert_eq!(said(7, 2, aborted), Some(Outcome::Aborted));
        assert_eq!(said(7, 3, aborted), Some(Outcome::Aborted), "it was fenced");
        assert_eq!(said(7, 3, committed), None, "that was a later producer's");
        assert_eq!(said(7, 4, aborted), None, "that was a later producer's");
        assert_eq!(said(8, 2, committed), None);
        assert_eq!(said(7, 2, State::Ending), None);
        assert_eq!(said(7, 2, State::Other), None);
    }
}
