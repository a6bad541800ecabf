//! Transactions with offsets, their timeouts and their edges. Must not know which records isolation hides.

use std::sync::Arc;
use std::time::Duration;

use candlewick::TopicPartition;
use candlewick::client::{Isolation, Log, ProducerError};

use super::fixture::{
    PATIENCE, Writer, at, eventually, now_ms, outsider, read_all, texts, topic, unique, watermarks,
};

/// Offsets sent with a transaction count when it commits, and not when it aborts.
pub fn offsets_appear_with_their_commit(log: &Arc<dyn Log>) {
    let (topic, group) = (topic(log, "with", 1), unique("group"));
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::transactional(log, &unique("txn"));
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    let mut committed =
        || consumer.committed(std::slice::from_ref(&id), PATIENCE).expect("offsets").remove(0);
    for (offset, is_committed, expected) in [(5, true, 5), (8, false, 5), (9, true, 9)] {
        writer.begin();
        writer.send(&topic, 0, "k", "v");
        writer
            .0
            .send_offsets(&[(id.clone(), at(offset))], &outsider(&group), PATIENCE)
            .expect("no objection");
        if is_committed {
            writer.commit()
        } else {
            writer.abort()
        }
        assert_eq!(committed(), Some(at(expected)));
    }
}

/// Fetching committed offsets waits for a transaction that carries one, and then shows it.
pub fn committed_waits_for_an_open_transaction(log: &Arc<dyn Log>) {
    let (topic, group) = (topic(log, "waits", 1), unique("group"));
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    writer.send(&topic, 0, "k", "v");
    writer.0.send_offsets(&[(id.clone(), at(5))], &outsider(&group), PATIENCE).expect("no objection");
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    let early = consumer.committed(std::slice::from_ref(&id), Duration::from_millis(500));
    assert!(early.is_err(), "{early:?}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            writer.commit();
        });
        let offsets = consumer.committed(std::slice::from_ref(&id), PATIENCE).expect("the transaction ends");
        assert_eq!(offsets, [Some(at(5))]);
    });
}

/// A transaction that its owner forgets is aborted, and its owner cannot commit it any more.
pub fn abandoned_transaction_is_aborted_by_its_timeout(log: &Arc<dyn Log>) {
    let topic = topic(log, "abandoned", 1);
    let mut writer = Writer::unregistered(log, &unique("txn"), Duration::from_millis(1_500));
    writer.register().expect("the id is free");
    writer.begin();
    writer.send(&topic, 0, "k", "forgotten");
    writer.flush();
    assert_eq!(watermarks(log, &topic, 0).stable, 0);
    eventually("the transaction is aborted", || (watermarks(log, &topic, 0).stable == 2).then_some(()));
    assert_eq!(read_all(log, &topic, 0, Isolation::ReadCommitted), []);
    let error = writer.try_commit().expect_err("it is over");
    let is_said = matches!(
        error,
        ProducerError::Fenced | ProducerError::Abortable { .. } | ProducerError::Fatal { .. }
    );
    assert!(is_said, "{error}");
}

/// Transactions without records or offsets are fine.
pub fn empty_transactions_end_at_once(log: &Arc<dyn Log>) {
    let topic = topic(log, "empty", 1);
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    writer.commit();
    writer.begin();
    writer.abort();
    writer.begin();
    writer.send(&topic, 0, "k", "v");
    writer.commit();
    assert_eq!(texts(&read_all(log, &topic, 0, Isolation::ReadCommitted)), ["v"]);
}

/// A transactional producer writes nothing outside of a transaction.
pub fn sending_outside_of_a_transaction_is_refused(log: &Arc<dyn Log>) {
    let topic = topic(log, "outside", 1);
    let mut writer = Writer::transactional(log, &unique("txn"));
    let sent = writer.try_send(&topic, 0, Some(b"k"), Some(b"v"), now_ms());
    let error = sent.and_then(|()| writer.0.flush(PATIENCE)).expect_err("no transaction is open");
    assert!(!matches!(error, ProducerError::QueueFull | ProducerError::Timeout { .. }), "{error}");
    assert_eq!(watermarks(log, &topic, 0).high, 0);
}
