//! Who shares a call, and in which order results go on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, AsyncOrder, BatchOptions, Completion, Consumed, Guarantee, Produced, Record,
    StreamsBuilder, StreamsConfig,
};

use crate::bench::{Bench, Door, config, sorted, until};

#[test]
fn records_of_all_tasks_and_threads_share_the_calls_of_a_batch_node() {
    let bench = Bench::new(&["in", "out"], 4);
    bench.write("in", 0..400, 4);
    let calls = Arc::new(Mutex::new(Vec::<BTreeSet<String>>::new()));
    let seen = Arc::clone(&calls);
    let builder = StreamsBuilder::new();
    let options = BatchOptions { max: 150, linger: Duration::from_millis(20), ..BatchOptions::default() };
    let door = Door::default();
    let shut = door.clone();
    builder
        .stream("in", Consumed::<String, i64>::default())
        .batch(options, move |rows| {
            assert!(rows.len() <= 150);
            // While the first call is under way, the tasks of both threads leave all they have.
            shut.pass();
            seen.lock().unwrap().push(rows.iter().map(|row| row.key.clone()).collect());
            Ok(rows.iter().map(|row| row.value).collect())
        })
        .to("out", Produced::default());
    let two_threads = StreamsConfig { threads: 2, ..config(Guarantee::AtLeastOnce) };
    let running = bench.start(builder.build().expect("valid"), two_threads);
    let handle = running.handle();
    let taken = || handle.status().tasks.iter().map(|task| task.processed).sum::<u64>();
    until("all records are taken", || taken() == 400);
    door.open();
    until("all results are there", || bench.count("out") >= 400);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert_eq!(sorted(bench.read("out")), (0..400).collect::<Vec<_>>());
    for numbers in bench.read("out") {
        for key in 0..4 {
            assert!(numbers.iter().filter(|n| *n % 4 == key).is_sorted(), "key {key} keeps its order");
        }
    }
    let calls = calls.lock().unwrap();
    assert!(calls.len() <= 10, "{} calls for 400 records", calls.len());
    let shared = calls.iter().filter(|keys| keys.len() > 1).count();
    assert!(shared > 0, "keys of the partitions in each call: {calls:?}");
}

/// Runs 200 records of 5 keys in one partition through calls whose times differ; gives what came out, as it came out.
fn ordered(order: AsyncOrder) -> Vec<i64> {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..200, 5);
    let builder = StreamsBuilder::new();
    let options = AsyncOptions { concurrency: 16, order, ..AsyncOptions::default() };
    let call = AsyncCall::completing(|record: Record<String, i64>, done: Completion<i64>| {
        std::thread::spawn(move || {
            let ms = (record.value * 7919 % 13).unsigned_abs();
            std::thread::sleep(Duration::from_millis(ms));
            done.complete(Ok(record.value));
        });
    });
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(options, call)
        .to("out", Produced::default());
    let running = bench.start(builder.build().expect("valid"), config(Guarantee::ExactlyOnce));
    until("all results are there", || bench.count("out") >= 200);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    let found = bench.read("out").remove(0);
    assert_eq!(sorted(vec![found.clone()]), (0..200).collect::<Vec<_>>(), "each once");
    found
}

#[test]
fn results_go_on_in_the_order_that_was_asked_for() {
    assert!(ordered(AsyncOrder::Partition).is_sorted());
    let by_key = ordered(AsyncOrder::Key);
    assert!(!by_key.is_sorted(), "keys overtake each other");
    for key in 0..5 {
        let of_key: Vec<i64> = by_key.iter().copied().filter(|n| n % 5 == key).collect();
        assert!(of_key.is_sorted(), "key {key}: {of_key:?}");
    }
    let any = ordered(AsyncOrder::None);
    let overtakes = (0..5).any(|key| !any.iter().filter(|n| *n % 5 == key).is_sorted());
    assert!(overtakes, "nothing holds results back: {any:?}");
}

#[test]
fn a_key_that_takes_long_holds_up_no_other() {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..30, 3);
    let door = Door::default();
    let shut = door.clone();
    let builder = StreamsBuilder::new();
    let call = AsyncCall::blocking(move |record: Record<String, i64>| {
        if record.value == 0 {
            shut.pass();
        }
        Ok(record.value)
    });
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(AsyncOptions { concurrency: 32, ..AsyncOptions::default() }, call)
        .to("out", Produced::default());
    let running = bench.start(builder.build().expect("valid"), config(Guarantee::AtLeastOnce));
    until("the other keys are through", || bench.count("out") >= 20);
    assert!(bench.read("out")[0].iter().all(|n| n % 3 != 0), "those of the key wait for its first");
    door.open();
    until("all are through", || bench.count("out") >= 30);
    running.stop(Duration::from_secs(20)).expect("it stops well");
}
