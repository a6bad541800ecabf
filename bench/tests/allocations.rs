//! A counting allocator: a stateless topology allocates nothing for a record between poll and sink. What a poll or a
//! batch allocates is shared by its records, so twice as many records may cost hardly more.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    Consumed, Headers, KafkaStreams, Partition, Produced, StreamsBuilder, StreamsConfig, Timestamp,
};

const TIMEOUT: Duration = Duration::from_secs(60);

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn filled_log(records: i64) -> Arc<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    let topic = |name: &str| NewTopic {
        name: name.into(),
        partitions: 1,
        replication: 1,
        config: BTreeMap::default(),
    };
    log.admin().expect("an admin").create(&[topic("in"), topic("out")], TIMEOUT).expect("made");
    let mut producer = log.producer(&ProducerSettings::default()).expect("a producer");
    let handle = producer.topic("in").expect("there");
    for number in 0..records {
        let bytes = number.to_be_bytes();
        let record = OutgoingRecord {
            topic: handle,
            partition: Partition(0),
            key: Some(&bytes),
            value: Some(&bytes),
            headers: &Headers::default(),
            timestamp: Timestamp(number),
        };
        producer.send(record).expect("sent");
    }
    producer.flush(TIMEOUT).expect("written");
    log
}

/// Allocations of a whole run over `records` records: of all threads, from start to end.
fn allocations(records: i64) -> u64 {
    let log = filled_log(records);
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    let builder = StreamsBuilder::new();
    builder
        .stream("in", Consumed::<i64, i64>::default())
        .peek(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .filter(|_, value| value % 2 == 0)
        .map_values(|value| value as f64 * 0.5)
        .map(|key, value| (key, (value * 4.0) as i64))
        .to("out", Produced::default());
    // Polls and queues large enough for the cost of a poll to be shared by many.
    let config = StreamsConfig {
        poll_records_max: 20_000,
        buffered_records_max: 20_000,
        ..StreamsConfig::new("allocations")
    };
    let topology = builder.build().expect("valid");
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let running = KafkaStreams::new(topology, config, Arc::clone(&log) as Arc<dyn Log>);
    let running = running.start().expect("started");
    let begin = Instant::now();
    while seen.load(Ordering::Relaxed) < records.unsigned_abs() {
        assert!(begin.elapsed() < TIMEOUT, "{seen:?} of {records} records");
        std::thread::sleep(Duration::from_millis(1));
    }
    running.stop(TIMEOUT).expect("stopped");
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

#[test]
fn a_record_allocates_nothing_between_poll_and_sink() {
    const RECORDS: i64 = 400_000;
    // What is made once for the process.
    allocations(1_000);
    let once = allocations(RECORDS);
    let twice = allocations(2 * RECORDS);
    let for_a_record = twice.saturating_sub(once) as f64 / RECORDS as f64;
    eprintln!("{once} allocations for {RECORDS} records, {twice} for twice as many: {for_a_record:.5} each");
    assert!(for_a_record < 0.01, "{once} → {twice} allocations: {for_a_record} for each more record");
}
