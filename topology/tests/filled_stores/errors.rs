//! What becomes of records that a processor in front of a global store refuses, and of those that it never sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use candlewick::{
    Consumed, Context, DriverOptions, DropReason, ErrorPolicy, I64Serde, Nullable, ProcessError, Processor,
    Produced, PunctuationType, Record, SkipOnDecodeError, SkipOnProcessError, StoreHandle, StreamsBuilder,
    StringSerde, TaskFault, Timestamp, Topology, TopologyTestDriver,
};

use crate::parts::{Numbers, numbers};

/// What a record may come to.
pub(crate) const REFUSED: i64 = -1;
const PANICS: i64 = -2;

/// Sums up under one key, and fails half way through some records.
struct Total {
    total: StoreHandle<Numbers>,
    /// How often a refused record fails.
    failures: Arc<AtomicU32>,
}

impl Processor<String, i64, (), ()> for Total {
    fn process(
        &mut self,
        record: Record<String, i64>,
        cx: &mut Context<'_, (), ()>,
    ) -> Result<(), ProcessError> {
        cx.store(self.total).update(&"total".to_owned(), record.timestamp, |entry| {
            entry.get_or_insert_default().value += record.value;
        })?;
        let left = self.failures.load(Ordering::Relaxed);
        match record.value {
            REFUSED if left > 0 => {
                self.failures.store(left - 1, Ordering::Relaxed);
                Err(ProcessError::new("it is refused"))
            }
            PANICS => panic!("it cannot be"),
            _ => Ok(()),
        }
    }
}

pub(crate) fn topology(policy: Option<ErrorPolicy>, failures: u32) -> Topology {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<String, i64>::default().named("fill");
    let consumed = match policy {
        Some(policy) => consumed.on_error(policy),
        None => consumed,
    };
    let failures = Arc::new(AtomicU32::new(failures));
    builder.global_store("added", consumed, numbers("totals"), move |stores| Total {
        total: stores.get("totals"),
        failures: Arc::clone(&failures),
    });
    builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    builder.build().expect("valid")
}

fn total(driver: &TopologyTestDriver) -> Option<i64> {
    driver.with_store::<Numbers, _>("totals", |store| {
        store.get(&"total".to_owned()).expect("in memory").map(|entry| entry.value)
    })
}

#[test]
fn an_error_ends_the_reader_and_names_the_node_unless_told_otherwise() {
    let driver = TopologyTestDriver::new(topology(None, u32::MAX));
    let added = driver.input_topic("added", StringSerde, I64Serde);
    added.pipe("k".to_owned(), 5, Timestamp(1)).expect("added");
    let fault = added.pipe("k".to_owned(), REFUSED, Timestamp(2)).expect_err("it is refused");
    assert_eq!(fault.to_string(), "task global: fill: it is refused");
    assert!(matches!(fault, TaskFault::Process { .. }));
}

#[test]
fn the_applications_handler_and_the_sources_policy_leave_records_out() {
    let skipping =
        DriverOptions { process_handler: Arc::new(SkipOnProcessError), ..DriverOptions::default() };
    for (policy, options) in [(None, skipping), (Some(ErrorPolicy::skip()), DriverOptions::default())] {
        let driver =
            TopologyTestDriver::with_options(&topology(policy, u32::MAX), &options).expect("started");
        let added = driver.input_topic("added", StringSerde, I64Serde);
        for number in [5, REFUSED, 7] {
            added.pipe("k".to_owned(), number, Timestamp(1)).expect("left out");
        }
        // As in a task: what a record has written before it was refused stays where it is left out.
        assert_eq!((total(&driver), driver.dropped(DropReason::Process)), (Some(5 + REFUSED + 7), 1));
    }
}

#[test]
fn a_record_is_tried_again_from_the_last_commit_and_counts_once() {
    for (failures, tries) in [(2, 3), (5, 3)] {
        let policy = ErrorPolicy::fail().retrying(tries, Duration::from_millis(1));
        let driver = TopologyTestDriver::new(topology(Some(policy), failures));
        let added = driver.input_topic("added", StringSerde, I64Serde);
        added.pipe("k".to_owned(), 5, Timestamp(1)).expect("added");
        let result = added.pipe("k".to_owned(), REFUSED, Timestamp(2));
        assert_eq!(result.is_ok(), failures <= tries);
        if result.is_ok() {
            assert_eq!(total(&driver), Some(5 + REFUSED), "what failed before was undone");
        }
    }
}

#[test]
fn a_panic_is_an_error_of_its_record_whose_writes_are_undone() {
    let driver = TopologyTestDriver::new(topology(Some(ErrorPolicy::skip()), 0));
    let added = driver.input_topic("added", StringSerde, I64Serde);
    for number in [5, PANICS, 7, PANICS] {
        added.pipe("k".to_owned(), number, Timestamp(1)).expect("left out");
    }
    assert_eq!((total(&driver), driver.dropped(DropReason::Process)), (Some(5 + 7), 2));
    let driver = TopologyTestDriver::new(topology(None, 0));
    let added = driver.input_topic("added", StringSerde, I64Serde);
    let fault = added.pipe("k".to_owned(), PANICS, Timestamp(1)).expect_err("it panics");
    assert_eq!(fault.to_string(), "task global: fill: it panicked: it cannot be");
}

#[test]
fn what_cannot_be_read_goes_to_the_handler_and_what_has_no_key_is_left_out() {
    let options = DriverOptions { decode_handler: Arc::new(SkipOnDecodeError), ..DriverOptions::default() };
    let driver = TopologyTestDriver::with_options(&topology(None, 0), &options).expect("started");
    let odd = driver.input_topic("added", StringSerde, StringSerde);
    odd.pipe("k".to_owned(), "no number".to_owned(), Timestamp(1)).expect("left out");
    let keyless = driver.input_topic("added", Nullable(StringSerde), I64Serde);
    keyless.pipe(None, 5, Timestamp(1)).expect("left out");
    keyless.pipe(Some("k".to_owned()), 6, Timestamp(1)).expect("added");
    assert_eq!(total(&driver), Some(6));
    assert_eq!([DropReason::Decode, DropReason::NullKey].map(|reason| driver.dropped(reason)), [1, 1]);
    let strict = TopologyTestDriver::new(topology(None, 0));
    let odd = strict.input_topic("added", StringSerde, StringSerde);
    let fault = odd.pipe("k".to_owned(), "no number".to_owned(), Timestamp(1)).expect_err("it is no number");
    assert!(matches!(fault, TaskFault::Decode { offset: 0, .. }));
}

/// Wants to be called by the clock.
struct Impatient;

impl Processor<String, i64, (), ()> for Impatient {
    fn init(&mut self, cx: &mut Context<'_, (), ()>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_secs(1), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, (), ()>) -> Result<(), ProcessError> {
        Ok(())
    }
}

#[test]
fn punctuators_are_refused() {
    let builder = StreamsBuilder::new();
    builder.global_store("added", Consumed::default(), numbers("totals"), |_| Impatient);
    builder.stream("in", Consumed::<String, i64>::default()).to("out", Produced::default());
    let topology = builder.build().expect("valid");
    let started = TopologyTestDriver::with_options(&topology, &DriverOptions::default());
    let fault = started.err().expect("it is refused").to_string();
    assert!(fault.contains("cannot schedule punctuators"), "{fault}");
}
