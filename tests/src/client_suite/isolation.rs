//! Who sees which records of a transaction, and when. Must not know groups.

use std::sync::Arc;
use std::time::Duration;

use candlewick::TopicPartition;
use candlewick::client::{Isolation, Log, StartAt};

use super::fixture::{
    Writer, eventually, expect_silence, poll_once, read, read_all, reader, texts, topic, unique, watermarks,
};

/// Records of a transaction appear to read-committed consumers when it commits, in all partitions.
pub fn committed_transaction_is_seen_as_a_whole(log: &Arc<dyn Log>) {
    let topic = topic(log, "whole", 2);
    let mut writer = Writer::transactional(log, &unique("txn"));
    let mut consumer = reader(log, &topic, &[0, 1], Isolation::ReadCommitted);
    writer.begin();
    writer.send(&topic, 0, "k", "a");
    writer.send(&topic, 1, "k", "b");
    writer.flush();
    expect_silence(&mut *consumer, Duration::from_millis(300));
    writer.commit();
    let mut seen = read(&mut *consumer, 2);
    seen.sort_by_key(|one| one.partition);
    assert_eq!(texts(&seen), ["a", "b"]);
}

/// Aborted records are never seen by read-committed consumers, but by the others.
pub fn aborted_records_are_hidden_from_read_committed(log: &Arc<dyn Log>) {
    let topic = topic(log, "aborted", 1);
    let mut writer = Writer::transactional(log, &unique("txn"));
    for round in 0..6 {
        writer.begin();
        writer.send(&topic, 0, "k", &format!("{round}a"));
        writer.flush();
        writer.send(&topic, 0, "k", &format!("{round}b"));
        writer.flush();
        if round % 2 == 0 { writer.abort() } else { writer.commit() }
    }
    let committed = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&committed), ["1a", "1b", "3a", "3b", "5a", "5b"]);
    let all = read_all(log, &topic, 0, Isolation::ReadUncommitted);
    let expected: Vec<String> = (0..6).flat_map(|round| [format!("{round}a"), format!("{round}b")]).collect();
    assert_eq!(texts(&all), expected);
}

/// Wherever reading begins, in an aborted transaction or at its marker, what was committed behind is seen and nothing else.
pub fn what_is_committed_is_seen_from_any_place_before_it(log: &Arc<dyn Log>) {
    let topic = topic(log, "any-place", 1);
    let mut writer = Writer::transactional(log, &unique("txn"));
    for round in 0..4 {
        writer.begin();
        writer.send(&topic, 0, "k", &format!("{round}a"));
        writer.send(&topic, 0, "k", &format!("{round}b"));
        writer.flush();
        if round % 2 == 0 { writer.abort() } else { writer.commit() }
    }
    let committed = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&committed), ["1a", "1b", "3a", "3b"]);
    let last = committed.last().map_or(0, |seen| seen.offset);
    let partition = TopicPartition::new(&*topic, 0);
    let mut consumer = reader(log, &topic, &[0], Isolation::ReadCommitted);
    for place in 0..=last {
        consumer.seek(&partition, StartAt::Offset(place)).expect("it is held");
        let behind: Vec<_> = committed.iter().filter(|seen| seen.offset >= place).cloned().collect();
        assert_eq!(texts(&read(&mut *consumer, behind.len())), texts(&behind), "from {place}");
    }
}

/// An open transaction hides everything behind its first record, plain records of others too.
pub fn read_committed_stops_at_an_open_transaction(log: &Arc<dyn Log>) {
    let topic = topic(log, "stops", 1);
    let mut plain = Writer::plain(log);
    let mut open = Writer::transactional(log, &unique("txn"));
    plain.send(&topic, 0, "k", "before");
    plain.flush();
    open.begin();
    open.send(&topic, 0, "k", "open");
    open.flush();
    plain.send(&topic, 0, "k", "behind");
    plain.flush();
    let marks = watermarks(log, &topic, 0);
    assert_eq!((marks.low, marks.high, marks.stable), (0, 3, 1));
    let mut consumer = reader(log, &topic, &[0], Isolation::ReadCommitted);
    assert_eq!(texts(&read(&mut *consumer, 1)), ["before"]);
    expect_silence(&mut *consumer, Duration::from_millis(300));
    assert_eq!(consumer.known_end(&TopicPartition::new(&*topic, 0)), Some(1));
    let uncommitted = read_all(log, &topic, 0, Isolation::ReadUncommitted);
    assert_eq!(texts(&uncommitted), ["before", "open", "behind"]);
    open.commit();
    assert_eq!(texts(&read(&mut *consumer, 2)), ["open", "behind"]);
}

/// The position of a reader that has seen everything reaches the end, past markers and aborted records.
pub fn position_passes_markers_and_aborted_records(log: &Arc<dyn Log>) {
    let topic = topic(log, "passes", 1);
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    writer.send(&topic, 0, "k", "kept");
    writer.commit();
    writer.begin();
    writer.send(&topic, 0, "k", "dropped");
    writer.flush();
    writer.abort();
    let marks = eventually("the markers are written", || {
        Some(watermarks(log, &topic, 0)).filter(|marks| marks.high == 4 && marks.stable == 4)
    });
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let mut consumer = reader(log, &topic, &[0], isolation);
        let mut seen = Vec::new();
        eventually("the position reaches the end", || {
            seen.extend(poll_once(&mut *consumer, 10, Duration::from_millis(50)).expect("a poll"));
            consumer.position(&id).filter(|position| *position == marks.high)
        });
        let expected: &[&str] =
            if isolation == Isolation::ReadCommitted { &["kept"] } else { &["kept", "dropped"] };
        assert_eq!(texts(&seen), expected);
    }
}

/// Two producers' transactions in one partition end on their own.
pub fn transactions_of_two_producers_interleave(log: &Arc<dyn Log>) {
    let topic = topic(log, "interleave", 1);
    let mut left = Writer::transactional(log, &unique("txn"));
    let mut right = Writer::transactional(log, &unique("txn"));
    left.begin();
    right.begin();
    for number in 0..3 {
        left.send(&topic, 0, "k", &format!("left {number}"));
        left.flush();
        right.send(&topic, 0, "k", &format!("right {number}"));
        right.flush();
    }
    right.commit();
    assert_eq!(watermarks(log, &topic, 0).stable, 0);
    left.abort();
    let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&seen), ["right 0", "right 1", "right 2"]);
}
