//! What a folder keeps from one opening to the next.

use std::path::Path;
use std::sync::Arc;

use candlewick::TopicPartition;
use candlewick::client::{ClientError, EmbeddedLog, EmbeddedSettings, Isolation, Log, ProducerError};
use candlewick_tests::client_suite::fixture::{
    PATIENCE, Writer, admin, at, outsider, read_all, texts, topic_with, watermarks,
};

fn open(folder: &Path) -> Arc<dyn Log> {
    let settings = EmbeddedSettings { segment_bytes: 1_000, ..EmbeddedSettings::default() };
    EmbeddedLog::open(folder, settings).expect("the folder can be opened")
}

#[test]
fn topics_records_offsets_and_first_offsets_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = open(folder.path());
    let topic = topic_with(&log, "kept", 2, &[("cleanup.policy", "compact,delete"), ("segment.ms", "60000")]);
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::plain(&log);
    for number in 0..100 {
        writer.send(&topic, 0, "k", &number.to_string());
        writer.flush();
    }
    admin(&log).delete_records(&[(id.clone(), 42)], PATIENCE).expect("in range");
    let mut consumer = log.consumer("group", Isolation::ReadCommitted).expect("a consumer");
    consumer.commit(&[(id.clone(), at(77))], &outsider("group")).expect("no objection");
    let config = admin(&log).topic_config(&topic, PATIENCE).expect("the topic exists");
    drop((consumer, writer, log));

    let log = open(folder.path());
    assert_eq!(admin(&log).topics(PATIENCE).expect("a list"), [&*topic]);
    assert_eq!(admin(&log).topic_config(&topic, PATIENCE).expect("the topic exists"), config);
    assert_eq!(admin(&log).group_offsets("group", PATIENCE).expect("offsets"), [(id, at(77))]);
    let marks = watermarks(&log, &topic, 0);
    assert_eq!((marks.low, marks.high, marks.stable), (42, 100, 100));
    let expected: Vec<String> = (42..100).map(|number| number.to_string()).collect();
    assert_eq!(texts(&read_all(&log, &topic, 0, Isolation::ReadCommitted)), expected);
    let mut writer = Writer::plain(&log);
    writer.send(&topic, 0, "k", "next");
    writer.flush();
    let last = read_all(&log, &topic, 0, Isolation::ReadCommitted).pop().expect("a record");
    assert_eq!((last.offset, last.text()), (100, "next"));
}

#[test]
fn open_transaction_is_aborted_and_aborted_ones_stay_hidden() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = open(folder.path());
    let topic = topic_with(&log, "open", 1, &[]);
    let mut writer = Writer::transactional(&log, "writer");
    for (value, is_committed) in [("one", true), ("two", false), ("three", true)] {
        writer.begin();
        writer.send(&topic, 0, "k", value);
        writer.flush();
        if is_committed { writer.commit() } else { writer.abort() }
    }
    writer.begin();
    writer.send(&topic, 0, "k", "four");
    writer.flush();
    let id = TopicPartition::new(&*topic, 0);
    writer.0.send_offsets(&[(id.clone(), at(4))], &outsider("group"), PATIENCE).expect("no objection");
    drop((writer, log));

    let log = open(folder.path());
    let marks = watermarks(&log, &topic, 0);
    assert_eq!((marks.high, marks.stable), (8, 8));
    assert_eq!(texts(&read_all(&log, &topic, 0, Isolation::ReadCommitted)), ["one", "three"]);
    assert_eq!(admin(&log).group_offsets("group", PATIENCE).expect("offsets"), []);
    let mut first = Writer::transactional(&log, "writer");
    let _second = Writer::transactional(&log, "writer");
    assert!(matches!(first.0.begin_transaction(), Err(ProducerError::Fenced)));
}

#[test]
fn folder_is_open_in_one_place_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = open(folder.path());
    let second = EmbeddedLog::open(folder.path(), EmbeddedSettings::default());
    let error = second.expect_err("it is open already");
    assert!(matches!(error, ClientError::Io { .. }), "{error}");
    assert!(error.to_string().contains("is open in another process"), "{error}");
    drop(first);
    open(folder.path());
}

#[test]
fn compacted_topic_looks_the_same_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = || EmbeddedSettings { segment_bytes: 500, ..EmbeddedSettings::default() };
    let log = EmbeddedLog::open(folder.path(), settings()).expect("a fresh folder");
    let shared: Arc<dyn Log> = Arc::clone(&log) as Arc<dyn Log>;
    let config = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")];
    let topic = topic_with(&shared, "compacted", 1, &config);
    let mut writer = Writer::transactional(&shared, "writer");
    for round in 0..200 {
        writer.begin();
        for key in ["a", "b", "c"] {
            writer.send(&topic, 0, key, &format!("{key}{round}"));
        }
        writer.flush();
        if round % 3 == 1 {
            writer.abort()
        } else {
            writer.commit()
        }
        if round % 20 == 0 {
            log.look_after().expect("compaction");
        }
    }
    log.look_after().expect("compaction");
    let before = read_all(&shared, &topic, 0, Isolation::ReadCommitted);
    assert!(before.len() < 40, "{} records are left", before.len());
    let newest = |key: &str| {
        let mut of_key = before.iter().filter(|one| one.key.as_deref() == Some(key.as_bytes()));
        of_key.next_back().map(|one| one.text().to_owned())
    };
    assert_eq!([newest("a"), newest("b")], [Some("a198".to_owned()), Some("b198".to_owned())]);
    let marks = watermarks(&shared, &topic, 0);
    assert_eq!(marks.high, 800);
    drop((writer, shared, log));

    let log: Arc<dyn Log> = EmbeddedLog::open(folder.path(), settings()).expect("it was closed in order");
    assert_eq!(read_all(&log, &topic, 0, Isolation::ReadCommitted), before);
    assert_eq!(watermarks(&log, &topic, 0), marks);
}
