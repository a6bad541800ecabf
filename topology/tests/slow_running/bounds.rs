//! How much is under way, and what goes on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use candlewick::{
    ApplicationState, AsyncCall, AsyncOptions, Consumed, Guarantee, KafkaStreams, Produced, Record, Retry,
    SkipOnProcessError, StreamsBuilder, StreamsConfig,
};

use crate::bench::{Bench, Door, config, sorted, until};

#[test]
fn no_more_calls_than_allowed_are_under_way_in_the_process_and_tasks_take_no_more_than_that() {
    let bench = Bench::new(&["in", "out"], 3);
    bench.write("in", 0..300, 3);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, greatest) = (Arc::clone(&now), Arc::clone(&most));
    let builder = StreamsBuilder::new();
    let call = AsyncCall::blocking(move |record: Record<String, i64>| {
        greatest.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        counted.fetch_sub(1, Ordering::SeqCst);
        Ok(record.value)
    });
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(AsyncOptions { concurrency: 4, ..AsyncOptions::default() }, call)
        .to("out", Produced::default());
    let running = bench.start(
        builder.build().expect("valid"),
        StreamsConfig { threads: 2, ..config(Guarantee::AtLeastOnce) },
    );
    until("all results are there", || bench.count("out") >= 300);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert_eq!(sorted(bench.read("out")), (0..300).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[test]
fn a_full_slow_node_holds_up_its_own_task_alone_and_commits_go_on() {
    let bench = Bench::new(&["in", "out", "other-in", "other-out"], 1);
    bench.write("in", 0..100, 1);
    let door = Door::default();
    let shut = door.clone();
    let builder = StreamsBuilder::new();
    let call = AsyncCall::blocking(move |record: Record<String, i64>| {
        shut.pass();
        Ok(record.value)
    });
    let options =
        AsyncOptions { concurrency: 2, timeout: Duration::from_secs(60), ..AsyncOptions::default() };
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(options, call)
        .to("out", Produced::default());
    builder.stream("other-in", Consumed::<String, i64>::default()).to("other-out", Produced::default());
    let running = bench.start(builder.build().expect("valid"), config(Guarantee::AtLeastOnce));
    bench.write("other-in", 0..1_000, 1);
    until("the other task is through, and committed", || bench.committed("other-in", 0) == 1_000);
    assert_eq!((bench.count("out"), bench.committed("in", 0)), (0, 0));
    door.open();
    until("all results are there", || bench.committed("in", 0) == 100);
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert_eq!(sorted(bench.read("out")), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_call_that_hangs_is_given_up_and_its_handler_decides() {
    let bench = Bench::new(&["in", "out"], 1);
    bench.write("in", 0..10, 1);
    let builder = StreamsBuilder::new();
    let call = AsyncCall::blocking(move |record: Record<String, i64>| {
        if record.value == 3 {
            std::thread::sleep(Duration::from_secs(3_600));
        }
        if record.value == 4 {
            panic!("four is too many");
        }
        Ok(record.value)
    });
    let options = AsyncOptions {
        timeout: Duration::from_millis(50),
        retry: Retry { attempts_max: 2, backoff: Duration::from_millis(1), ..Retry::default() },
        ..AsyncOptions::default()
    };
    builder
        .stream("in", Consumed::<String, i64>::default())
        .async_map(options, call)
        .to("out", Produced::default());
    let topology = builder.build().expect("valid");
    let streams = KafkaStreams::new(topology, config(Guarantee::ExactlyOnce), Arc::clone(&bench.log));
    let running = streams.process_handler(SkipOnProcessError).start().expect("it starts");
    until("all are committed", || bench.committed("in", 0) == 10);
    assert_eq!(running.state(), ApplicationState::Running);
    assert_eq!(bench.read("out")[0], [0, 1, 2, 5, 6, 7, 8, 9]);
    let began = Instant::now();
    running.stop(Duration::from_secs(20)).expect("it stops well");
    assert!(began.elapsed() < Duration::from_secs(10), "it does not wait for what was given up");
}
