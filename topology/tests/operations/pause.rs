//! A paused application: it keeps its tasks, and neither processes nor punctuates until it is resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick::{
    ApplicationState, Consumed, Context, ProcessError, Processor, Produced, Punctuation, PunctuationType,
    Record,
};

use crate::crew::{came_out_once, counts};
use crate::log::{TIMEOUT, config, counted, counts_are, log, newest, start, until, version, write};

#[test]
fn a_paused_application_processes_nothing_and_keeps_its_tasks() {
    let log = log(&[("words", 3), ("totals", 1)]);
    let first = ["a", "b", "a"];
    write(&log, "words", &first);
    let running = start(&log, &config(), counts()).expect("started");
    counts_are(&log, "totals", &counted(&first));
    running.pause();
    // What a thread has begun, it finishes.
    std::thread::sleep(Duration::from_millis(150));
    let second = ["c", "a", "b"];
    write(&log, "words", &second);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(newest(&log, "totals"), counted(&first));
    let status = running.handle().status();
    assert!(status.is_paused);
    assert_eq!((status.state, status.tasks.len()), (ApplicationState::Running, 3));
    assert_eq!(status.stalled, []);
    running.resume();
    let all = [first, second].concat();
    counts_are(&log, "totals", &counted(&all));
    running.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &all);
}

#[test]
fn what_starts_paused_is_restored_and_begins_when_it_is_resumed() {
    let log = log(&[("words", 2), ("totals", 1)]);
    let first = ["a", "b", "a", "c"];
    write(&log, "words", &first);
    let running = start(&log, &config(), counts()).expect("started");
    counts_are(&log, "totals", &counted(&first));
    running.stop(TIMEOUT).expect("stopped");
    let second = ["a", "d"];
    write(&log, "words", &second);
    let running = start(&log, &config(), counts()).expect("started");
    running.pause();
    until("its tasks are whole", || running.state() == ApplicationState::Running);
    let before = newest(&log, "totals");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(newest(&log, "totals"), before);
    running.resume();
    let all: Vec<&str> = first.into_iter().chain(second).collect();
    counts_are(&log, "totals", &counted(&all));
    running.stop(TIMEOUT).expect("stopped");
    came_out_once(&log, &all);
}

struct Ticking(Arc<AtomicUsize>);

impl Processor<String, String, String, String> for Ticking {
    fn init(&mut self, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_millis(5), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<String, String>,
        cx: &mut Context<'_, String, String>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }

    fn punctuate(&mut self, _: Punctuation, _: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_paused_application_does_not_punctuate() {
    let log = log(&[("words", 1), ("totals", 1)]);
    let ticks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ticks);
    let topology = version(move |builder| {
        let counted = Arc::clone(&counted);
        let words = builder.stream("words", Consumed::<String, String>::default());
        let words = words.process::<String, String, _>(&[], move |_| Ticking(Arc::clone(&counted)));
        words.to("totals", Produced::default());
    });
    let running = start(&log, &config(), topology).expect("started");
    until("it ticks", || ticks.load(Ordering::Relaxed) > 3);
    running.pause();
    std::thread::sleep(Duration::from_millis(150));
    let before = ticks.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ticks.load(Ordering::Relaxed), before);
    running.resume();
    until("it ticks again", || ticks.load(Ordering::Relaxed) > before);
    running.stop(TIMEOUT).expect("stopped");
}
