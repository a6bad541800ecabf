//! Versions that cannot go on with what the last one kept: they are refused before they join, in a sentence, and leave
//! everything as it was.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::EmbeddedLog;
use candlewick::{
    BytesSerde, Consumed, Grouped, I32Serde, I64Serde, Materialized, PlanAction, Repartitioned, StoreBuilder,
    Stores, StreamsBuilder, StreamsError, StringSerde, TimeWindows, Topology,
};

use crate::log::{TIMEOUT, config, log, plan, start, until, version, widen, write};

const MINUTE: Duration = Duration::from_secs(60);

/// Reads words and gives the store to a processor that never uses it.
fn with_store<S: Send + 'static>(store: StoreBuilder<S>) -> Topology {
    version(|builder| {
        let name = store.name().to_owned();
        builder.add_store(store.clone());
        let words = builder.stream("words", Consumed::<String, String>::default());
        words.process::<String, String, _>(&[&name], |_| Idle);
    })
}

struct Idle;

impl candlewick::Processor<String, String, String, String> for Idle {
    fn process(
        &mut self,
        _: candlewick::Record<String, String>,
        _: &mut candlewick::Context<'_, String, String>,
    ) -> Result<(), candlewick::ProcessError> {
        Ok(())
    }
}

/// Runs a version until it has joined, and stops it.
fn run_once(log: &Arc<EmbeddedLog>, topology: Topology) {
    let running = start(log, &config(), topology).expect("started");
    until("it runs", || crate::log::is_done(&running));
    running.stop(TIMEOUT).expect("stopped");
}

/// The second version is refused for `why`, at its start and in its plan alike; the first one starts again.
fn is_refused(first: impl Fn() -> Topology, second: impl Fn() -> Topology, why: &[&str]) {
    let log = log(&[("words", 2)]);
    run_once(&log, first());
    refused_on(&log, second, why);
    assert!(!plan(&log, first()).is_refused(), "what is refused leaves no trace");
    run_once(&log, first());
}

fn refused_on(log: &Arc<EmbeddedLog>, second: impl Fn() -> Topology, why: &[&str]) {
    let report = plan(log, second());
    assert!(report.is_refused(), "{report}");
    let error = start(log, &config(), second()).err().expect("refused");
    assert!(matches!(error, StreamsError::Incompatible { .. }), "{error}");
    for text in [report.to_string(), error.to_string()] {
        assert!(why.iter().all(|why| text.contains(why)), "{text}");
    }
}

#[test]
fn another_kind_of_store_under_the_same_name_is_refused() {
    is_refused(
        || with_store(Stores::key_value::<String, i64>("kept", StringSerde, I64Serde)),
        || with_store(Stores::session::<String, i64>("kept", StringSerde, I64Serde, MINUTE)),
        &["store kept", "it was a key-value store and is a session store now"],
    );
}

#[test]
fn windows_of_another_size_are_refused_and_a_longer_grace_is_not() {
    let count = |size: u64, grace: u64| {
        version(|builder| {
            let windows =
                TimeWindows::of_size_and_grace(Duration::from_secs(size), Duration::from_secs(grace));
            let words = builder.stream("words", Consumed::<String, String>::default());
            let counts = words.group_by_key(Grouped::default()).windowed_by(windows);
            counts.count(Materialized::named("counts").retention(MINUTE * 60));
        })
    };
    is_refused(
        || count(60, 5),
        || count(30, 5),
        &["store counts", "its windows were of 60000 ms and are of 30000 ms now"],
    );
    let log = log(&[("words", 2)]);
    run_once(&log, count(60, 5));
    let report = plan(&log, count(60, 90));
    assert!(!report.is_refused(), "{report}");
    assert!(report.to_string().contains("a grace of 90000 ms instead of 5000 ms"), "{report}");
    run_once(&log, count(60, 90));
}

#[test]
fn keys_and_values_of_another_format_are_refused() {
    is_refused(
        || with_store(Stores::key_value::<String, i64>("kept", StringSerde, I64Serde)),
        || with_store(Stores::key_value::<String, i32>("kept", StringSerde, I32Serde)),
        &["its values were written as I64Serde, and read as I32Serde now"],
    );
    is_refused(
        || with_store(Stores::key_value::<String, i64>("kept", StringSerde, I64Serde)),
        || with_store(Stores::key_value::<i64, i64>("kept", I64Serde, I64Serde)),
        &["its keys were written as UTF-8 and are written as I64Serde now"],
    );
}

#[test]
fn a_store_that_gets_a_changelog_for_rows_that_never_had_one_is_refused() {
    let store = || Stores::key_value::<String, i64>("kept", StringSerde, I64Serde);
    is_refused(
        || with_store(store().without_changelog()),
        || with_store(store()),
        &["store kept", "it has no changelog to be restored from"],
    );
}

fn counts(builder: &StreamsBuilder) {
    let words = builder.stream("words", Consumed::<String, String>::default());
    words.group_by_key(Grouped::default()).count(Materialized::named("counts"));
}

#[test]
fn growth_of_input_partitions_under_keyed_state_is_refused() {
    let log = log(&[("words", 2)]);
    run_once(&log, version(counts));
    widen(&log, "words", 3);
    refused_on(
        &log,
        || version(counts),
        &["topic words: it has 3 partitions and had 2", "state by its keys"],
    );
    // The sentence says what to do.
    widen(&log, "words", 2);
    run_once(&log, version(counts));
}

#[test]
fn growth_of_input_partitions_without_state_is_taken_as_it_is() {
    let copies = || {
        version(|builder| {
            builder.stream("words", Consumed::<String, String>::default()).filter(|_, _| false);
        })
    };
    let log = log(&[("words", 2)]);
    run_once(&log, copies());
    widen(&log, "words", 3);
    let report = plan(&log, copies());
    assert!(!report.is_refused(), "{report}");
    run_once(&log, copies());
}

#[test]
fn an_input_that_grows_before_a_repartition_topic_asks_for_its_old_width() {
    let regrouped = |partitions: Option<i32>| {
        version(move |builder| {
            let words = builder.stream("words", Consumed::<String, String>::default());
            let options = Repartitioned::default().named("by-word");
            let words = words.repartition(match partitions {
                Some(partitions) => options.partitions(partitions),
                None => options,
            });
            words.group_by_key(Grouped::default()).count(Materialized::named("counts"));
        })
    };
    let log = log(&[("words", 2)]);
    run_once(&log, regrouped(None));
    widen(&log, "words", 3);
    let why = ["repartition topic app-by-word-repartition", "Repartitioned::partitions(2)"];
    refused_on(&log, || regrouped(None), &why);
    run_once(&log, regrouped(Some(2)));
}

#[test]
fn a_changelog_of_another_width_is_refused_without_any_manifest() {
    let log = log(&[("words", 2), ("app-counts-changelog", 5)]);
    let why = ["app-counts-changelog has 5 partitions and 2 are needed"];
    refused_on(&log, || version(counts), &why);
}

#[test]
fn versions_whose_tasks_are_numbered_otherwise_do_not_run_side_by_side() {
    let first = || version(counts);
    // What is declared first gets the first number.
    let second = || {
        version(|builder| {
            builder.stream("others", Consumed::<String, String>::default()).filter(|_, _| false);
            counts(builder);
        })
    };
    let log = log(&[("words", 2), ("others", 1)]);
    write(&log, "words", &["a"]);
    let running = start(&log, &config(), first()).expect("started");
    until("it runs", || crate::log::is_done(&running));
    refused_on(&log, second, &["words would be read by tasks of other numbers", "stop all of its instances"]);
    running.stop(TIMEOUT).expect("stopped");
    let report = plan(&log, second());
    let rebuilt: Vec<_> = report.with_action(PlanAction::Rebuild).collect();
    assert_eq!(rebuilt.len(), 1, "{report}");
    assert!(rebuilt[0].reason.contains("the tasks 1_* instead of 0_*"), "{report}");
    run_once(&log, second());
}

#[test]
fn types_that_are_written_in_the_same_way_are_the_same() {
    let log = log(&[("words", 2)]);
    run_once(&log, with_store(Stores::key_value::<String, String>("kept", StringSerde, StringSerde)));
    let text = Stores::key_value::<String, String>("kept", candlewick::Utf8, candlewick::Utf8);
    assert!(!plan(&log, with_store(text)).is_refused());
    let bytes = Stores::key_value::<String, bytes::Bytes>("kept", StringSerde, BytesSerde);
    assert!(plan(&log, with_store(bytes)).is_refused());
}
