//! The requests that find and end hanging transactions, in their first versions, which are compact (KIP-664; markers and
//! registration: KIP-98). Must not know when a transaction hangs.

use std::collections::BTreeMap;

use super::messages::{Api, Refusal};
use super::wire::{Malformed, Reader, Writer};
use crate::record::TopicPartition;

pub(super) const DESCRIBE_PRODUCERS: Api = Api::compact("DescribeProducers", 61, 0);
pub(super) const DESCRIBE_TRANSACTIONS: Api = Api::compact("DescribeTransactions", 65, 0);
pub(super) const LIST_TRANSACTIONS: Api = Api::compact("ListTransactions", 66, 0);
/// A plain version: a later one adds nothing here.
pub(super) const INIT_PRODUCER: Api = Api::plain("InitProducerId", 22, 1);
pub(super) const WRITE_MARKERS: Api = Api::compact("WriteTxnMarkers", 27, 1);

/// A transaction that is open in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenTransaction {
    pub(super) producer: i64,
    pub(super) epoch: i32,
    pub(super) coordinator_epoch: i32,
    /// The offset of its first record.
    pub(super) start: i64,
}

/// A transaction as its coordinator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    pub(super) state: State,
    /// When it began, in milliseconds by the coordinator's clock: tells two of one epoch apart.
    pub(super) began: i64,
}

/// What has become of a producer's last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is under way.
    Ongoing,
    /// Its end is being written.
    Ending,
    /// The coordinator takes its end for written everywhere.
    Ended(Outcome),
    /// Nothing is known, or not any more.
    Other,
}

/// How a transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Committed,
    Aborted,
}

fn refusal(code: i16) -> Option<Refusal> {
    (code != 0).then_some(Refusal(code))
}

pub(super) fn write_producers(writer: &mut Writer, partitions: &[TopicPartition]) {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition.0);
    }
    writer.compact_count(topics.len());
    for (topic, numbers) in topics {
        writer.compact_text(topic);
        writer.compact_count(numbers.len());
        numbers.into_iter().for_each(|number| writer.i32(number));
        writer.no_tags();
    }
    writer.no_tags();
}

/// The open transactions of each partition, or why they are not told.
pub(super) type OpenIn = Vec<(TopicPartition, Result<Vec<OpenTransaction>, Refusal>)>;

pub(super) fn read_producers(reader: &mut Reader<'_>) -> Result<OpenIn, Malformed> {
    reader.i32()?;
    let mut found = Vec::new();
    for _ in 0..reader.compact_count()? {
        let topic = reader.compact_text()?;
        for _ in 0..reader.compact_count()? {
            let mut open = Vec::new();
            let partition = TopicPartition::new(topic, reader.i32()?);
            let refused = refusal(reader.i16()?);
            reader.compact_text()?;
            for _ in 0..reader.compact_count()? {
                let (producer, epoch, _sequence) = (reader.i64()?, reader.i32()?, reader.i32()?);
                let (_time, coordinator_epoch, start) = (reader.i64()?, reader.i32()?, reader.i64()?);
                reader.skip_tags()?;
                if start >= 0 {
                    open.push(OpenTransaction { producer, epoch, coordinator_epoch, start });
                }
            }
            reader.skip_tags()?;
            found.push((partition, refused.map_or(Ok(open), Err)));
        }
        reader.skip_tags()?;
    }
    Ok(found)
}

pub(super) fn write_listed(writer: &mut Writer, open: &[OpenTransaction]) {
    writer.compact_count(0);
    writer.compact_count(open.len());
    for open in open {
        writer.i64(open.producer);
    }
    writer.no_tags();
}

/// Transactional ids.
pub(super) fn read_listed<'a>(reader: &mut Reader<'a>) -> Result<Result<Vec<&'a str>, Refusal>, Malformed> {
    reader.i32()?;
    let refused = refusal(reader.i16()?);
    for _ in 0..reader.compact_count()? {
        reader.compact_text()?;
    }
    let mut ids = Vec::new();
    for _ in 0..reader.compact_count()? {
        ids.push(reader.compact_text()?);
        reader.i64()?;
        reader.compact_text()?;
        reader.skip_tags()?;
    }
    Ok(refused.map_or(Ok(ids), Err))
}

pub(super) fn write_transactions(writer: &mut Writer, ids: &[&str]) {
    writer.compact_count(ids.len());
    ids.iter().for_each(|id| writer.compact_text(id));
    writer.no_tags();
}

pub(super) fn read_transactions(
    reader: &mut Reader<'_>,
) -> Result<Result<Vec<Transaction>, Refusal>, Malformed> {
    reader.i32()?;
    let (mut transactions, mut refused) = (Vec::new(), None);
    for _ in 0..reader.compact_count()? {
        refused = refused.or(refusal(reader.i16()?));
        reader.compact_text()?;
        let state = match reader.compact_text()? {
            "Ongoing" => State::Ongoing,
            "PrepareCommit" | "PrepareAbort" | "PrepareEpochFence" => State::Ending,
            "CompleteCommit" => State::Ended(Outcome::Committed),
            "CompleteAbort" => State::Ended(Outcome::Aborted),
            _ => State::Other,
        };
        reader.i32()?;
        let began = reader.i64()?;
        let (producer, epoch) = (reader.i64()?, reader.i16()?);
        for _ in 0..reader.compact_count()? {
            reader.compact_text()?;
            for _ in 0..reader.compact_count()? {
                reader.i32()?;
            }
            reader.skip_tags()?;
        }
        reader.skip_tags()?;
        transactions.push(Transaction { producer, epoch, state, began });
    }
    Ok(refused.map_or(Ok(transactions), Err))
}

/// Registers a transactional id anew, for a producer that nobody uses; what is under way under it is aborted.
pub(super) fn write_init_producer(writer: &mut Writer, id: &str) {
    writer.text(id);
    // The longest transaction in milliseconds: none will be.
    writer.i32(1_000);
}

/// Why it was refused: as a rule, because a transaction is being aborted for it.
pub(super) fn read_init_producer(reader: &mut Reader<'_>) -> Result<Option<Refusal>, Malformed> {
    reader.i32()?;
    Refusal::read(reader)
}

/// The marker that ends a transaction in a partition.
pub(super) struct Marker<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) open: &'a OpenTransaction,
    pub(super) outcome: Outcome,
}

pub(super) fn write_markers(writer: &mut Writer, marker: &Marker<'_>) {
    let Marker { partition, open, outcome } = marker;
    writer.compact_count(1);
    writer.i64(open.producer);
    writer.i16(i16::try_from(open.epoch).unwrap_or(i16::MAX));
    writer.i8(i8::from(*outcome == Outcome::Committed));
    writer.compact_count(1);
    writer.compact_text(&partition.topic);
    writer.compact_count(1);
    writer.i32(partition.partition.0);
    writer.no_tags();
    // A partition that has seen no marker of this producer knows no coordinator's epoch.
    writer.i32(open.coordinator_epoch.max(0));
    writer.no_tags();
    writer.no_tags();
}

/// Why the marker was not written.
pub(super) fn read_markers(reader: &mut Reader<'_>) -> Result<Option<Refusal>, Malformed> {
    let mut refused = None;
    for _ in 0..reader.compact_count()? {
        reader.i64()?;
        for _ in 0..reader.compact_count()? {
            reader.compact_text()?;
            for _ in 0..reader.compact_count()? {
                reader.i32()?;
                refused = refused.or(refusal(reader.i16()?));
                reader.skip_tags()?;
            }
            reader.skip_tags()?;
        }
        reader.skip_tags()?;
    }
    Ok(refused)
}
