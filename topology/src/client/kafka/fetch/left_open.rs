//! What the predecessor of a producer has left open although its last transaction was aborted. A broker that starts gives up
//! markers of transactions that are over by then ("couldn't find leader endpoint … can be skipped"): they are aborted for
//! their coordinator and open in their partitions. The coordinator forgets that it has aborted them as soon as a producer
//! registers anew under the id, and then nobody can tell any more; so they are ended before that. Must not know why
//! somebody registers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::settings::KafkaSettings;
use super::group_offsets::ask_coordinator;
use super::group_offsets_messages::Coordinated;
use super::hanging::{Search, was_aborted};
use super::hanging_messages::{
    DESCRIBE_TRANSACTIONS, State, Transaction, read_transactions, write_transactions,
};
use super::messages::{METADATA, read_metadata, write_all_metadata};
use super::settings::FetchSettings;
use super::wire::Reader;
use crate::client::error::ClientError;
use crate::record::TopicPartition;

/// Between two questions, while an abort is under way.
const AGAIN: Duration = Duration::from_millis(20);

/// Ends it; gives in how many partitions. What this user may not end is told with what an administrator needs for that. Where
/// this client cannot look, it does not.
pub(in super::super) fn end_left_open(
    settings: &KafkaSettings,
    transactional_id: &str,
    timeout: Duration,
) -> Result<usize, ClientError> {
    if !FetchSettings::can_reach(settings) {
        return Ok(0);
    }
    let mut search = Search::new(settings, timeout)?;
    let Some(known) = search.last_of(transactional_id)? else { return Ok(0) };
    if known.state != State::Aborted {
        return Ok(0);
    }
    let mut ended = 0;
    for (leader, partitions) in search.partitions_by_leader()? {
        for (partition, open) in search.open_in(leader, &partitions)? {
            // What this user may not see was not written by it.
            for open in open.unwrap_or_default().iter().filter(|open| was_aborted(open, &known)) {
                match search.abort(leader, &partition, open) {
                    Ok(()) => ended += 1,
                    Err(error @ ClientError::Denied { .. }) => tracing::warn!(
                        transactional_id,
                        %partition,
                        start_offset = open.start,
                        %error,
                        "a transaction that was aborted is open for ever: let an administrator end it with \
                         `kafka-transactions.sh abort`, this partition and this offset"
                    ),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(ended)
}

impl Search {
    /// The last transaction of a transactional id, once it is not being aborted any more.
    fn last_of(&mut self, id: &str) -> Result<Option<Transaction>, ClientError> {
        loop {
            let known =
                ask_coordinator(&mut self.brokers, Coordinated::Transactions(id), |brokers, broker| {
                    if !brokers.cluster.knows(DESCRIBE_TRANSACTIONS) {
                        // A broker before 3.0: it cannot be asked.
                        return Ok(Ok(Vec::new()));
                    }
                    let frame = brokers.ask(Some(broker), DESCRIBE_TRANSACTIONS, |writer| {
                        write_transactions(writer, &[id])
                    })?;
                    let known = read_transactions(&mut Reader::new(&frame, "described transactions"));
                    known.map_err(|error| brokers.malformed(error))
                })?;
            // An id that nobody knows, or that this user may not see, has left nothing.
            let known = known.ok().and_then(|known| known.first().copied());
            let is_ending = known.is_some_and(|known| known.state == State::Aborting);
            if !is_ending || self.brokers.left().is_zero() {
                return Ok(known);
            }
            std::thread::sleep(AGAIN);
        }
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
