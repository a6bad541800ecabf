//! Removal that somebody asked for. Must not know retention.

use std::sync::Arc;
use std::time::Duration;

use candlewick::TopicPartition;
use candlewick::client::{ClientError, Isolation, Log, StartAt};

use super::fixture::{
    PATIENCE, Writer, admin, eventually, poll_once, read_all, texts, topic, unique, watermarks,
};

/// Records below the offset are gone: the first offset held is that one, and positions below it are out of range.
pub fn records_below_the_given_offset_are_gone(log: &Arc<dyn Log>) {
    let topic = topic(log, "deleted", 2);
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::plain(log);
    for number in 0..10 {
        writer.send(&topic, 0, "k", &number.to_string());
        writer.send(&topic, 1, "k", &number.to_string());
    }
    writer.flush();
    admin(log).delete_records(&[(id.clone(), 4)], PATIENCE).expect("the offset is in range");
    assert_eq!(watermarks(log, &topic, 0).low, 4);
    assert_eq!(watermarks(log, &topic, 1).low, 0);
    let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&seen), ["4", "5", "6", "7", "8", "9"]);
    assert_eq!(seen[0].offset, 4);
    let mut consumer = log.consumer(&unique("reader"), Isolation::ReadCommitted).expect("a consumer");
    consumer.assign(&[(id.clone(), StartAt::Offset(2))]).expect("the topic exists");
    let error = eventually("the position is noticed", || {
        poll_once(&mut *consumer, 1, Duration::from_millis(100)).err()
    });
    assert!(matches!(error, ClientError::OffsetOutOfRange { offset: 2, low: 4, high: 10, .. }), "{error}");
    admin(log).delete_records(&[(id, 10)], PATIENCE).expect("the end is in range");
    let marks = watermarks(log, &topic, 0);
    assert_eq!((marks.low, marks.high), (10, 10));
}

/// A deleted topic is not described any more; deleting it again is fine.
pub fn deleted_topic_is_gone(log: &Arc<dyn Log>) {
    let name = topic(log, "gone", 2);
    let mut writer = Writer::plain(log);
    writer.send(&name, 0, "k", "v");
    writer.flush();
    let mut admin = admin(log);
    admin.delete(&[&name], PATIENCE).expect("it exists");
    eventually("the topic is gone", || {
        admin.describe(&[&name], PATIENCE).expect("a description")[0].is_none().then_some(())
    });
    assert!(!admin.topics(PATIENCE).expect("a list").contains(&name));
    admin.delete(&[&name], PATIENCE).expect("a missing one is fine");
    let error = admin.watermarks(&TopicPartition::new(&*name, 0), PATIENCE).expect_err("it is gone");
    assert!(matches!(error, ClientError::UnknownTopic { .. }), "{error}");
}
