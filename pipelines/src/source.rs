//! Trades into their topic, on a thread of their own: from the simulated exchange or from a recording. Every record
//! carries its number in a header, so that a restart goes on, partition by partition, exactly behind what was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use candlewick::client::{
    Consumer, Isolation, Log, OutgoingRecord, PolledBatch, Producer, ProducerError, ProducerSettings,
    StartAt, TopicHandle,
};
use candlewick::{Headers, Partition, RawRecord, Serde, Timestamp, TopicPartition, partition_for_key};
use candlewick_connectors::ReplayError;
use candlewick_connectors::avro::{AvroSerde, SchemaRegistry};
use candlewick_operators::Trade;

use crate::error::CommandError;
use crate::log::TIMEOUT;

/// The header that numbers the records of a source, from 1, big-endian.
const NUMBER: &str = "source-number";

/// What a source has done, as others see it.
#[derive(Debug, Default)]
pub struct SourceProgress {
    /// Trades written (or found written) so far.
    pub trades: AtomicU64,
    /// Everything has been written.
    pub done: AtomicBool,
}

/// A source thread.
pub struct Source {
    progress: Arc<SourceProgress>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), CommandError>>,
}

/// Trades with the errors that end a strict replay.
pub type Trades = Box<dyn Iterator<Item = Result<Trade, ReplayError>> + Send>;

/// Where trades come from and how fast they go.
pub struct Feed {
    /// The trades.
    pub trades: Trades,
    /// How long after the start each trade is due.
    pub due: Box<dyn FnMut(&Trade) -> Duration + Send>,
    /// The number of the first trade, less one: 0 for a recording, which is read from its beginning again.
    pub numbered_from: u64,
}

/// How far earlier runs came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// For each partition, the number of its last record.
    pub numbers: Vec<u64>,
    /// The time of the newest record, if there is any.
    pub newest: Option<Timestamp>,
}

impl Source {
    /// Starts to write `feed` into `topic`.
    ///
    /// # Errors
    /// When the topic cannot be read to see how far an earlier run came.
    pub fn start(
        log: &Arc<dyn Log>,
        registry: &Arc<dyn SchemaRegistry>,
        topic: &str,
        written: Written,
        feed: Feed,
    ) -> Result<Self, CommandError> {
        let serde = AvroSerde::<Trade>::new(Arc::clone(registry))?;
        let mut producer = log.producer(&ProducerSettings::default())?;
        let handle = producer.topic(topic)?;
        let (progress, stop) = (Arc::new(SourceProgress::default()), Arc::new(AtomicBool::new(false)));
        let mut writer = Writer {
            producer,
            handle,
            topic: topic.to_owned(),
            serde,
            written: written.numbers,
            key: Vec::new(),
            value: Vec::new(),
            progress: Arc::clone(&progress),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name("source".into())
            .spawn(move || writer.run(feed))
            .map_err(|source| CommandError::Io { path: "source thread".into(), source })?;
        Ok(Self { progress, stop, thread })
    }

    /// What it has done so far.
    #[must_use]
    pub fn progress(&self) -> &Arc<SourceProgress> {
        &self.progress
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it and says how it went.
    ///
    /// # Errors
    /// What ended it early.
    pub fn stop(self) -> Result<(), CommandError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(CommandError::Stopped("the source thread panicked".into())),
        }
    }
}

struct Writer {
    producer: Box<dyn Producer>,
    handle: TopicHandle,
    topic: String,
    serde: AvroSerde<Trade>,
    /// For each partition, the number of its last record.
    written: Vec<u64>,
    key: Vec<u8>,
    value: Vec<u8>,
    progress: Arc<SourceProgress>,
    stop: Arc<AtomicBool>,
}

impl Writer {
    fn run(&mut self, feed: Feed) -> Result<(), CommandError> {
        let Feed { trades, mut due, numbered_from: mut number } = feed;
        let start = Instant::now();
        for trade in trades {
            let trade = trade?;
            number += 1;
            let due = due(&trade);
            while let Some(wait) = due.checked_sub(start.elapsed()).filter(|wait| !wait.is_zero()) {
                if self.stop.load(Ordering::Relaxed) {
                    return self.finish();
                }
                self.producer.poll()?;
                std::thread::sleep(wait.min(Duration::from_millis(50)));
            }
            self.write(&trade, number)?;
            self.progress.trades.store(number, Ordering::Relaxed);
            if number.is_multiple_of(1_024) {
                self.producer.poll()?;
                if self.stop.load(Ordering::Relaxed) {
                    return self.finish();
                }
            }
        }
        self.finish()?;
        self.progress.done.store(true, Ordering::Release);
        Ok(())
    }

    fn write(&mut self, trade: &Trade, number: u64) -> Result<(), CommandError> {
        self.key.clear();
        self.key.extend_from_slice(trade.symbol.as_str().as_bytes());
        let partitions = i32::try_from(self.written.len()).unwrap_or(i32::MAX);
        let partition = partition_for_key(&self.key, partitions);
        let slot = usize::try_from(partition.0).unwrap_or(0);
        if number <= self.written[slot] {
            return Ok(());
        }
        self.written[slot] = number;
        self.value.clear();
        self.serde.serialize(&self.topic, trade, &mut self.value)?;
        let mut headers = Headers::default();
        headers.push(NUMBER, Some(number.to_be_bytes().to_vec().into()));
        let record = OutgoingRecord {
            topic: self.handle,
            partition,
            key: Some(&self.key),
            value: Some(&self.value),
            headers: &headers,
            timestamp: trade.timestamp,
        };
        while let Err(error) = self.producer.send(record) {
            match error {
                ProducerError::QueueFull => match self.producer.flush(Duration::from_millis(50)) {
                    Ok(()) | Err(ProducerError::Timeout { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                error => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        loop {
            match self.producer.flush(TIMEOUT) {
                Err(ProducerError::Timeout { .. }) => {
                    tracing::warn!("the log takes long to acknowledge trades")
                }
                other => return Ok(other?),
            }
        }
    }
}

/// How far earlier runs came in writing `topic`: the last record of each partition says it, unless others have written
/// behind it; then it is looked for further back.
///
/// # Errors
/// When its end cannot be read.
pub fn written(log: &Arc<dyn Log>, topic: &str) -> Result<Written, CommandError> {
    let mut admin = log.admin()?;
    let described = admin.describe(&[topic], TIMEOUT)?.into_iter().flatten().next();
    let partitions = described.map_or(0, |topic| topic.partitions);
    let numbers = vec![0; usize::try_from(partitions).unwrap_or(0)];
    let mut written = Written { numbers, newest: None };
    let mut open = BTreeMap::new();
    for partition in 0..partitions {
        let partition = TopicPartition::new(topic, partition);
        let marks = admin.watermarks(&partition, TIMEOUT)?;
        if marks.high > marks.low {
            open.insert(partition, (marks.low, marks.high));
        }
    }
    let mut consumer = log.consumer("candlewick-source", Isolation::ReadUncommitted)?;
    let mut back = 1;
    while !open.is_empty() {
        let starts: BTreeMap<_, _> =
            open.iter().map(|(place, &(low, high))| (place.clone(), low.max(high - back))).collect();
        let ends = open.iter().map(|(place, &(_, high))| (place.clone(), high)).collect();
        read_numbers(&mut *consumer, &starts, ends, &mut written)?;
        open.retain(|place, (low, _)| starts[place] > *low && written.number(place) == 0);
        back *= 64;
    }
    Ok(written)
}

/// Reads each partition from its start to its end and keeps what its records say.
fn read_numbers(
    consumer: &mut dyn Consumer,
    starts: &BTreeMap<TopicPartition, i64>,
    mut ends: BTreeMap<TopicPartition, i64>,
    written: &mut Written,
) -> Result<(), CommandError> {
    let starts: Vec<_> =
        starts.iter().map(|(place, offset)| (place.clone(), StartAt::Offset(*offset))).collect();
    consumer.assign(&starts)?;
    let (mut deadline, mut batch) = (Instant::now() + TIMEOUT, PolledBatch::default());
    while !ends.is_empty() {
        consumer.poll(10_000, Duration::from_millis(100), &mut batch)?;
        for run in &batch.runs {
            run.iter().for_each(|record| written.take(&run.source, &record));
            deadline = Instant::now() + TIMEOUT;
        }
        // A marker of a transaction may be the last thing there.
        ends.retain(|place, end| consumer.position(place).is_none_or(|position| position < *end));
        if Instant::now() > deadline {
            let topic = ends.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let reason = format!("the end of {topic} could not be read; is the log overloaded?");
            return Err(CommandError::Unreachable(reason));
        }
    }
    Ok(())
}

impl Written {
    fn slot(&mut self, place: &TopicPartition) -> &mut u64 {
        let Partition(partition) = place.partition;
        &mut self.numbers[usize::try_from(partition).expect("partitions count from 0")]
    }

    fn number(&mut self, place: &TopicPartition) -> u64 {
        *self.slot(place)
    }

    fn take(&mut self, place: &TopicPartition, record: &RawRecord<'_>) {
        self.newest = self.newest.max(Some(record.timestamp));
        let header = record.headers.last(NUMBER).and_then(|header| header.value.clone());
        if let Some(number) = header.and_then(|bytes| <[u8; 8]>::try_from(&bytes[..]).ok()) {
            let slot = self.slot(place);
            *slot = (*slot).max(u64::from_be_bytes(number));
        }
    }
}
