//! What the behaviours share: fresh names, topics, and clients that wait with a deadline. Must not know any engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candlewick::client::{
    Admin, ClientError, CommittedOffset, Consumer, GroupMetadata, Isolation, Log, NewTopic, OutgoingRecord,
    PolledBatch, Producer, ProducerError, ProducerSettings, StartAt, Watermarks,
};
use candlewick::{Headers, Partition, Timestamp, TopicPartition};

/// How long anything may take before a behaviour is said not to hold.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A record as a consumer saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds.
    pub time: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Headers,
}

impl Seen {
    /// The value as text.
    ///
    /// # Panics
    /// When it is null or no text.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().expect("a value")).expect("values of the suite are text")
    }
}

/// The values of records, as text.
#[must_use]
pub fn texts(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(Seen::text).collect()
}

/// A name that no other run has used.
#[must_use]
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{what}-{nanos:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Wall time now, in milliseconds.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).expect("the year is below 292 million")
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When patience runs out.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An administrator.
///
/// # Panics
/// When the engine makes none.
#[must_use]
pub fn admin(log: &Arc<dyn Log>) -> Box<dyn Admin> {
    log.admin().expect("an administrator")
}

/// A fresh topic of `partitions` partitions with this configuration; answers its name once it can be used.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn topic_with(log: &Arc<dyn Log>, what: &str, partitions: i32, config: &[(&str, &str)]) -> String {
    let name = unique(what);
    let config: BTreeMap<String, String> =
        config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let new = NewTopic { name: name.clone(), partitions, replication: -1, config };
    let mut admin = admin(log);
    admin.create(&[new], PATIENCE).expect("a fresh topic is made");
    eventually("the topic can be described", || {
        admin.describe(&[&name], PATIENCE).ok()?.into_iter().next().flatten().map(|_| ())
    });
    name
}

/// A fresh topic of `partitions` partitions; answers its name.
#[must_use]
pub fn topic(log: &Arc<dyn Log>, what: &str, partitions: i32) -> String {
    topic_with(log, what, partitions, &[])
}

/// First and last offsets of a partition.
///
/// # Panics
/// When they cannot be had.
#[must_use]
pub fn watermarks(log: &Arc<dyn Log>, topic: &str, partition: i32) -> Watermarks {
    admin(log).watermarks(&TopicPartition::new(topic, partition), PATIENCE).expect("watermarks")
}

/// A consumer of these partitions from their beginning, in a group of its own.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn reader(
    log: &Arc<dyn Log>,
    topic: &str,
    partitions: &[i32],
    isolation: Isolation,
) -> Box<dyn Consumer> {
    let mut consumer = log.consumer(&unique("reader"), isolation).expect("a consumer");
    let assigned: Vec<(TopicPartition, StartAt)> =
        partitions.iter().map(|one| (TopicPartition::new(topic, *one), StartAt::Beginning)).collect();
    consumer.assign(&assigned).expect("the topic exists");
    consumer
}

/// Polls once; temporary unavailability is no failure.
///
/// # Errors
/// What the consumer says and no retry mends.
pub fn poll_once(consumer: &mut dyn Consumer, max: usize, wait: Duration) -> Result<Vec<Seen>, ClientError> {
    let mut batch = PolledBatch::default();
    match consumer.poll(max, wait, &mut batch) {
        Ok(()) => {}
        Err(ClientError::Unavailable { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let mut seen = Vec::new();
    for run in &batch.runs {
        assert!(!run.is_empty(), "a run that is polled holds a record");
        seen.extend(run.iter().map(|record| Seen {
            partition: run.source.partition.0,
            offset: record.offset,
            time: record.timestamp.0,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.clone(),
        }));
    }
    Ok(seen)
}

/// Polls until `count` records came.
///
/// # Panics
/// When they do not come, or more do.
pub fn read(consumer: &mut dyn Consumer, count: usize) -> Vec<Seen> {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while seen.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came: {seen:?}", seen.len());
        seen.extend(poll_once(consumer, count - seen.len(), Duration::from_millis(200)).expect("a poll"));
    }
    assert_eq!(seen.len(), count);
    seen
}

/// Polls for `quiet` and asserts that nothing comes.
///
/// # Panics
/// When something comes.
pub fn expect_silence(consumer: &mut dyn Consumer, quiet: Duration) {
    let until = Instant::now() + quiet;
    while Instant::now() < until {
        let seen = poll_once(consumer, 100, Duration::from_millis(50)).expect("a poll");
        assert!(seen.is_empty(), "nothing should come, but {seen:?} did");
    }
}

/// How long the end of a transaction may take to be written into its partitions after a commit has returned.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

/// First and last offsets, once no transaction is open any more, or once it is clear that one stays open.
fn settled(log: &Arc<dyn Log>, topic: &str, partition: i32) -> Watermarks {
    let deadline = Instant::now() + SETTLED_WITHIN;
    loop {
        let marks = watermarks(log, topic, partition);
        if marks.stable == marks.high || Instant::now() > deadline {
            return marks;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Everything that is in one partition now: reads until the position has passed the end.
///
/// # Panics
/// When the end is not reached.
#[must_use]
pub fn read_all(log: &Arc<dyn Log>, topic: &str, partition: i32, isolation: Isolation) -> Vec<Seen> {
    let mut consumer = reader(log, topic, &[partition], isolation);
    let marks = settled(log, topic, partition);
    let end = if isolation == Isolation::ReadCommitted { marks.stable } else { marks.high };
    let id = TopicPartition::new(topic, partition);
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while end > marks.low && consumer.position(&id).is_none_or(|position| position < end) {
        assert!(Instant::now() < deadline, "{id} was not read to {end}, but to {:?}", consumer.position(&id));
        seen.extend(poll_once(&mut *consumer, 1_000, Duration::from_millis(100)).expect("a poll"));
    }
    seen
}

/// A producer that resolves topics by name.
pub struct Writer(pub Box<dyn Producer>);

impl Writer {
    /// One without transactions.
    ///
    /// # Panics
    /// When the engine makes none.
    #[must_use]
    pub fn plain(log: &Arc<dyn Log>) -> Self {
        Self(log.producer(&ProducerSettings::default()).expect("a producer"))
    }

    /// One with this transactional id, not registered yet.
    ///
    /// # Panics
    /// When the engine makes none.
    #[must_use]
    pub fn unregistered(log: &Arc<dyn Log>, id: &str, timeout: Duration) -> Self {
        let settings = ProducerSettings {
            transactional_id: Some(id.to_owned()),
            transaction_timeout: Some(timeout),
            ..ProducerSettings::default()
        };
        Self(log.producer(&settings).expect("a producer"))
    }

    /// One with this transactional id, registered.
    ///
    /// # Panics
    /// When it cannot be registered.
    #[must_use]
    pub fn transactional(log: &Arc<dyn Log>, id: &str) -> Self {
        let mut writer = Self::unregistered(log, id, Duration::from_secs(60));
        writer.register().expect("the id is registered");
        writer
    }

    /// Registers the transactional id.
    ///
    /// # Errors
    /// What the producer says.
    pub fn register(&mut self) -> Result<(), ProducerError> {
        repeated(|| self.0.init_transactions(PATIENCE))
    }

    /// Queues a record.
    ///
    /// # Errors
    /// What the producer says.
    pub fn try_send(
        &mut self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        time: i64,
    ) -> Result<(), ProducerError> {
        self.try_send_with(topic, partition, key, value, time, &Headers::default())
    }

    /// Queues a record with headers.
    ///
    /// # Errors
    /// What the producer says.
    pub fn try_send_with(
        &mut self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        time: i64,
        headers: &Headers,
    ) -> Result<(), ProducerError> {
        let topic = self.0.topic(topic)?;
        let (partition, timestamp) = (Partition(partition), Timestamp(time));
        self.0.send(OutgoingRecord { topic, partition, key, value, headers, timestamp })
    }

    /// Queues a record of text.
    ///
    /// # Panics
    /// When it is refused.
    pub fn send(&mut self, topic: &str, partition: i32, key: &str, value: &str) {
        let time = now_ms();
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        self.try_send(topic, partition, key, value, time).expect("the record is queued");
    }

    /// Waits until everything is written.
    ///
    /// # Panics
    /// When something is refused.
    pub fn flush(&mut self) {
        repeated(|| self.0.flush(PATIENCE)).expect("everything is written");
    }

    /// Begins a transaction.
    ///
    /// # Panics
    /// When it cannot begin.
    pub fn begin(&mut self) {
        self.0.begin_transaction().expect("a transaction begins");
    }

    /// Commits, to the end.
    ///
    /// # Errors
    /// What the producer says, save that it took too long.
    pub fn try_commit(&mut self) -> Result<(), ProducerError> {
        repeated(|| self.0.commit_transaction(PATIENCE))
    }

    /// Commits.
    ///
    /// # Panics
    /// When it is refused.
    pub fn commit(&mut self) {
        self.try_commit().expect("the transaction commits");
    }

    /// Aborts.
    ///
    /// # Panics
    /// When it is refused.
    pub fn abort(&mut self) {
        repeated(|| self.0.abort_transaction(PATIENCE)).expect("the transaction is aborted");
    }
}

/// Repeats what has not ended in time, a few times.
fn repeated(mut call: impl FnMut() -> Result<(), ProducerError>) -> Result<(), ProducerError> {
    for _ in 0..3 {
        match call() {
            Err(ProducerError::Timeout { .. }) => {}
            other => return other,
        }
    }
    call()
}

/// What a consumer that never joined says of itself.
#[must_use]
pub fn outsider(group: &str) -> GroupMetadata {
    GroupMetadata { group: group.into(), member: "".into(), generation: -1, native: None }
}

/// An offset without text.
#[must_use]
pub fn at(offset: i64) -> CommittedOffset {
    CommittedOffset { offset, metadata: String::new() }
}
