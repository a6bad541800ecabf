//! `batch` and `async_map` in the test driver and in a backtest: everything in the order of the records, always the same.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, AsyncOrder, Backtest, BatchOptions, Completion, Consumed,
    DeadLetterOnDecodeError, DriverOptions, DropReason, FailedRecord, Grouped, I64Serde, Materialized,
    ProcessError, ProcessHandler, ProcessResponse, Produced, Record, Retry, StreamsBuilder, StringSerde,
    TaskFault, Timestamp, Topology, TopologyTestDriver,
};

fn of(call: impl FnOnce(&StreamsBuilder)) -> Topology {
    let builder = StreamsBuilder::new();
    call(&builder);
    builder.build().expect("valid")
}

fn numbers() -> Consumed<String, i64> {
    Consumed::default()
}

fn pipe(driver: &TopologyTestDriver, values: impl IntoIterator<Item = i64>) -> Result<(), TaskFault> {
    let input = driver.input_topic("in", StringSerde, I64Serde);
    values.into_iter().try_for_each(|n| input.pipe(format!("k{}", n % 3), n, Timestamp(n)))
}

fn results(driver: &TopologyTestDriver) -> Vec<i64> {
    let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    out.read_all().into_iter().map(|(_, value, _)| value).collect()
}

#[test]
fn a_backtest_gives_a_batch_up_to_its_greatest_size_and_keeps_the_order() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let topology = of(|builder| {
        builder
            .stream("in", numbers())
            .batch(BatchOptions { max: 10, ..BatchOptions::default() }, move |rows| {
                seen.lock().unwrap().push(rows.len());
                Ok(rows.iter().map(|row| row.value * 2).collect())
            })
            .to("out", Produced::default());
    });
    let mut backtest = Backtest::new(&topology, &DriverOptions::default()).expect("started");
    for n in 0..47_i64 {
        backtest.pipe("in", Some(b"k"), Some(&n.to_be_bytes()), Timestamp(n)).expect("read");
    }
    let mut found = Vec::new();
    let end = Timestamp(100);
    backtest
        .finish(end, |output| {
            found.push(i64::from_be_bytes(output.value.unwrap().try_into().unwrap()));
        })
        .expect("processed");
    assert_eq!(found, (0..47).map(|n| n * 2).collect::<Vec<_>>());
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 47);
    assert!(sizes.iter().all(|size| *size <= 10) && sizes.iter().filter(|size| **size == 10).count() >= 4);
}

#[test]
fn calls_completed_elsewhere_in_any_order_come_out_in_the_order_of_the_records() {
    let topology = of(|builder| {
        let call = AsyncCall::completing(|record: Record<String, i64>, done: Completion<i64>| {
            std::thread::spawn(move || {
                // The later the record, the sooner the answer.
                let ms = u64::try_from(10 - record.value).unwrap();
                std::thread::sleep(Duration::from_millis(ms));
                done.complete(Ok(record.value));
            });
        });
        let options = AsyncOptions { order: AsyncOrder::None, ..AsyncOptions::default() };
        builder
            .stream("in", numbers())
            .flat_map_values(|n| (0..n).collect::<Vec<_>>())
            .async_map(options, call)
            .to("out", Produced::default());
    });
    let driver = TopologyTestDriver::new(topology);
    pipe(&driver, [10]).expect("processed");
    assert_eq!(results(&driver), (0..10).collect::<Vec<_>>());
}

/// Answers as it is told; counts how often it is asked.
struct Answer(ProcessResponse, AtomicU32);

impl ProcessHandler for Answer {
    fn on_error(&self, failed: &FailedRecord<'_>) -> ProcessResponse {
        assert_eq!(failed.error.node(), Some("call"), "{}", failed.error);
        let offset = failed.origin.expect("it came from a source").offset;
        assert_eq!(offset, 1, "the second record fails");
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0
    }
}

fn failing(
    attempts_max: u32,
    call: impl Fn(i64) -> Result<i64, ProcessError> + Send + Sync + 'static,
) -> Topology {
    of(|builder| {
        let retry = Retry { attempts_max, ..Retry::default() };
        let options = AsyncOptions { retry, timeout: Duration::from_millis(200), ..AsyncOptions::default() };
        builder
            .stream("in", numbers())
            .async_map(options, AsyncCall::blocking(move |record| call(record.value)))
            .named("call")
            .to("out", Produced::default());
    })
}

fn with(topology: &Topology, answer: ProcessResponse) -> (TopologyTestDriver, Arc<Answer>) {
    let handler = Arc::new(Answer(answer, AtomicU32::new(0)));
    let options = DriverOptions {
        process_handler: Arc::<Answer>::clone(&handler),
        decode_handler: Arc::new(DeadLetterOnDecodeError),
        dead_letter_topic: Some("dead".to_owned()),
        ..DriverOptions::default()
    };
    (TopologyTestDriver::with_options(topology, &options).expect("started"), handler)
}

#[test]
fn a_call_is_tried_as_often_as_it_may_be_and_then_its_handler_decides() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let call = move |n| match n {
        2 => {
            counted.fetch_add(1, Ordering::Relaxed);
            Err(ProcessError::new("no answer"))
        }
        n => Ok(n),
    };
    let topology = failing(4, call);
    let (driver, handler) = with(&topology, ProcessResponse::DeadLetter);
    pipe(&driver, [1, 2, 3]).expect("the record that fails is left out");
    assert_eq!(results(&driver), [1, 3]);
    assert_eq!((attempts.load(Ordering::Relaxed), handler.1.load(Ordering::Relaxed)), (4, 1));
    assert_eq!(driver.dropped(DropReason::Process), 1);
    let dead = driver.output_topic::<String, i64>("dead", StringSerde, I64Serde).read_all();
    assert_eq!(dead, [("k2".to_owned(), 2, Timestamp(2))], "the source record, as it was");
}

#[test]
fn a_failure_that_goes_away_leaves_no_trace() {
    let left = AtomicU32::new(2);
    let topology = failing(3, move |n| match (n, left.load(Ordering::Relaxed)) {
        (2, 1..) => {
            left.fetch_sub(1, Ordering::Relaxed);
            Err(ProcessError::new("not yet"))
        }
        _ => Ok(n),
    });
    let (driver, handler) = with(&topology, ProcessResponse::Fail);
    pipe(&driver, [1, 2, 3]).expect("it succeeds in the end");
    assert_eq!(results(&driver), [1, 2, 3]);
    assert_eq!(handler.1.load(Ordering::Relaxed), 0);
}

#[test]
fn a_panic_is_an_error_that_names_the_node() {
    let topology = failing(1, |n| if n == 2 { panic!("two is too many") } else { Ok(n) });
    let (driver, _) = with(&topology, ProcessResponse::Fail);
    let fault = pipe(&driver, [1, 2, 3]).expect_err("the handler says so");
    let TaskFault::Process { error, .. } = fault else { panic!("{fault}") };
    assert_eq!(error.to_string(), "call: it panicked: two is too many");
}

#[test]
fn a_call_that_is_never_completed_times_out() {
    let kept = Mutex::new(Vec::new());
    let topology = of(|builder| {
        let options = AsyncOptions {
            timeout: Duration::from_millis(20),
            retry: Retry { attempts_max: 2, ..Retry::default() },
            ..AsyncOptions::default()
        };
        let call = AsyncCall::completing(move |record: Record<String, i64>, done: Completion<i64>| {
            match record.value {
                2 => kept.lock().unwrap().push(done),
                n => done.complete(Ok(n)),
            }
        });
        builder.stream("in", numbers()).async_map(options, call).named("call").to("out", Produced::default());
    });
    let (driver, handler) = with(&topology, ProcessResponse::Continue);
    pipe(&driver, [1, 2, 3]).expect("skipped");
    assert_eq!((results(&driver), handler.1.load(Ordering::Relaxed)), (vec![1, 3], 1));
}

#[test]
fn one_bad_record_of_a_batch_costs_only_itself() {
    let topology = of(|builder| {
        builder
            .stream("in", numbers())
            .flat_map_values(|n| if n == 2 { vec![20, 21, 22] } else { vec![n] })
            .batch(BatchOptions::default(), |rows| match rows.iter().any(|row| row.value == 21) {
                true => Err(ProcessError::new("no 21 here")),
                false => Ok(rows.iter().map(|row| row.value).collect()),
            })
            .named("call")
            .to("out", Produced::default());
    });
    let (driver, handler) = with(&topology, ProcessResponse::Continue);
    pipe(&driver, [1, 2, 3]).expect("skipped");
    assert_eq!((results(&driver), handler.1.load(Ordering::Relaxed)), (vec![1, 20, 22, 3], 1));
}

#[test]
fn a_batch_function_that_gives_too_few_results_is_told_so() {
    let topology = of(|builder| {
        let nothing = |_: &[Record<String, i64>]| Ok(Vec::<i64>::new());
        let stream = builder.stream("in", numbers());
        stream.batch(BatchOptions::default(), nothing).named("call").to("out", Produced::default());
    });
    let fault = pipe(&TopologyTestDriver::new(topology), [1]).expect_err("one result is missing");
    assert!(fault.to_string().contains("gave 0 results for 1 records"), "{fault}");
}

#[test]
fn what_a_cache_forwards_into_a_slow_node_at_a_commit_is_finished_in_it() {
    let topology = of(|builder| {
        builder
            .stream("in", numbers())
            .group_by_key(Grouped::default())
            .count(Materialized::named("counts"))
            .to_stream()
            .map_values(|count| count.unwrap_or(0))
            .async_map(AsyncOptions::default(), AsyncCall::blocking(|record| Ok(record.value * 10)))
            .group_by_key(Grouped::default())
            .aggregate(|| 0_i64, |_, value, sum| *sum += value, Materialized::named("sums"))
            .to_stream()
            .map_values(|sum| sum.unwrap_or(0))
            .to("out", Produced::default());
    });
    let options = DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    pipe(&driver, [3, 3, 3]).expect("processed");
    assert_eq!(results(&driver), [10, 30, 60]);
    driver.restart(&topology, &options).expect("restored");
    pipe(&driver, [3]).expect("processed");
    assert_eq!(results(&driver), [100]);
}
