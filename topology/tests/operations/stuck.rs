//! Tasks that do not get on: a thread that hangs in user code ends its instance, and others take over; a task that has
//! records and does not move is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use candlewick::client::{Log, OutgoingRecord, ProducerSettings};
use candlewick::{
    ApplicationState, Consumed, Context, ErrorPolicy, Headers, I64Serde, KeyValueStore, Partition,
    ProcessError, Processor, Produced, Record, StoreHandle, Stores, StreamsConfig, StringSerde, Timestamp,
    Topology,
};

use crate::crew::came_out_once;
use crate::log::{TIMEOUT, config, counted, counts_are, log, run, start, until, version, write};

type Door = Arc<Mutex<Receiver<()>>>;

/// Counts words; at the word `hang` it waits for the door to open.
struct Waiting {
    store: StoreHandle<KeyValueStore<String, i64>>,
    door: Option<Door>,
}

impl Processor<String, String, String, i64> for Waiting {
    fn process(
        &mut self,
        record: Record<String, String>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        if let (Some(door), "hang") = (&self.door, record.value.as_str()) {
            // Closed for good when the other end is gone.
            let _ = door.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }
        let store = cx.store(self.store);
        let count = store.get(&record.key)?.map_or(0, |entry| entry.value) + 1;
        store.put(record.key.clone(), count, record.timestamp)?;
        cx.forward(record.with_value(count))
    }
}

fn topology(door: Option<Door>) -> Topology {
    version(move |builder| {
        builder.add_store(Stores::key_value::<String, i64>("counts", StringSerde, I64Serde));
        let door = door.clone();
        let words = builder.stream("words", Consumed::<String, String>::default());
        let counts = words.process::<String, i64, _>(&["counts"], move |stores| Waiting {
            store: stores.get("counts"),
            door: door.clone(),
        });
        counts.to("totals", Produced::default());
    })
}

#[test]
fn a_thread_that_hangs_in_user_code_ends_its_instance_and_others_take_over() {
    let log = log(&[("words", 2), ("totals", 1)]);
    let words = ["a", "b", "hang", "a", "c"];
    write(&log, "words", &words);
    let (open, door) = channel();
    let config = StreamsConfig { task_stuck_after_ms: 700, session_timeout_ms: 2_000, ..config() };
    let hanging = start(&log, &config, topology(Some(Arc::new(Mutex::new(door))))).expect("started");
    until("the watchdog barks", || hanging.state() == ApplicationState::PendingError);
    let error = hanging.handle().error().expect("a reason");
    assert!(
        error.contains("stream thread 0 has been at one record, or at one punctuation, for 700ms"),
        "{error}"
    );
    let healthy = start(&log, &config, topology(None)).expect("started");
    counts_are(&log, "totals", &counted(&words));
    // The one that hung wakes up: what it does counts no more.
    drop(open);
    assert!(hanging.stop(Duration::from_millis(500)).is_err());
    healthy.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &words);
}

#[test]
fn an_instance_that_waits_for_a_former_owners_transaction_ends_when_it_is_asked_to() {
    let log = log(&[("words", 1), ("totals", 1)]);
    write(&log, "words", &["a"]);
    run(&log, &config(), topology(None), ("totals", &counted(&["a"])));
    let settings = ProducerSettings {
        transactional_id: Some("a former owner".to_owned()),
        transaction_timeout: Some(TIMEOUT * 10),
        ..ProducerSettings::default()
    };
    let mut former = log.producer(&settings).expect("a producer");
    let changelog = former.topic("app-counts-changelog").expect("the changelog is there");
    former.init_transactions(TIMEOUT).expect("registered");
    former.begin_transaction().expect("begun");
    let headers = Headers::default();
    let (partition, timestamp) = (Partition(0), Timestamp(1));
    let record = OutgoingRecord {
        topic: changelog,
        partition,
        key: Some(b"a"),
        value: None,
        headers: &headers,
        timestamp,
    };
    former.send(record).expect("sent");
    former.flush(TIMEOUT).expect("written");
    let waiting = start(&log, &config(), topology(None)).expect("started");
    until("it has a task to restore", || !waiting.handle().status().tasks.is_empty());
    std::thread::sleep(Duration::from_millis(300));
    assert_ne!(waiting.state(), ApplicationState::Running, "it waits");
    let (began, patience) = (Instant::now(), Duration::from_secs(5));
    waiting.stop(patience).expect("stopped");
    assert!(began.elapsed() < patience, "it ended after {:?}", began.elapsed());
}

#[test]
fn slow_records_are_no_hanging_thread() {
    let log = log(&[("words", 1), ("totals", 1)]);
    let words = ["a"; 12];
    write(&log, "words", &words);
    let slow = version(|builder| {
        let words = builder.stream("words", Consumed::<String, String>::default());
        let slow = words.peek(|_, _| std::thread::sleep(Duration::from_millis(150)));
        slow.map_values(|_| 1_i64).to("totals", Produced::default());
    });
    let config = StreamsConfig { task_stuck_after_ms: 600, ..config() };
    let running = start(&log, &config, slow).expect("started");
    until("all are there", || crate::log::records(&log, "totals").len() == words.len());
    assert_eq!((running.state(), running.handle().status().stalled), (ApplicationState::Running, Vec::new()));
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn a_task_with_records_that_does_not_move_is_told_until_it_moves() {
    let log = log(&[("words", 1), ("totals", 1)]);
    write(&log, "words", &["a", "b"]);
    let refuses = Arc::new(Mutex::new(true));
    let told = Arc::clone(&refuses);
    let topology = version(move |builder| {
        let told = Arc::clone(&told);
        let words = builder.stream("words", Consumed::<String, String>::default());
        let words = words.process::<String, i64, _>(&[], move |_| Refusing(Arc::clone(&told)));
        words.to("totals", Produced::default());
    });
    let policy = ErrorPolicy::fail().retrying(100, Duration::from_millis(400));
    let config = StreamsConfig { task_stuck_after_ms: 500, process_errors: Some(policy), ..config() };
    let running = start(&log, &config, topology).expect("started");
    until("it is told", || !running.handle().status().stalled.is_empty());
    let stalled = running.handle().status().stalled;
    assert_eq!((stalled.len(), stalled[0].task.as_str(), stalled[0].lag), (1, "0_0", 2), "{stalled:?}");
    assert!(stalled[0].for_ms >= 500, "{stalled:?}");
    *refuses.lock().expect("whole") = false;
    counts_are(&log, "totals", &BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]));
    until("it is well again", || running.handle().status().stalled.is_empty());
    running.stop(TIMEOUT).expect("stopped");
}

struct Refusing(Arc<Mutex<bool>>);

impl Processor<String, String, String, i64> for Refusing {
    fn process(
        &mut self,
        record: Record<String, String>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        match *self.0.lock().expect("whole") {
            true => Err(ProcessError::new("not now")),
            false => cx.forward(record.with_value(1)),
        }
    }
}
