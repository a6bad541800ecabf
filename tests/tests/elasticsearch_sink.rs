//! The Elasticsearch sink while the log is away for a moment: whatever call it is that fails, every record becomes a document
//! or a dead letter. And what becomes of records that are no documents. The log is the embedded one behind a door that can be
//! shut; Elasticsearch is the real one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{
    Admin, ClientError, CommittedOffset, Consumer, ConsumerSettings, EmbeddedLog, Group, GroupMetadata, Log,
    NewTopic, OutgoingRecord, PolledBatch, Producer, ProducerSettings, StartAt,
};
use candlewick::{Headers, Partition, Timestamp, TopicPartition};
use candlewick_connectors::elasticsearch::{
    ElasticsearchConfig, ElasticsearchSink, JsonDocuments, RefusedRecords, SinkHandle, SinkState,
};
use candlewick_tests::shipped::read;
use candlewick_tests::{require, servers};

const PATIENCE: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 4;

/// How many calls of each kind find the log away from now on.
#[derive(Debug, Default)]
struct Away {
    committed: AtomicU32,
    /// When the next producer is asked for there is none, and so many assignments fail after it.
    assignments_after_a_producer: AtomicU32,
    assignments: AtomicU32,
}

impl Away {
    fn one_of(calls: &AtomicU32) -> Result<(), ClientError> {
        let fewer = calls.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match fewer {
            Ok(_) => Err(ClientError::Unavailable { operation: "a call", reason: "the door is shut".into() }),
            Err(_) => Ok(()),
        }
    }
}

/// A log that is away at the calls it is told.
struct Shut {
    log: Arc<EmbeddedLog>,
    away: Arc<Away>,
}

impl Log for Shut {
    fn consumer_with(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, ClientError> {
        Ok(Box::new(ShutConsumer { inner: self.log.consumer_with(settings)?, away: Arc::clone(&self.away) }))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, ClientError> {
        match self.away.assignments_after_a_producer.swap(0, Ordering::SeqCst) {
            0 => self.log.producer(settings),
            assignments => {
                self.away.assignments.store(assignments, Ordering::SeqCst);
                Err(ClientError::Unavailable { operation: "a producer", reason: "the door is shut".into() })
            }
        }
    }

    fn admin(&self) -> Result<Box<dyn Admin>, ClientError> {
        self.log.admin()
    }

    fn group(&self, group: &str, topic: &str, timeout: Duration) -> Result<Box<dyn Group>, ClientError> {
        self.log.group(group, topic, timeout)
    }
}

struct ShutConsumer {
    inner: Box<dyn Consumer>,
    away: Arc<Away>,
}

impl Consumer for ShutConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        Away::one_of(&self.away.assignments)?;
        self.inner.assign(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        self.inner.seek(partition, to)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.inner.resume(partitions)
    }

    fn poll(&mut self, most: usize, wait: Duration, batch: &mut PolledBatch) -> Result<(), ClientError> {
        self.inner.poll(most, wait, batch)
    }

    fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.inner.position(partition)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<i64> {
        self.inner.known_end(partition)
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        Away::one_of(&self.away.committed)?;
        self.inner.committed(partitions, timeout)
    }

    fn commit(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        member: &GroupMetadata,
    ) -> Result<(), ClientError> {
        self.inner.commit(offsets, member)
    }
}

fn sink(url: &str, index: &str, refused: RefusedRecords, log: impl Log) -> SinkHandle {
    let config = ElasticsearchConfig::new(url, index, index, Arc::new(JsonDocuments));
    ElasticsearchSink::spawn(ElasticsearchConfig { refused, ..config }, Arc::new(log)).expect("a sink")
}

/// A topic with these values in turns on its partitions, and a sink of it.
struct Sunk {
    log: Arc<EmbeddedLog>,
    url: String,
    index: &'static str,
    sink: SinkHandle,
}

impl Sunk {
    fn start(
        url: &str,
        index: &'static str,
        values: &[String],
        (away, refused): (&Arc<Away>, RefusedRecords),
    ) -> Self {
        let log = EmbeddedLog::in_memory();
        let topic = NewTopic {
            name: index.to_owned(),
            partitions: PARTITIONS,
            replication: -1,
            config: Default::default(),
        };
        log.admin().and_then(|mut admin| admin.create(&[topic], PATIENCE)).expect("a topic");
        let mut producer = log.producer(&ProducerSettings::default()).expect("a producer");
        let topic = producer.topic(index).expect("the topic is there");
        let headers = Headers::default();
        for (value, partition) in values.iter().zip((0..PARTITIONS).cycle()) {
            let (partition, value) = (Partition(partition), Some(value.as_bytes()));
            let record = OutgoingRecord {
                topic,
                partition,
                key: None,
                value,
                headers: &headers,
                timestamp: Timestamp(1),
            };
            producer.send(record).expect("there is room");
        }
        producer.flush(PATIENCE).expect("they are written");
        let shut = Shut { log: Arc::clone(&log), away: Arc::clone(away) };
        let sink = sink(url, index, refused, shut);
        Self { log, url: url.to_owned(), index, sink }
    }

    /// The numbers in the documents, once there are as many as these or `PATIENCE` is over.
    fn numbers(&self, awaited: usize) -> BTreeSet<i64> {
        let client = reqwest::blocking::Client::new();
        let until = Instant::now() + PATIENCE;
        loop {
            let (url, index) = (&self.url, self.index);
            let _ = client.post(format!("{url}/{index}/_refresh")).send();
            let answer = client.get(format!("{url}/{index}/_search?size=10000")).send().expect("it answers");
            let answer: serde_json::Value = answer.json().expect("JSON");
            let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
            let found: BTreeSet<i64> = hits.iter().filter_map(|hit| hit["_source"]["n"].as_i64()).collect();
            if found.len() >= awaited || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn partitions_given_while_the_log_is_away_are_read_once_it_is_back() {
    let elasticsearch = require!(servers::elasticsearch());
    let away = Arc::new(Away { committed: AtomicU32::new(3), ..Away::default() });
    let values: Vec<String> = (0..40).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    let sunk =
        Sunk::start(elasticsearch.url(), "given-while-away", &values, (&away, RefusedRecords::DeadLetter));
    assert_eq!(sunk.numbers(40), (0..40).collect());
    assert_eq!(away.committed.load(Ordering::SeqCst), 0, "the log was away");
    sunk.sink.stop(PATIENCE).expect("it ends in good order");
}

#[test]
fn records_polled_before_a_failure_are_read_again_though_the_log_is_still_away_then() {
    let elasticsearch = require!(servers::elasticsearch());
    let away = Arc::new(Away { assignments_after_a_producer: AtomicU32::new(2), ..Away::default() });
    // The first record of every partition is no document: it needs a producer for dead letters.
    let bad = (0..PARTITIONS).map(|_| "no document".to_owned());
    let values: Vec<String> = bad.chain((0..40).map(|n| format!(r#"{{"n":{n}}}"#))).collect();
    let sunk =
        Sunk::start(elasticsearch.url(), "polled-before", &values, (&away, RefusedRecords::DeadLetter));
    assert_eq!(sunk.numbers(40), (0..40).collect());
    assert_eq!(away.assignments_after_a_producer.load(Ordering::SeqCst), 0, "there was no producer");
    assert_eq!(away.assignments.load(Ordering::SeqCst), 0, "the log was away");
    let log = Arc::clone(&sunk.log);
    sunk.sink.stop(PATIENCE).expect("it ends in good order");
    let letters: BTreeSet<Option<Vec<u8>>> =
        read(&*log, "polled-before-dlq").into_iter().map(|letter| letter.value).collect();
    assert_eq!(letters, [Some(b"no document".to_vec())].into());
}

/// One record that is no document among eight that are.
fn with_a_bad_one() -> Vec<String> {
    let good = (0..8).map(|n| format!(r#"{{"n":{n}}}"#));
    std::iter::once("no document".to_owned()).chain(good).collect()
}

#[test]
fn a_record_that_is_no_document_is_left_out_where_that_is_chosen() {
    let elasticsearch = require!(servers::elasticsearch());
    let how = (&Arc::new(Away::default()), RefusedRecords::Skip);
    let sunk = Sunk::start(elasticsearch.url(), "left-out", &with_a_bad_one(), how);
    assert_eq!(sunk.numbers(8), (0..8).collect());
    let log = Arc::clone(&sunk.log);
    let status = sunk.sink.stop(PATIENCE).expect("it ends in good order");
    assert_eq!((status.skipped, status.dead_letters, status.written), (1, 0, 8));
    assert_eq!(read(&*log, "left-out-dlq"), [], "no topic is made for it");
}

#[test]
fn a_record_that_is_no_document_ends_the_sink_where_that_is_chosen_and_stands_for_the_next_one() {
    let elasticsearch = require!(servers::elasticsearch());
    let away = Arc::new(Away::default());
    let sunk = Sunk::start(elasticsearch.url(), "ends-it", &with_a_bad_one(), (&away, RefusedRecords::Fail));
    let until = Instant::now() + PATIENCE;
    let reason = loop {
        match sunk.sink.status().state {
            SinkState::Failed { reason } => break reason,
            state => assert!(Instant::now() < until, "it goes on: {state:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(reason.starts_with("the record at offset 0 of ends-it-0 is no document"), "{reason}");
    assert!(reason.contains("be skipped or become dead letters"), "{reason}");
    let (log, url, index) = (Arc::clone(&sunk.log), sunk.url.clone(), sunk.index);
    drop(sunk);
    let shut = Shut { log: Arc::clone(&log), away };
    let next = Sunk { sink: sink(&url, index, RefusedRecords::DeadLetter, shut), log, url, index };
    assert_eq!(next.numbers(8), (0..8).collect());
    let log = Arc::clone(&next.log);
    next.sink.stop(PATIENCE).expect("it ends in good order");
    let letters: Vec<_> = read(&*log, "ends-it-dlq").into_iter().map(|letter| letter.value).collect();
    assert_eq!(letters, [Some(b"no document".to_vec())]);
}
