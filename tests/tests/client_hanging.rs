//! Transactions that hang on a real broker: over for their coordinator, and open in a partition for ever. One is made by
//! writing to a partition that the coordinator was never told of, as a broker that loses its markers leaves them. And
//! producers that cannot tell whether they have left one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::TopicPartition;
use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{Isolation, Log, ProducerError};
use candlewick_tests::client_suite::fixture::{
    PATIENCE, Writer, eventually, read_all, texts, topic_with, watermarks,
};
use candlewick_tests::{require, servers};

/// The record written by hand is of 1970.
const FOR_GOOD: &[(&str, &str)] = &[("retention.ms", "-1")];

/// Requests in their plain versions, written by hand: no client writes what its coordinator does not know.
struct Wire(TcpStream);

impl Wire {
    fn ask(&mut self, (key, version): (i16, i16), body: &[u8]) -> Vec<u8> {
        let mut request = [key.to_be_bytes(), version.to_be_bytes()].concat();
        request.extend([0; 4]);
        request.extend(text("by hand"));
        request.extend(body);
        let len = i32::try_from(request.len()).expect("a short request").to_be_bytes();
        self.0.write_all(&[&len[..], &request].concat()).expect("sent");
        let mut len = [0; 4];
        self.0.read_exact(&mut len).expect("answered");
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(len)).expect("a length")];
        self.0.read_exact(&mut answer).expect("answered in full");
        // Behind the number of the question.
        answer.split_off(4)
    }
}

fn text(text: &str) -> Vec<u8> {
    [&i16::try_from(text.len()).expect("short").to_be_bytes()[..], text.as_bytes()].concat()
}

/// An array of one topic with an array of one partition.
fn place(topic: &str, partition: i32) -> Vec<u8> {
    [&1_i32.to_be_bytes()[..], &text(topic), &1_i32.to_be_bytes(), &partition.to_be_bytes()].concat()
}

fn int16(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

/// A batch of one record of this producer's transaction, with a null key and the value `x`.
fn batch(producer: &[u8; 8], epoch: &[u8; 2]) -> Vec<u8> {
    // Attributes (a transaction's), last offset, two times, then whose it is, sequence and count.
    let mut checked = [&16_i16.to_be_bytes()[..], &[0; 4], &[0; 8], &[0; 8], producer, epoch].concat();
    checked.extend([0; 4]);
    checked.extend(1_i32.to_be_bytes());
    checked.extend([14, 0, 0, 0, 1, 2, b'x', 0]);
    let mut rest = [&(-1_i32).to_be_bytes()[..], &[2]].concat();
    rest.extend(crc32c::crc32c(&checked).to_be_bytes());
    rest.extend(checked);
    let len = i32::try_from(rest.len()).expect("short").to_be_bytes();
    [&[0; 8][..], &len, &rest].concat()
}

/// What becomes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It times out.
    Abandoned,
    Committed,
    Aborted,
    /// It is under way.
    Ongoing,
}

/// Leaves a transaction of `id` in partition 1 of `topic` whose coordinator does not know that it is there.
fn leave_hanging(kafka: &servers::Kafka, log: &Arc<dyn Log>, id: &str, topic: &str, fate: Fate) {
    // Coordinators are there once somebody has looked for one.
    drop(Writer::transactional(log, "somebody"));
    let mut wire = Wire(TcpStream::connect(kafka.bootstrap()).expect("connected"));
    // Registering: the coordinator may still be starting.
    let timeout: i32 = if fate == Fate::Abandoned { 1_000 } else { 600_000 };
    let (producer, epoch) = eventually("the producer is registered", || {
        let answer = wire.ask((22, 1), &[text(id), timeout.to_be_bytes().to_vec()].concat());
        let registered = (answer[6..14].try_into().ok()?, answer[14..16].try_into().ok()?);
        (int16(&answer, 4) == 0).then_some(registered)
    });
    let producer: [u8; 8] = producer;
    let epoch: [u8; 2] = epoch;
    let added = wire.ask((24, 1), &[&text(id)[..], &producer, &epoch, &place(topic, 0)].concat());
    assert_eq!(int16(&added, added.len() - 2), 0, "the coordinator knows of partition 0");
    let records = batch(&producer, &epoch);
    let len = i32::try_from(records.len()).expect("short").to_be_bytes();
    let (all, wait) = ((-1_i16).to_be_bytes(), 5_000_i32.to_be_bytes());
    let written = wire.ask((0, 7), &[&text(id)[..], &all, &wait, &place(topic, 1), &len, &records].concat());
    // The name's length and name, one partition's number, then how it went.
    assert_eq!(int16(&written, 4 + 2 + topic.len() + 4 + 4), 0, "the record is written");
    let end = watermarks(log, topic, 1);
    assert_eq!((end.stable, end.high), (0, 1), "it is open");
    if fate == Fate::Ongoing {
        return;
    }
    if fate != Fate::Abandoned {
        let end = [u8::from(fate == Fate::Committed)];
        let ended = wire.ask((26, 1), &[&text(id)[..], &producer, &epoch, &end].concat());
        assert_eq!(int16(&ended, 4), 0, "it is ended");
    }
    eventually("its coordinator has ended it", || {
        let end = watermarks(log, topic, 0);
        (end.high > 0 && end.stable == end.high).then_some(())
    });
    assert_eq!(watermarks(log, topic, 1).stable, 0, "it hangs");
}

fn broker() -> Result<(servers::Kafka, Arc<dyn Log>), servers::Missing> {
    let kafka = servers::Kafka::start_with(&["transaction.partition.verification.enable=false"])?;
    let log = KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "hanging")).expect("connected");
    Ok((kafka, Arc::new(log)))
}

#[test]
fn a_producer_that_registers_anew_ends_what_its_predecessor_left_hanging_as_it_had_ended() {
    let (kafka, log) = require!(broker());
    let fates = [
        (Fate::Abandoned, "abandoned", &["after"][..]),
        (Fate::Committed, "committed", &["x", "after"]),
        (Fate::Aborted, "aborted", &["after"]),
        (Fate::Ongoing, "ongoing", &["after"]),
    ];
    for (fate, id, expected) in fates {
        let topic = topic_with(&log, id, 2, FOR_GOOD);
        leave_hanging(&kafka, &log, id, &topic, fate);
        let mut writer = Writer::transactional(&log, id);
        let end = watermarks(&log, &topic, 1);
        assert_eq!((end.stable, end.high), (2, 2), "{id}: there is a marker behind the record");
        writer.begin();
        writer.send(&topic, 1, "k", "after");
        writer.commit();
        let seen = read_all(&log, &topic, 1, Isolation::ReadCommitted);
        assert_eq!(texts(&seen), expected, "{id}");
    }
}

/// Polls until the producer has seen what has happened, or for a time.
fn poll_for(writer: &mut Writer, time: Duration) -> Result<(), ProducerError> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        writer.0.poll()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A transactional producer of a broker of its own that has committed one record.
fn committed(id: &str) -> Result<(servers::Kafka, Arc<dyn Log>, String, Writer), servers::Missing> {
    let (kafka, log) = broker()?;
    let topic = topic_with(&log, id, 1, FOR_GOOD);
    let mut writer = Writer::transactional(&log, id);
    writer.begin();
    writer.send(&topic, 0, "k", "first");
    writer.commit();
    Ok((kafka, log, topic, writer))
}

#[test]
fn a_producer_whose_broker_restarts_behind_a_commit_must_be_replaced() {
    let (kafka, log, topic, mut writer) = require!(committed("unsettled"));
    kafka.kill();
    kafka.restart();
    let until = Instant::now() + PATIENCE;
    let error = loop {
        if let Err(error) = poll_for(&mut writer, Duration::from_millis(100)) {
            break error;
        }
        assert!(Instant::now() < until, "it has seen that its broker went away");
    };
    assert!(matches!(error, ProducerError::Unsettled), "{error}");
    assert!(matches!(writer.0.begin_transaction(), Err(ProducerError::Unsettled)));
    let mut next = Writer::transactional(&log, "unsettled");
    next.begin();
    next.send(&topic, 0, "k", "second");
    next.commit();
    let seen = read_all(&log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&seen), ["first", "second"]);
}

#[test]
fn a_producer_goes_on_where_its_broker_restarts_once_the_end_is_known_to_be_written() {
    let (kafka, log, topic, mut writer) = require!(committed("settled"));
    // Something was written behind the commit.
    writer.begin();
    writer.send(&topic, 0, "k", "second");
    writer.flush();
    poll_for(&mut writer, Duration::from_millis(50)).expect("nothing has happened");
    kafka.kill();
    kafka.restart();
    poll_for(&mut writer, Duration::from_secs(1)).expect("that is no reason to stop");
    writer.send(&topic, 0, "k", "third");
    writer.commit();
    // Or its coordinator has said so.
    let mut writer = Writer::transactional(&log, "settled too");
    writer.begin();
    writer.send(&topic, 0, "k", "fourth");
    writer.commit();
    poll_for(&mut writer, Duration::from_secs(7)).expect("nothing has happened");
    kafka.kill();
    kafka.restart();
    poll_for(&mut writer, Duration::from_secs(1)).expect("that is no reason to stop");
    writer.begin();
    writer.send(&topic, 0, "k", "fifth");
    writer.commit();
    let seen = read_all(&log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(texts(&seen), ["first", "second", "third", "fourth", "fifth"]);
}

#[test]
fn an_administrator_ends_what_hangs_while_its_coordinator_still_knows() {
    let (kafka, log) = require!(broker());
    let topic = topic_with(&log, "known", 2, FOR_GOOD);
    leave_hanging(&kafka, &log, "known", &topic, Fate::Abandoned);
    let mut admin = log.admin().expect("an administrator");
    let end = |admin: &mut dyn candlewick::client::Admin| {
        let partition = TopicPartition::new(&*topic, 1);
        admin.end_hanging_transactions(&partition, PATIENCE.min(Duration::from_secs(10))).expect("it may")
    };
    assert_eq!(end(&mut *admin), 1);
    assert_eq!(watermarks(&log, &topic, 1).stable, 2);
    assert_eq!(end(&mut *admin), 0);
}
