//! Records that fail and code that panics: what policies make of them, for the application and for one operator.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlewick::client::{EmbeddedLog, Isolation, Log, PolledBatch, StartAt};
use candlewick::{
    ApplicationState, Consumed, Context, ErrorPolicy, Guarantee, I64Serde, KeyValueStore, ProcessError,
    Processor, Produced, Record, StoreHandle, Stores, StreamsConfig, StringSerde, TopicPartition, Topology,
};

use crate::log::{TIMEOUT, config, counted, counts_are, log, newest, start, until, version, write};

/// What a node does to a word before it has counted it, and after.
type Trouble = Arc<dyn Fn(&str) -> Result<(), ProcessError> + Send + Sync>;

/// Counts words; trouble comes when the count is in the store already.
struct Count {
    store: StoreHandle<KeyValueStore<String, i64>>,
    trouble: Trouble,
}

impl Processor<String, String, String, i64> for Count {
    fn process(
        &mut self,
        record: Record<String, String>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let store = cx.store(self.store);
        let count = store.get(&record.key)?.map_or(0, |entry| entry.value) + 1;
        store.put(record.key.clone(), count, record.timestamp)?;
        (self.trouble)(&record.value)?;
        cx.forward(record.with_value(count))
    }
}

fn counting(trouble: &Trouble, policy: Option<ErrorPolicy>) -> Topology {
    let trouble = Arc::clone(trouble);
    version(move |builder| {
        builder.add_store(Stores::key_value::<String, i64>("counts", StringSerde, I64Serde));
        let trouble = Arc::clone(&trouble);
        let words = builder.stream("words", Consumed::<String, String>::default().named("words"));
        let counts = words
            .process::<String, i64, _>(&["counts"], move |stores| Count {
                store: stores.get("counts"),
                trouble: Arc::clone(&trouble),
            })
            .named("count");
        let counts = match policy {
            Some(policy) => counts.on_error(policy),
            None => counts,
        };
        counts.to("totals", Produced::default());
    })
}

fn failing() -> StreamsConfig {
    StreamsConfig { dead_letter_topic: Some("dead".into()), ..config() }
}

/// The dead letters: value and headers as text.
fn dead_letters(log: &Arc<EmbeddedLog>) -> Vec<(String, BTreeMap<String, String>)> {
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted).expect("consumer");
    consumer.assign(&[(TopicPartition::new("dead", 0), StartAt::Beginning)]).expect("assigned");
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let (mut letters, mut batch) = (Vec::new(), PolledBatch::default());
    for _ in 0..5 {
        consumer.poll(100, Duration::from_millis(10), &mut batch).expect("polled");
        for record in batch.runs.iter().flat_map(|run| run.iter()) {
            let headers = record.headers.iter();
            let headers = headers.map(|header| (header.name.to_string(), text(header.value.as_deref())));
            letters.push((text(record.value), headers.collect()));
        }
    }
    letters
}

/// Every count of every word came out once and in order: what failed has left nothing behind.
fn came_out_once(log: &Arc<EmbeddedLog>, expected: &BTreeMap<String, i64>) {
    let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (key, value) in crate::log::records(log, "totals") {
        let count = i64::from_be_bytes(value.try_into().expect("eight bytes"));
        found.entry(String::from_utf8(key).expect("UTF-8")).or_default().push(count);
    }
    for (word, count) in expected {
        assert_eq!(found.get(word), Some(&(1..=*count).collect()), "{word}");
    }
}

#[test]
fn a_record_is_tried_again_from_the_last_commit_until_it_succeeds() {
    let words = ["a", "b", "later", "a", "later", "b"];
    for (failures, policy) in [(2, "retry 2 5ms fail"), (4, "retry 9 1ms skip")] {
        let log = log(&[("words", 1), ("totals", 1)]);
        write(&log, "words", &words);
        let tries = Arc::new(AtomicUsize::new(0));
        let counted_tries = Arc::clone(&tries);
        let trouble: Trouble = Arc::new(move |word| match word {
            "later" if counted_tries.fetch_add(1, Ordering::Relaxed) < failures => {
                Err(ProcessError::new("not yet"))
            }
            _ => Ok(()),
        });
        let policy: ErrorPolicy = policy.parse().expect("a policy");
        let config = StreamsConfig { process_errors: Some(policy), ..failing() };
        let running = start(&log, &config, counting(&trouble, None)).expect("started");
        counts_are(&log, "totals", &counted(&words));
        running.stop(TIMEOUT).expect("stopped");
        came_out_once(&log, &counted(&words));
        assert!(tries.load(Ordering::Relaxed) >= failures + 2);
    }
}

#[test]
fn when_all_tries_have_failed_the_record_as_it_was_read_is_a_dead_letter() {
    let log = log(&[("words", 1), ("totals", 1)]);
    let words = ["a", "never", "b", "a"];
    write(&log, "words", &words);
    let tries = Arc::new(AtomicUsize::new(0));
    let counted_tries = Arc::clone(&tries);
    let trouble: Trouble = Arc::new(move |word| match word {
        "never" => {
            counted_tries.fetch_add(1, Ordering::Relaxed);
            Err(ProcessError::new("it does not fit"))
        }
        _ => Ok(()),
    });
    let policy = ErrorPolicy::dead_letter().retrying(3, Duration::from_millis(1));
    let running = start(&log, &failing(), counting(&trouble, Some(policy))).expect("started");
    let expected = counted(&["a", "b", "a"]);
    counts_are(&log, "totals", &expected);
    running.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &expected);
    assert_eq!(tries.load(Ordering::Relaxed), 1 + 3);
    let letters = dead_letters(&log);
    assert_eq!(letters.len(), 1, "{letters:?}");
    let (value, headers) = &letters[0];
    let told = |name: &str| headers.get(&format!("__streams.errors.{name}")).map(String::as_str);
    assert_eq!(value, "never");
    assert_eq!([told("topic"), told("partition"), told("offset")], [Some("words"), Some("0"), Some("1")]);
    assert_eq!(told("message"), Some("it does not fit"));
    assert_eq!(told("stacktrace"), Some("at count"));
}

#[test]
fn a_panic_is_an_error_that_names_its_node_and_leaves_nothing_half_done() {
    let words = ["a", "bad", "b", "worse", "a", "bad", "b"];
    let good: Vec<&str> = words.iter().copied().filter(|word| !["bad", "worse"].contains(word)).collect();
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        for policy in ["skip", "dead-letter", "retry 1 1ms dead-letter"] {
            let log = log(&[("words", 1), ("totals", 1)]);
            write(&log, "words", &words);
            let trouble: Trouble = Arc::new(|word| match word {
                "bad" => panic!("what a {word} word"),
                "worse" => panic!("worse than bad"),
                _ => Ok(()),
            });
            let process_errors = Some(policy.parse().expect("a policy"));
            let config = StreamsConfig { guarantee, process_errors, ..failing() };
            let running = start(&log, &config, counting(&trouble, None)).expect("started");
            counts_are(&log, "totals", &counted(&good));
            until("everything is processed", || crate::log::is_done(&running));
            assert_eq!(running.handle().error(), None);
            running.stop(TIMEOUT).expect("stopped");
            if guarantee == Guarantee::ExactlyOnce {
                came_out_once(&log, &counted(&good));
            }
            if policy == "skip" {
                continue;
            }
            let letters = dead_letters(&log);
            let found: Vec<&str> = letters.iter().map(|(value, _)| value.as_str()).collect();
            if guarantee == Guarantee::ExactlyOnce {
                assert_eq!(found, ["bad", "worse", "bad"], "{policy}");
            }
            for (value, headers) in &letters {
                let said = if value == "bad" { "what a bad word" } else { "worse than bad" };
                assert_eq!(headers["__streams.errors.message"], format!("it panicked: {said}"));
                assert_eq!(headers["__streams.errors.stacktrace"], "at count");
            }
        }
    }
}

#[test]
fn a_panic_that_is_not_forgiven_ends_the_application_and_not_the_process() {
    let log = log(&[("words", 1), ("totals", 1)]);
    let words = ["a", "bad", "b"];
    write(&log, "words", &words);
    let trouble: Trouble = Arc::new(|word| if word == "bad" { panic!("no") } else { Ok(()) });
    let running = start(&log, &config(), counting(&trouble, None)).expect("started");
    until("it fails", || running.state() == ApplicationState::PendingError);
    let error = running.handle().error().expect("a reason");
    assert!(error.contains("count: it panicked: no"), "{error}");
    assert!(running.stop(TIMEOUT).is_err());
    // The same process, the same state: mended code goes on where it stopped.
    let mended: Trouble = Arc::new(|_| Ok(()));
    let running = start(&log, &config(), counting(&mended, None)).expect("started");
    counts_are(&log, "totals", &counted(&words));
    running.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &counted(&words));
}

#[test]
fn an_operator_has_its_own_policy_before_the_applications() {
    let log = log(&[("words", 1), ("totals", 1)]);
    write(&log, "words", &["a", "odd", "a", "even", "b"]);
    let refuse = |refused: &'static str| {
        move |word: &str| match word == refused {
            true => Err(ProcessError::new(format!("{refused} is refused"))),
            false => Ok(()),
        }
    };
    let passed = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&passed);
    let first: Trouble = Arc::new(refuse("odd"));
    let topology = {
        let seen = Arc::clone(&seen);
        version(move |builder| {
            let words = builder.stream("words", Consumed::<String, String>::default());
            let (first, seen) = (Arc::clone(&first), Arc::clone(&seen));
            let checked = words
                .process::<String, String, _>(&[], move |_| Check(Arc::clone(&first)))
                .on_error(ErrorPolicy::skip());
            let second: Trouble = Arc::new(refuse("even"));
            let checked = checked.process::<String, String, _>(&[], move |_| Check(Arc::clone(&second)));
            let passed = checked.peek(move |_, word| seen.lock().expect("whole").push(word.clone()));
            passed.map_values(|_| 1_i64).to("totals", Produced::default());
        })
    };
    let config = StreamsConfig { process_errors: Some(ErrorPolicy::dead_letter()), ..failing() };
    let running = start(&log, &config, topology).expect("started");
    until("the last word is there", || newest(&log, "totals").contains_key("b"));
    running.stop(TIMEOUT).expect("stopped");
    assert_eq!(*passed.lock().expect("whole"), ["a", "a", "b"]);
    let letters: Vec<String> = dead_letters(&log).into_iter().map(|(value, _)| value).collect();
    assert_eq!(letters, ["even"], "what the first node refuses is left out without a letter");
}

struct Check(Trouble);

impl Processor<String, String, String, String> for Check {
    fn process(
        &mut self,
        record: Record<String, String>,
        cx: &mut Context<'_, String, String>,
    ) -> Result<(), ProcessError> {
        (self.0)(&record.value)?;
        cx.forward(record)
    }
}

/// A topic that refuses what is longer than these bytes.
fn narrow(log: &Arc<EmbeddedLog>, name: &str, bytes: usize) {
    let config = BTreeMap::from([("max.message.bytes".to_owned(), bytes.to_string())]);
    let topic = candlewick::client::NewTopic { config, ..crate::log::topic(name, 1) };
    log.admin().expect("admin").create(&[topic], TIMEOUT).expect("created");
}

#[test]
fn what_an_output_topic_refuses_is_left_out_or_a_dead_letter_of_what_it_was_made_of() {
    let words = ["a", "longer", "b", "longer", "a"];
    let kept = counted(&["a", "b", "a"]);
    for (configured, own) in [("skip", None), ("dead-letter", None), ("fail", Some("dead-letter"))] {
        let log = log(&[("words", 1)]);
        narrow(&log, "totals", 500);
        write(&log, "words", &words);
        let own: Option<ErrorPolicy> = own.map(|policy: &str| policy.parse().expect("a policy"));
        let topology = version(move |builder| {
            let words = builder.stream("words", Consumed::<String, String>::default());
            let produced = Produced::default().named("write");
            let produced = match own {
                Some(policy) => produced.on_error(policy),
                None => produced,
            };
            words.map_values(|word| word.repeat(200)).to("totals", produced);
        });
        let produce_errors = Some(configured.parse().expect("a policy"));
        let config = StreamsConfig { produce_errors, ..failing() };
        let running = start(&log, &config, topology).expect("started");
        let written = || {
            let records = crate::log::records(&log, "totals").into_iter();
            counted(
                &records
                    .map(|(key, _)| String::from_utf8(key).expect("UTF-8").leak() as &str)
                    .collect::<Vec<_>>(),
            )
        };
        until("the rest is there", || written() == kept);
        until("all is processed", || crate::log::is_done(&running));
        let is_counted = || running.handle().status().dropped.contains(&("produce".to_owned(), 2));
        until("two are counted", is_counted);
        running.stop(TIMEOUT).expect("stopped");
        let letters = dead_letters(&log);
        let found: Vec<&str> = letters.iter().map(|(value, _)| value.as_str()).collect();
        let expected: &[&str] = if configured == "skip" { &[] } else { &["longer", "longer"] };
        assert_eq!(found, expected, "{configured}: as they were read");
        for ((_, headers), offset) in letters.iter().zip(["1", "3"]) {
            let told = |name: &str| headers[&format!("__streams.errors.{name}")].as_str();
            assert_eq!([told("topic"), told("partition"), told("offset")], ["words", "0", offset]);
            assert!(told("message").contains("a record for totals was refused"), "{headers:?}");
            let node = if own.is_some() { "at write" } else { "at totals" };
            assert_eq!(told("stacktrace"), node);
        }
    }
}

#[test]
fn what_an_output_topic_refuses_ends_the_application_unless_told_otherwise() {
    let log = log(&[("words", 1)]);
    narrow(&log, "totals", 500);
    write(&log, "words", &["longer"]);
    let topology = version(|builder| {
        let words = builder.stream("words", Consumed::<String, String>::default());
        words.map_values(|word| word.repeat(200)).to("totals", Produced::default());
    });
    let running = start(&log, &config(), topology).expect("started");
    until("it fails", || running.state() == ApplicationState::PendingError);
    let error = running.handle().error().expect("a reason");
    assert!(error.contains("a record for totals was refused"), "{error}");
    assert!(running.stop(TIMEOUT).is_err());
}
