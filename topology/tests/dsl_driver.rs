//! Operations that no golden case has, in the test driver.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlewick::{
    Consumed, DriverOptions, Grouped, I64Serde, Joined, KeyValueStore, Materialized, Nullable, ProcessError,
    ProcessorWrapper, Produced, SessionWindows, Stores, StreamsBuilder, StringSerde, TableContext, Timestamp,
    TopologyTestDriver,
};

fn numbers() -> Consumed<String, Option<i64>> {
    Consumed::with(StringSerde, Nullable(I64Serde))
}

/// A table whose values are multiplied by how many values its key had before, kept in a store.
fn counted(builder: &StreamsBuilder, materialized: bool) {
    builder.add_store(Stores::key_value::<String, i64>("seen", StringSerde, I64Serde));
    let table = builder.table("in", numbers(), Materialized::named("in-table").without_cache());
    let scaled = table.transform_values(&["seen"], |stores| {
        let seen = stores.get::<KeyValueStore<String, i64>>("seen");
        move |key: &String, value: Option<i64>, cx: &mut TableContext<'_>| {
            let times = cx.store(seen).get(key)?.map_or(0, |entry| entry.value) + 1;
            cx.store(seen).put(key.clone(), times, Timestamp(0))?;
            Ok(value.map(|value| value * times))
        }
    });
    let scaled = if materialized { scaled.materialized(Materialized::named("scaled")) } else { scaled };
    scaled.to_stream().to("out", Produced::with(StringSerde, Nullable(I64Serde)));
    builder
        .stream("lookups", Consumed::<String, i64>::default())
        .left_join(scaled, |_, _, row| row.copied(), Joined::default())
        .to("found", Produced::with(StringSerde, Nullable(I64Serde)));
}

#[test]
fn transformed_values_come_from_the_transformers_state_and_a_store_spares_it_look_ups() {
    for materialized in [false, true] {
        let builder = StreamsBuilder::new();
        counted(&builder, materialized);
        let driver = TopologyTestDriver::new(builder.build().expect("valid"));
        let (input, lookups) = (
            driver.input_topic("in", StringSerde, Nullable(I64Serde)),
            driver.input_topic("lookups", StringSerde, I64Serde),
        );
        let out = driver.output_topic::<String, Option<i64>>("out", StringSerde, Nullable(I64Serde));
        let found = driver.output_topic::<String, Option<i64>>("found", StringSerde, Nullable(I64Serde));
        for value in [Some(10), Some(10), None, Some(5)] {
            input.pipe("k".into(), value, Timestamp(1)).expect("processed");
        }
        let values: Vec<_> = std::iter::from_fn(|| out.read_value()).collect();
        assert_eq!(values, [Some(10), Some(20), None, Some(20)], "the transformer sees deletions too");
        lookups.pipe("k".into(), 0, Timestamp(2)).expect("processed");
        // Without a store of its own the row is transformed again for each look-up.
        assert_eq!(found.read_value(), Some(Some(if materialized { 20 } else { 25 })));
    }
}

/// Counts what passes each node, and drops what comes to `stop`.
struct Counting {
    passed: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicUsize>,
}

impl ProcessorWrapper for Counting {
    fn process(
        &self,
        node: &str,
        run: &mut dyn FnMut() -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        self.passed.lock().expect("no test panics here").push(node.to_owned());
        if node == "stop" {
            self.stopped.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        run()
    }
}

#[test]
fn a_wrapper_stands_around_every_node_and_may_keep_records_from_it() {
    let (passed, stopped) = (Arc::default(), Arc::default());
    let builder = StreamsBuilder::new();
    let source = builder.stream("in", Consumed::<String, i64>::default());
    source.filter(|_, value| *value > 0).named("positive").to("out", Produced::default().named("sink"));
    source.filter(|_, _| true).named("stop").to("never", Produced::default().named("unreached"));
    builder.wrap_processors(Counting { passed: Arc::clone(&passed), stopped: Arc::clone(&stopped) });
    let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    let input = driver.input_topic("in", StringSerde, I64Serde);
    input.pipe("k".into(), 1, Timestamp(0)).expect("processed");
    input.pipe("k".into(), -1, Timestamp(0)).expect("processed");
    assert_eq!(driver.output_topic::<String, i64>("out", StringSerde, I64Serde).read_value(), Some(1));
    assert_eq!(driver.output_topic::<String, i64>("never", StringSerde, I64Serde).read_value(), None);
    assert_eq!(*passed.lock().expect("nobody panicked"), ["positive", "sink", "stop", "positive", "stop"]);
    assert_eq!(stopped.load(Ordering::Relaxed), 2);
}

#[test]
fn a_session_that_is_just_about_to_close_is_told_after_a_restart_too() {
    let (gap, grace) = (Duration::from_millis(10), Duration::from_millis(15));
    let topology = {
        let builder = StreamsBuilder::new();
        builder
            .stream("in", Consumed::<String, String>::default())
            .group_by_key(Grouped::default())
            .windowed_by(SessionWindows::of_inactivity_gap_and_grace(gap, grace))
            .emit_on_window_close()
            .count(Materialized::named("sessions"))
            .to_stream()
            .map(|session, _| (session.key, session.window.end.0))
            .to("out", Produced::default());
        builder.build().expect("valid")
    };
    let options = DriverOptions::default();
    let driver = TopologyTestDriver::with_options(&topology, &options).expect("started");
    let input = driver.input_topic("in", StringSerde, StringSerde);
    let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    input.pipe("b".into(), "1".into(), Timestamp(120)).expect("processed");
    // The first time at which the session of 120 is over is 120 + gap + grace + 1.
    input.pipe("a".into(), "2".into(), Timestamp(145)).expect("processed");
    assert!(out.is_empty());
    driver.restart(&topology, &options).expect("started again");
    input.pipe("a".into(), "3".into(), Timestamp(146)).expect("processed");
    assert_eq!(out.read_all(), [("b".to_owned(), 120, Timestamp(120))]);
}
