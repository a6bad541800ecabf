//! Writing records and reading them back. Must not know transactions or groups.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{ClientError, Isolation, Log, NewTopic, ProducerError, StartAt};
use candlewick::{Headers, Partition, TopicPartition};

use super::fixture::{
    PATIENCE, Writer, admin, expect_silence, now_ms, poll_once, read, read_all, reader, texts, topic,
    topic_with, unique, watermarks,
};

/// Null and empty keys and values differ; headers may repeat and be null; times come back as given.
pub fn records_keep_their_parts_and_order(log: &Arc<dyn Log>) {
    let topic = topic(log, "parts", 1);
    let mut headers = Headers::default();
    headers.push("trace", Some(b"1".as_slice().into()));
    headers.push("trace", None);
    headers.push("empty", Some(b"".as_slice().into()));
    let parts: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"bytes")];
    let mut writer = Writer::plain(log);
    let time = now_ms();
    let mut sent = Vec::new();
    for key in parts {
        for value in parts {
            let headers = if sent.len() % 2 == 0 { headers.clone() } else { Headers::default() };
            let time = time - 7 * i64::try_from(sent.len()).expect("nine fit");
            writer.try_send_with(&topic, 0, key, value, time, &headers).expect("queued");
            sent.push((key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec), time, headers));
        }
    }
    writer.flush();
    let mut consumer = reader(log, &topic, &[0], Isolation::ReadUncommitted);
    let seen = read(&mut *consumer, sent.len());
    for (offset, (record, (key, value, time, headers))) in (0..).zip(seen.iter().zip(sent)) {
        assert_eq!(record.offset, offset);
        assert_eq!((&record.key, &record.value, record.time), (&key, &value, time));
        assert_eq!(record.headers, headers);
    }
}

/// Each partition has its own offsets and order.
pub fn partitions_are_independent(log: &Arc<dyn Log>) {
    let topic = topic(log, "independent", 3);
    let mut writer = Writer::plain(log);
    for number in 0..300 {
        writer.send(&topic, number % 3, "k", &number.to_string());
    }
    writer.flush();
    let mut consumer = reader(log, &topic, &[0, 1, 2], Isolation::ReadCommitted);
    let seen = read(&mut *consumer, 300);
    for partition in 0..3 {
        let here: Vec<(i64, i32)> = seen
            .iter()
            .filter(|one| one.partition == partition)
            .map(|one| (one.offset, one.text().parse().expect("a number")))
            .collect();
        let expected: Vec<(i64, i32)> = (0..100).map(|at| (i64::from(at), at * 3 + partition)).collect();
        assert_eq!(here, expected);
    }
}

/// After a flush the producer knows the end of what it wrote.
pub fn acknowledged_is_the_end_after_a_flush(log: &Arc<dyn Log>) {
    let topic = topic(log, "acknowledged", 2);
    let mut writer = Writer::plain(log);
    let handle = writer.0.topic(&topic).expect("a handle");
    assert_eq!(writer.0.topic(&topic).expect("a handle"), handle);
    for number in 0..10 {
        writer.send(&topic, 1, "k", &number.to_string());
    }
    writer.flush();
    assert_eq!(writer.0.acknowledged(handle, Partition(1)), Some(10));
    assert_eq!(writer.0.acknowledged(handle, Partition(0)), None);
    let marks = watermarks(log, &topic, 1);
    assert_eq!((marks.low, marks.high, marks.stable), (0, 10, 10));
}

/// A waiting poll returns as soon as something is written.
pub fn poll_waits_for_a_record_written_later(log: &Arc<dyn Log>) {
    let topic = topic(log, "later", 1);
    let mut consumer = reader(log, &topic, &[0], Isolation::ReadCommitted);
    expect_silence(&mut *consumer, Duration::from_millis(200));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            let mut writer = Writer::plain(log);
            writer.send(&topic, 0, "k", "late");
            writer.flush();
        });
        assert_eq!(texts(&read(&mut *consumer, 1)), ["late"]);
    });
}

/// A paused partition brings nothing, the others go on; resumed, it goes on where it was.
pub fn paused_partition_is_silent_until_resumed(log: &Arc<dyn Log>) {
    let topic = topic(log, "paused", 2);
    let mut writer = Writer::plain(log);
    for partition in 0..2 {
        for number in 0..5 {
            writer.send(&topic, partition, "k", &format!("{partition}:{number}"));
        }
    }
    writer.flush();
    let mut consumer = reader(log, &topic, &[0, 1], Isolation::ReadCommitted);
    let first = TopicPartition::new(&*topic, 0);
    consumer.pause(std::slice::from_ref(&first)).expect("it is assigned");
    let seen = read(&mut *consumer, 5);
    assert!(seen.iter().all(|one| one.partition == 1), "{seen:?}");
    expect_silence(&mut *consumer, Duration::from_millis(300));
    consumer.resume(std::slice::from_ref(&first)).expect("it is assigned");
    assert_eq!(texts(&read(&mut *consumer, 5)), ["0:0", "0:1", "0:2", "0:3", "0:4"]);
}

/// A seek moves the position back and forth, and drops what was fetched.
pub fn seek_moves_both_ways(log: &Arc<dyn Log>) {
    let topic = topic(log, "seek", 1);
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::plain(log);
    for number in 0..10 {
        writer.send(&topic, 0, "k", &number.to_string());
    }
    writer.flush();
    let mut consumer = reader(log, &topic, &[0], Isolation::ReadCommitted);
    assert_eq!(texts(&read(&mut *consumer, 3)), ["0", "1", "2"]);
    assert_eq!(consumer.position(&id), Some(3));
    consumer.seek(&id, StartAt::Offset(8)).expect("it is assigned");
    assert_eq!(texts(&read(&mut *consumer, 2)), ["8", "9"]);
    assert_eq!(consumer.known_end(&id), Some(10));
    consumer.seek(&id, StartAt::Offset(1)).expect("it is assigned");
    assert_eq!(texts(&read(&mut *consumer, 2)), ["1", "2"]);
    consumer.seek(&id, StartAt::Beginning).expect("it is assigned");
    assert_eq!(texts(&read(&mut *consumer, 1)), ["0"]);
}

/// A poll never brings more records than it was asked for.
pub fn poll_brings_no_more_than_asked(log: &Arc<dyn Log>) {
    let topic = topic(log, "asked", 2);
    let mut writer = Writer::plain(log);
    for number in 0..100 {
        writer.send(&topic, number % 2, "k", &number.to_string());
    }
    writer.flush();
    let mut consumer = reader(log, &topic, &[0, 1], Isolation::ReadCommitted);
    let mut count = 0;
    while count < 100 {
        let seen = poll_once(&mut *consumer, 7, PATIENCE).expect("a poll");
        assert!((1..=7).contains(&seen.len()), "{} records came", seen.len());
        count += seen.len();
    }
}

/// Reading a topic that does not exist is an error that names it; it is not created on the way.
pub fn missing_topic_is_named(log: &Arc<dyn Log>) {
    let missing = unique("missing");
    let mut consumer = log.consumer(&unique("reader"), Isolation::ReadCommitted).expect("a consumer");
    let assigned = consumer.assign(&[(TopicPartition::new(&*missing, 0), StartAt::Beginning)]);
    let error = assigned.err().unwrap_or_else(|| {
        super::fixture::eventually("the missing topic is noticed", || {
            poll_once(&mut *consumer, 1, Duration::from_millis(100)).err()
        })
    });
    assert!(matches!(&error, ClientError::UnknownTopic { topic } if *topic == missing), "{error}");
    assert_eq!(admin(log).describe(&[&missing], PATIENCE).expect("a description"), [None]);
}

/// A record beyond `max.message.bytes` is rejected; the producer goes on with others.
pub fn too_large_record_is_rejected_and_others_go_on(log: &Arc<dyn Log>) {
    let topic = topic_with(log, "large", 1, &[("max.message.bytes", "2000")]);
    let mut writer = Writer::plain(log);
    // Noise: the limit is on what is written, and an engine may compress.
    let noise = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        Some((*state >> 32) as u8)
    };
    let large: Vec<u8> =
        std::iter::repeat_n((), 5_000).scan(88_172_645_463_325_252, |state, ()| noise(state)).collect();
    let sent = writer.try_send(&topic, 0, Some(b"k"), Some(&large), now_ms());
    let error = sent.and_then(|()| writer.0.flush(PATIENCE)).expect_err("it is too large");
    assert!(matches!(&error, ProducerError::Rejected { topic: named, .. } if *named == topic), "{error}");
    writer.send(&topic, 0, "k", "small");
    writer.flush();
    assert_eq!(texts(&read_all(log, &topic, 0, Isolation::ReadCommitted)), ["small"]);
}

/// Starting at the end skips what is there.
pub fn starting_at_the_end_sees_only_what_comes_later(log: &Arc<dyn Log>) {
    let topic = topic(log, "end", 1);
    let mut writer = Writer::plain(log);
    writer.send(&topic, 0, "k", "before");
    writer.flush();
    let mut consumer = log.consumer(&unique("reader"), Isolation::ReadCommitted).expect("a consumer");
    consumer.assign(&[(TopicPartition::new(&*topic, 0), StartAt::End)]).expect("the topic exists");
    expect_silence(&mut *consumer, Duration::from_millis(1_000));
    writer.send(&topic, 0, "k", "after");
    writer.flush();
    assert_eq!(texts(&read(&mut *consumer, 1)), ["after"]);
}

/// Creating is idempotent; another number of partitions is a conflict; configuration can be read back.
pub fn creating_a_topic_twice_is_fine_in_one_shape_only(log: &Arc<dyn Log>) {
    let name = topic_with(log, "twice", 3, &[("cleanup.policy", "compact"), ("segment.ms", "60000")]);
    let mut admin = admin(log);
    let config = admin.topic_config(&name, PATIENCE).expect("the topic exists");
    assert_eq!(config.get("cleanup.policy").map(String::as_str), Some("compact"));
    assert_eq!(config.get("segment.ms").map(String::as_str), Some("60000"));
    let same = NewTopic { name: name.clone(), partitions: 3, replication: -1, config };
    admin
        .create(&[NewTopic { config: Default::default(), ..same.clone() }], PATIENCE)
        .expect("the same shape");
    let other = NewTopic { partitions: 4, config: Default::default(), ..same };
    let error = admin.create(&[other], PATIENCE).expect_err("another shape");
    assert!(matches!(&error, ClientError::TopicConflict { topic, .. } if *topic == name), "{error}");
    let described = admin.describe(&[&name, "candlewick-no-such-topic"], PATIENCE).expect("a description");
    assert_eq!(described[0].as_ref().map(|topic| topic.partitions), Some(3));
    assert_eq!(described[1], None);
    assert!(admin.topics(PATIENCE).expect("a list").contains(&name));
}

/// A position that the log does not hold is an error with the range that it does hold.
pub fn position_out_of_range_is_an_error(log: &Arc<dyn Log>) {
    let topic = topic(log, "range", 1);
    let mut writer = Writer::plain(log);
    writer.send(&topic, 0, "k", "only");
    writer.flush();
    let mut consumer = log.consumer(&unique("reader"), Isolation::ReadCommitted).expect("a consumer");
    let id = TopicPartition::new(&*topic, 0);
    consumer.assign(&[(id.clone(), StartAt::Offset(50))]).expect("the topic exists");
    let error = super::fixture::eventually("the position is noticed", || {
        poll_once(&mut *consumer, 1, Duration::from_millis(100)).err()
    });
    let ClientError::OffsetOutOfRange { partition, offset, low, high } = error else { panic!("{error}") };
    assert_eq!((partition, offset, low, high), (id.clone(), 50, 0, 1));
    consumer.seek(&id, StartAt::Beginning).expect("it is assigned");
    assert_eq!(texts(&read(&mut *consumer, 1)), ["only"]);
}
