//! What is committed while records are unfinished.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, AsyncOrder, BatchOptions, Consumed, Grouped, Guarantee, KafkaStreams,
    Materialized, Produced, Record, StreamsBuilder, StreamsConfig, StreamsError, Topology,
};

use crate::bench::{Bench, Door, config, until};

/// Numbers through a call that waits at `held` until the door opens; with a store above it, or without.
fn topology(held: i64, door: &Door, has_store: bool, is_short: bool) -> Topology {
    let door = door.clone();
    let builder = StreamsBuilder::new();
    let call = AsyncCall::blocking(move |record: Record<String, i64>| {
        if record.value == held {
            door.pass();
        }
        Ok(record.value)
    });
    let options = AsyncOptions {
        concurrency: 64,
        order: AsyncOrder::None,
        // Under exactly-once all attempts must fit into half of a transaction's time.
        timeout: Duration::from_secs(if is_short { 1 } else { 60 }),
        ..AsyncOptions::default()
    };
    let stream = builder.stream("in", Consumed::<String, i64>::default());
    let stream = if has_store {
        stream
            .group_by_key(Grouped::default())
            .reduce(|_, newest| *newest, Materialized::named("newest").without_cache())
            .to_stream()
            .map_values(|value| value.unwrap_or(0))
    } else {
        stream
    };
    stream.async_map(options, call).to("out", Produced::default());
    builder.build().expect("valid")
}

#[test]
fn without_stores_at_least_once_commits_up_to_the_lowest_unfinished_record() {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..50, 1);
    let door = Door::default();
    let running = bench.start(topology(20, &door, false, false), config(Guarantee::AtLeastOnce));
    until("all others are through", || bench.count("out") == 49);
    until("what is before it is committed", || bench.committed("in", 0) == 20);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bench.committed("in", 0), 20, "and nothing behind it");
    door.open();
    until("the rest is committed", || bench.committed("in", 0) == 50);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert_eq!(bench.count("out"), 50);
}

#[test]
fn with_stores_at_least_once_commits_neither_offsets_nor_changelogs_before_everything_is_finished() {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..50, 1);
    let door = Door::default();
    let running = bench.start(topology(20, &door, true, false), config(Guarantee::AtLeastOnce));
    until("all others are through", || bench.count("out") == 49);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(bench.committed("in", 0), 0);
    assert_eq!(bench.count("slow-newest-changelog"), 0, "the store is not ahead of the offset");
    door.open();
    until("all is committed", || bench.committed("in", 0) == 50);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert_eq!(bench.read("slow-newest-changelog")[0].last(), Some(&49));
}

#[test]
fn exactly_once_shows_nothing_before_everything_is_finished() {
    for has_store in [false, true] {
        let bench = Bench::new(&["in", "out"], 1);
        bench.write("in", 0..50, 1);
        let door = Door::default();
        let running = bench.start(topology(20, &door, has_store, true), config(Guarantee::ExactlyOnce));
        std::thread::sleep(Duration::from_millis(300));
        assert!(bench.committed("in", 0) <= 20, "it waits for number 20");
        assert!(bench.count("out") <= 20);
        door.open();
        until("all is committed", || bench.committed("in", 0) == 50);
        running.stop(Duration::from_secs(20)).expect("it stops well");
        assert_eq!(bench.count("out"), 50);
    }
}

#[test]
fn calls_that_may_take_longer_than_a_commit_can_wait_are_refused_at_the_start() {
    let bench = Bench::new(&["in", "out"], 1);
    let start = |guarantee| {
        let topology = topology(20, &Door::default(), false, false);
        KafkaStreams::new(topology, config(guarantee), Arc::clone(&bench.log)).start()
    };
    let refused = start(Guarantee::ExactlyOnce).err().expect("60 s are too long");
    let expected = (Duration::from_millis(180_300), Duration::from_secs(5));
    assert!(
        matches!(&refused, StreamsError::SlowCalls { longest, limit, .. } if (*longest, *limit) == expected),
        "{refused}"
    );
    let running = start(Guarantee::AtLeastOnce).expect("nothing waits there");
    running.stop(Duration::from_secs(20)).expect("it stops well");
}

#[test]
fn a_drain_that_takes_too_long_goes_back_and_the_records_are_done_again_once() {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..50, 1);
    let door = Door::default();
    let impatient = StreamsConfig { transaction_timeout_ms: 600, ..config(Guarantee::ExactlyOnce) };
    let times = Arc::new(AtomicUsize::new(0));
    let (shut, counted) = (door.clone(), Arc::clone(&times));
    let builder = StreamsBuilder::new();
    let wait = move |rows: &[Record<String, i64>]| {
        if rows.iter().any(|row| row.value == 20) {
            counted.fetch_add(1, Ordering::SeqCst);
            shut.pass();
        }
        Ok(rows.iter().map(|row| row.value).collect::<Vec<_>>())
    };
    builder
        .stream("in", Consumed::<String, i64>::default())
        .batch(BatchOptions { max: 10, ..BatchOptions::default() }, wait)
        .to("out", Produced::default());
    let running = bench.start(builder.build().expect("valid"), impatient);
    std::thread::sleep(Duration::from_millis(1_500));
    let before = bench.count("out");
    assert!(before <= 20, "nothing of the aborted transactions is seen, and {before} results are");
    door.open();
    until("all is committed", || bench.committed("in", 0) == 50);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    let mut found = bench.read("out").remove(0);
    found.sort_unstable();
    assert_eq!(found, (0..50).collect::<Vec<_>>(), "each once");
    assert!(times.load(Ordering::SeqCst) > 1, "it was begun again");
}

#[test]
fn a_stop_waits_for_calls_that_are_under_way_and_commits_them() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let bench = Bench::new(&["in", "out"], 1);
        bench.write("in", 0..40, 1);
        let builder = StreamsBuilder::new();
        let call = AsyncCall::blocking(|record: Record<String, i64>| {
            std::thread::sleep(Duration::from_millis(300));
            Ok(record.value)
        });
        builder
            .stream("in", Consumed::<String, i64>::default())
            .async_map(AsyncOptions { concurrency: 64, ..AsyncOptions::default() }, call)
            .to("out", Produced::default());
        let patient = StreamsConfig { commit_interval_ms: Some(60_000), ..config(guarantee) };
        let running = bench.start(builder.build().expect("valid"), patient);
        let handle = running.handle();
        let taken = || handle.status().tasks.iter().map(|task| task.processed).sum::<u64>();
        until("the records are taken", || taken() == 40);
        running.stop(Duration::from_secs(20)).expect("it stops well");
        assert_eq!((bench.count("out"), bench.committed("in", 0)), (40, 40), "{guarantee:?}");
    }
}
