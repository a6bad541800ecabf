//! One owner for each transactional id. Must not know groups.

use std::sync::Arc;

use candlewick::client::{Isolation, Log, ProducerError};

use super::fixture::{Writer, read_all, texts, topic, unique, watermarks};

/// Who registers an id later owns it: whatever the old owner had not committed fails, and it stays fenced.
pub fn new_owner_fences_the_old_one(log: &Arc<dyn Log>) {
    let (topic, id) = (topic(log, "fenced", 1), unique("txn"));
    let mut old = Writer::transactional(log, &id);
    old.begin();
    old.send(&topic, 0, "k", "old");
    old.flush();
    let mut new = Writer::transactional(log, &id);
    new.begin();
    new.send(&topic, 0, "k", "new");
    new.commit();
    let error = old.try_commit().expect_err("it has lost its id");
    assert!(matches!(error, ProducerError::Fenced), "{error}");
    let again = old.0.begin_transaction().expect_err("it stays fenced");
    assert!(matches!(again, ProducerError::Fenced), "{again}");
    assert_eq!(texts(&read_all(log, &topic, 0, Isolation::ReadCommitted)), ["new"]);
    new.begin();
    new.send(&topic, 0, "k", "newer");
    new.commit();
    assert_eq!(texts(&read_all(log, &topic, 0, Isolation::ReadCommitted)), ["new", "newer"]);
}

/// Registering ends the transaction that the old owner left open, at once.
pub fn new_owner_ends_the_old_ones_transaction(log: &Arc<dyn Log>) {
    let (topic, id) = (topic(log, "ended", 1), unique("txn"));
    let mut old = Writer::transactional(log, &id);
    old.begin();
    old.send(&topic, 0, "k", "old");
    old.flush();
    assert_eq!(watermarks(log, &topic, 0).stable, 0);
    let _new = Writer::transactional(log, &id);
    let marks = watermarks(log, &topic, 0);
    assert_eq!((marks.high, marks.stable), (2, 2));
    assert_eq!(read_all(log, &topic, 0, Isolation::ReadCommitted), []);
}

/// Owners of different ids do not disturb each other.
pub fn different_ids_do_not_fence_each_other(log: &Arc<dyn Log>) {
    let topic = topic(log, "different", 1);
    let mut left = Writer::transactional(log, &unique("txn"));
    left.begin();
    left.send(&topic, 0, "k", "left");
    let mut right = Writer::transactional(log, &unique("txn"));
    right.begin();
    right.send(&topic, 0, "k", "right");
    right.commit();
    left.commit();
    let mut seen: Vec<String> =
        texts(&read_all(log, &topic, 0, Isolation::ReadCommitted)).into_iter().map(str::to_owned).collect();
    seen.sort();
    assert_eq!(seen, ["left", "right"]);
}
