//! Stream threads that are added and removed while records come in: every record counts once, whoever has its task.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlewick::client::EmbeddedLog;
use candlewick::{
    Consumed, Grouped, Guarantee, KStream, Materialized, Produced, RunningStreams, StreamsBuilder,
    StreamsConfig, TaskPhase, Topology,
};

use crate::log::{TIMEOUT, config, counted, counts_are, log, start, until, version, write};

pub(crate) fn counts() -> Topology {
    version(|builder| {
        totals(builder);
    })
}

/// How often each word was written, which goes to a topic.
pub(crate) fn totals(builder: &StreamsBuilder) -> KStream<'_, String, i64> {
    let words = builder.stream("words", Consumed::<String, String>::default());
    let counts = words.group_by_key(Grouped::default()).count(Materialized::named("counts").without_cache());
    let counts = counts.to_stream().map_values(|count: Option<i64>| count.unwrap_or(0));
    counts.to("totals", Produced::default());
    counts
}

/// Writes the same words again and again until told to end; gives all that were written.
pub(crate) struct Feed {
    ends: Arc<AtomicBool>,
    writes: std::thread::JoinHandle<Vec<&'static str>>,
}

impl Feed {
    pub(crate) fn start(log: &Arc<EmbeddedLog>) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (told, log) = (Arc::clone(&ends), Arc::clone(log));
        let writes = std::thread::spawn(move || {
            let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
            let mut written = Vec::new();
            while !told.load(Ordering::Relaxed) {
                write(&log, "words", &words);
                written.extend(words);
                std::thread::sleep(Duration::from_millis(5));
            }
            written
        });
        Self { ends, writes }
    }

    pub(crate) fn end(self) -> Vec<&'static str> {
        self.ends.store(true, Ordering::Relaxed);
        self.writes.join().expect("written")
    }
}

/// Each word's counts came out once and in order.
pub(crate) fn came_out_once(log: &Arc<EmbeddedLog>, words: &[&str]) {
    let mut found = std::collections::BTreeMap::<String, Vec<i64>>::new();
    for (key, value) in crate::log::records(log, "totals") {
        let count = i64::from_be_bytes(value.try_into().expect("eight bytes"));
        found.entry(String::from_utf8(key).expect("UTF-8")).or_default().push(count);
    }
    for (word, count) in counted(words) {
        assert_eq!(found.get(&word), Some(&(1..=count).collect()), "{word}");
    }
}

/// The threads that have tasks, once all tasks run.
fn threads_at_work(running: &RunningStreams, tasks: usize) -> BTreeSet<usize> {
    let status = running.handle().status();
    let runs = status.tasks.iter().filter(|task| task.phase == TaskPhase::Running);
    let threads: Vec<usize> = runs.map(|task| task.thread).collect();
    if threads.len() == tasks { threads.into_iter().collect() } else { BTreeSet::new() }
}

#[test]
fn threads_come_and_go_under_load_and_every_record_counts_once() {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let log = log(&[("words", 6), ("totals", 2)]);
        let feed = Feed::start(&log);
        let config = StreamsConfig { guarantee, ..config() };
        let mut running = start(&log, &config, counts()).expect("started");
        until("one has all", || threads_at_work(&running, 6) == [0].into());
        assert_eq!(running.add_thread().expect("added"), Some(1));
        assert_eq!(running.add_thread().expect("added"), Some(2));
        assert_eq!(running.threads(), 3);
        until("three share", || threads_at_work(&running, 6) == [0, 1, 2].into());
        assert_eq!(running.remove_thread(TIMEOUT).expect("removed"), Some(2));
        until("two share", || threads_at_work(&running, 6) == [0, 1].into());
        assert_eq!(running.add_thread().expect("added"), Some(2), "its number is free again");
        until("three share again", || threads_at_work(&running, 6) == [0, 1, 2].into());
        for expected in [Some(2), Some(1), None] {
            assert_eq!(running.remove_thread(TIMEOUT).expect("removed"), expected);
        }
        until("one has all again", || threads_at_work(&running, 6) == [0].into());
        let words = feed.end();
        counts_are(&log, "totals", &counted(&words));
        running.stop(TIMEOUT).expect("stopped");
        came_out_once(&log, &words);
    }
}

#[test]
fn an_application_with_an_added_thread_stops_and_goes_on() {
    let log = log(&[("words", 4), ("totals", 1)]);
    let feed = Feed::start(&log);
    for _ in 0..3 {
        let mut running = start(&log, &config(), counts()).expect("started");
        running.add_thread().expect("added");
        std::thread::sleep(Duration::from_millis(80));
        running.stop(TIMEOUT).expect("stopped");
    }
    let words = feed.end();
    let running = start(&log, &config(), counts()).expect("started");
    counts_are(&log, "totals", &counted(&words));
    running.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &words);
}
