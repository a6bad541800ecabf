//! The client suite on real Kafka, and what only a real broker can do: die, come back, and not be there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::TopicPartition;
use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{ClientError, Consumer, Isolation, Log, PolledBatch, ProducerError};
use candlewick_tests::client_suite::fixture::{
    PATIENCE, Writer, at, eventually, expect_silence, now_ms, outsider, read, read_all, reader, texts, topic,
    topic_with, unique, watermarks,
};
use candlewick_tests::{client_suite, servers};

/// The broker of this test process; a test on it is skipped, loudly, where none can run.
fn kafka() -> Option<Arc<dyn Log>> {
    let kafka = servers::required(servers::kafka())?;
    let log =
        KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "client-suite")).expect("the broker answers");
    Some(Arc::new(log))
}

client_suite!(on_kafka, kafka);

/// The same broker, read through librdkafka as encrypted connections are.
fn kafka_by_librdkafka() -> Option<Arc<dyn Log>> {
    let kafka = servers::required(servers::kafka())?;
    let mut settings = KafkaSettings::new(kafka.bootstrap(), "client-suite");
    settings.properties.insert("fetcher".to_owned(), "librdkafka".to_owned());
    Some(Arc::new(KafkaLog::connect(settings).expect("the broker answers")))
}

client_suite!(on_kafka_by_librdkafka, kafka_by_librdkafka);

/// A broker of one's own, to be killed, and a log on it.
fn own_kafka() -> Option<(servers::Kafka, Arc<dyn Log>)> {
    let kafka = servers::required(servers::Kafka::start_new())?;
    let log = KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "client-faults"))
        .expect("the broker answers");
    Some((kafka, Arc::new(log)))
}

#[test]
fn clients_go_on_after_the_broker_was_killed_and_restarted() {
    let Some((kafka, log)) = own_kafka() else { return };
    let topic = topic(&log, "survives", 1);
    let mut writer = Writer::plain(&log);
    let mut consumer = reader(&log, &topic, &[0], Isolation::ReadCommitted);
    let mut seldom = reader(&log, &topic, &[0], Isolation::ReadCommitted);
    writer.send(&topic, 0, "k", "before");
    writer.flush();
    assert_eq!(texts(&read(&mut *consumer, 1)), ["before"]);
    assert_eq!(texts(&read(&mut *seldom, 1)), ["before"]);
    kafka.kill();
    writer.send(&topic, 0, "k", "while it is down");
    let error = writer.0.flush(Duration::from_millis(300)).expect_err("nobody answers");
    assert!(matches!(error, ProducerError::Timeout { .. }), "{error}");
    let is_away = |consumer: &mut dyn Consumer| {
        eventually("a poll says that the broker is away", || {
            consumer.poll(10, Duration::from_millis(100), &mut PolledBatch::default()).err()
        })
    };
    let said = is_away(&mut *consumer);
    is_away(&mut *seldom);
    assert!(matches!(said, ClientError::Unavailable { .. }), "{said}");
    assert!(said.to_string().contains(kafka.bootstrap()), "{said}");
    let down =
        log.admin().expect("an administrator").topics(Duration::from_secs(1)).expect_err("nobody answers");
    assert!(matches!(down, ClientError::Unavailable { .. }), "{down}");
    kafka.restart();
    writer.flush();
    writer.send(&topic, 0, "k", "after");
    writer.flush();
    assert_eq!(texts(&read(&mut *consumer, 2)), ["while it is down", "after"]);
    // Somebody who waits longer after each failure: a poll must look for the broker, not only say that it was away.
    let found = (0..5).any(|_| {
        std::thread::sleep(Duration::from_millis(2_500));
        let mut batch = PolledBatch::default();
        seldom.poll(10, Duration::from_millis(200), &mut batch).is_ok() && !batch.runs.is_empty()
    });
    assert!(found, "polled every 2.5 s, it never finds the broker that is back");
    assert_eq!(watermarks(&log, &topic, 0).high, 3);
}

#[test]
fn transaction_that_a_killed_broker_interrupted_ends_whole() {
    let Some((kafka, log)) = own_kafka() else { return };
    let topic = topic(&log, "whole", 1);
    let mut writer = Writer::transactional(&log, "txn");
    writer.begin();
    writer.send(&topic, 0, "k", "a");
    writer.flush();
    kafka.kill();
    let unknown = writer.0.commit_transaction(Duration::from_millis(300)).expect_err("nobody answers");
    assert!(matches!(unknown, ProducerError::Timeout { .. }), "{unknown}");
    kafka.restart();
    writer.commit();
    assert_eq!(texts(&read_all(&log, &topic, 0, Isolation::ReadCommitted)), ["a"]);
}

#[test]
fn member_whose_broker_was_killed_belongs_to_the_group_again() {
    let Some((kafka, log)) = own_kafka() else { return };
    let control = topic(&log, "control", 4);
    let mut group = log.group("survivors", &control, Duration::from_secs(6)).expect("a membership");
    let mut current = |what: &str| {
        eventually(what, || {
            // What a broker that is away makes a poll say is not of interest here.
            let _ = group.poll(Duration::from_millis(50));
            let metadata = group.metadata().ok()?;
            let mut consumer = log.consumer("survivors", Isolation::ReadCommitted).ok()?;
            consumer.commit(&[(TopicPartition::new(&*control, 0), at(1))], &metadata).ok()
        });
    };
    current("it joins");
    kafka.kill();
    std::thread::sleep(Duration::from_secs(1));
    kafka.restart();
    current("it commits again");
}

/// A group's offsets are asked for again and again while its broker comes back: its coordinator is nowhere, then starting,
/// then there. (librdkafka's administrator dies of the answer that says so.)
fn offsets_are_read_while_the_coordinator_starts(fetcher: &str) {
    let Some(kafka) = servers::required(servers::Kafka::start_new()) else { return };
    let mut settings = KafkaSettings::new(kafka.bootstrap(), "client-faults");
    settings.properties.insert("fetcher".to_owned(), fetcher.to_owned());
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect(settings).expect("the broker answers"));
    let topic = topic(&log, "asked", 1);
    let partition = TopicPartition::new(&*topic, 0);
    let mut consumer = log.consumer("asking", Isolation::ReadCommitted).expect("a consumer");
    eventually("an outsider commits", || {
        consumer.commit(&[(partition.clone(), at(7))], &outsider("asking")).ok()
    });
    kafka.kill();
    kafka.restart();
    let mut asked = 0;
    let found = eventually("the offset is read again", || {
        asked += 1;
        let mut admin = log.admin().ok()?;
        let listed = admin.group_offsets("asking", Duration::from_secs(1));
        let read = consumer.committed(std::slice::from_ref(&partition), Duration::from_secs(1));
        Some((listed.ok()?, read.ok()?))
    });
    assert_eq!(found, (vec![(partition.clone(), at(7))], vec![Some(at(7))]), "asked {asked} times");
}

#[test]
fn offsets_are_read_while_the_coordinator_starts_over_plain_connections() {
    offsets_are_read_while_the_coordinator_starts("plain");
}

#[test]
fn offsets_are_read_while_the_coordinator_starts_by_librdkafka() {
    offsets_are_read_while_the_coordinator_starts("librdkafka");
}

#[test]
fn broker_that_is_not_there_is_said_with_its_address_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let mut settings = KafkaSettings::new(&address, "client-suite");
    settings.connect_timeout = Duration::from_secs(2);
    let begin = Instant::now();
    let error = KafkaLog::connect(settings).expect_err("nobody listens");
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    assert!(matches!(error, ClientError::Unavailable { .. }), "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains(&address) && sentence.contains("refused"), "{sentence}");
    assert!(sentence.contains("check the broker address"), "{sentence}");
}

#[test]
fn port_of_something_else_is_said_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        for mut stream in listener.incoming().flatten() {
            // It may have hung up already.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
        }
    });
    let mut settings = KafkaSettings::new(&address, "client-suite");
    settings.connect_timeout = Duration::from_secs(2);
    let error = KafkaLog::connect(settings).expect_err("it speaks HTTP");
    assert!(matches!(error, ClientError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn security_that_this_build_lacks_is_refused_in_one_sentence() {
    let with = |key: &str, value: &str| {
        let mut settings = KafkaSettings::new("127.0.0.1:1", "client-suite");
        settings.properties.insert(key.to_owned(), value.to_owned());
        KafkaLog::connect(settings).expect_err("it is refused").to_string()
    };
    let kerberos = with("sasl.mechanism", "GSSAPI");
    assert!(kerberos.contains("Kerberos is not supported"), "{kerberos}");
    let kept = with("consumer.enable.auto.commit", "true");
    assert!(kept.contains("set by candlewick itself"), "{kept}");
    if cfg!(not(feature = "kafka-tls")) {
        let tls = with("security.protocol", "SASL_SSL");
        assert!(tls.contains("kafka-tls"), "{tls}");
    }
    let unknown = with("no.such.property", "1");
    assert!(unknown.contains("no.such.property"), "{unknown}");
}

#[test]
fn member_under_the_consumer_protocol_commits_and_is_listed() {
    let Some(kafka) = servers::required(servers::kafka()) else { return };
    let mut settings = KafkaSettings::new(kafka.bootstrap(), "client-suite");
    settings.properties.insert("group.protocol".to_owned(), "consumer".to_owned());
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect(settings).expect("the broker answers"));
    let (control, name) = (topic(&log, "control", 4), unique("group"));
    let mut group = log.group(&name, &control, Duration::from_secs(10)).expect("a membership");
    let mut consumer = log.consumer(&name, Isolation::ReadCommitted).expect("a consumer");
    let id = TopicPartition::new(&*control, 0);
    let metadata = eventually("it joins and commits", || {
        group.poll(Duration::from_millis(50)).expect("a poll");
        let metadata = group.metadata().ok()?;
        consumer.commit(&[(id.clone(), at(7))], &metadata).ok().map(|()| metadata)
    });
    let mut admin = log.admin().expect("an administrator");
    assert_eq!(admin.group_members(&name, PATIENCE).expect("members"), [metadata.member.to_string()]);
    assert_eq!(admin.group_offsets(&name, PATIENCE).expect("offsets"), [(id, at(7))]);
    group.leave(PATIENCE).expect("it leaves");
    eventually("it is gone", || {
        admin.group_members(&name, PATIENCE).expect("members").is_empty().then_some(())
    });
}

#[test]
fn paused_at_the_end_it_misses_nothing_that_comes_meanwhile() {
    let Some(log) = kafka() else { return };
    let topic = topic(&log, "paused-end", 1);
    let id = TopicPartition::new(&*topic, 0);
    let mut writer = Writer::plain(&log);
    let mut consumer = reader(&log, &topic, &[0], Isolation::ReadCommitted);
    for round in 0..5 {
        let (first, second) = (format!("{round}a"), format!("{round}b"));
        writer.send(&topic, 0, "k", &first);
        writer.flush();
        assert_eq!(texts(&read(&mut *consumer, 1)), [&*first]);
        // Long enough that the end of the partition is met.
        expect_silence(&mut *consumer, Duration::from_millis(300));
        assert_eq!(consumer.position(&id), Some(2 * round + 1));
        consumer.pause(std::slice::from_ref(&id)).expect("it is assigned");
        writer.send(&topic, 0, "k", &second);
        writer.flush();
        consumer.resume(std::slice::from_ref(&id)).expect("it is assigned");
        assert_eq!(texts(&read(&mut *consumer, 1)), [&*second]);
    }
}

#[test]
fn batches_of_every_compression_are_read() {
    let Some(log) = kafka() else { return };
    for codec in ["uncompressed", "gzip", "snappy", "lz4", "zstd"] {
        // The broker packs what it is sent as the topic says.
        let topic = topic_with(&log, codec, 1, &[("compression.type", codec)]);
        let mut writer = Writer::plain(&log);
        let values: Vec<String> = (0..3_000).map(|n| format!("{n} {}", "ab".repeat(n % 50))).collect();
        for value in &values {
            writer.send(&topic, 0, "k", value);
        }
        writer.flush();
        let mut consumer = reader(&log, &topic, &[0], Isolation::ReadUncommitted);
        assert_eq!(texts(&read(&mut *consumer, values.len())), values, "{codec}");
    }
}

#[test]
fn times_of_arrival_are_read_where_the_topic_keeps_these() {
    let Some(log) = kafka() else { return };
    let topic = topic_with(&log, "arrival", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let before = now_ms();
    let mut writer = Writer::plain(&log);
    for value in ["a", "b"] {
        writer.send(&topic, 0, "k", value);
    }
    writer.flush();
    let after = now_ms();
    let mut consumer = reader(&log, &topic, &[0], Isolation::ReadCommitted);
    for seen in read(&mut *consumer, 2) {
        assert!((before..=after).contains(&seen.time), "{before} <= {} <= {after}", seen.time);
    }
}

#[test]
fn fetcher_that_does_not_fit_is_refused_in_one_sentence() {
    let Some(kafka) = servers::required(servers::kafka()) else { return };
    let refused = |properties: &[(&str, &str)]| {
        let mut settings = KafkaSettings::new(kafka.bootstrap(), "client-suite");
        settings.properties =
            properties.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        let log = KafkaLog::connect(settings).expect("the broker answers");
        log.consumer("group", Isolation::ReadCommitted).err().expect("it is refused").to_string()
    };
    let unknown = refused(&[("fetcher", "quick")]);
    assert!(unknown.contains("`plain` or `librdkafka`"), "{unknown}");
    let both = refused(&[("fetcher", "plain"), ("consumer.client.rack", "a")]);
    assert!(both.contains("consumer.client.rack") && both.contains("remove one"), "{both}");
}
