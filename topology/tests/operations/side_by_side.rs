//! A rolling upgrade: instances of two versions at the same time, replaced one by one under load.

use std::time::Duration;

use candlewick::{ApplicationState, Produced, RunningStreams, StreamsConfig, Topology};

use crate::crew::{Feed, came_out_once, counts, totals};
use crate::log::{TIMEOUT, config, counted, counts_are, log, newest, start, until, version};

/// The next version: the same store, and one output more.
fn next() -> Topology {
    version(|builder| {
        totals(builder).filter(|_, count| count % 10 == 0).named("tens").to("tens", Produced::default());
    })
}

fn tasks(running: &RunningStreams) -> usize {
    running.handle().status().tasks.len()
}

#[test]
fn instances_are_replaced_one_by_one_and_every_record_counts_once() {
    let log = log(&[("words", 6), ("totals", 1), ("tens", 1)]);
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let config = |place: usize| StreamsConfig {
        state_dir: Some(folders[place].path().to_owned()),
        session_timeout_ms: 2_000,
        ..config()
    };
    let feed = Feed::start(&log);
    let mut running: Vec<RunningStreams> = Vec::new();
    for place in 0..3 {
        running.push(start(&log, &config(place), counts()).expect("started"));
        // The first one leads: it is replaced last.
        until("it has its share", || tasks(&running[place]) == [6, 3, 2][place]);
    }
    for place in [2, 1] {
        let old = running.remove(place);
        old.stop(TIMEOUT).expect("stopped");
        running.insert(place, start(&log, &config(place), next()).expect("both versions fit together"));
        until("the old version has all", || running[..place].iter().map(tasks).sum::<usize>() == 6);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(tasks(&running[place]), 0, "as long as the old version leads");
    }
    assert_eq!(newest(&log, "tens").len(), 0, "the new version has done nothing yet");
    running.remove(0).stop(TIMEOUT).expect("stopped");
    running.insert(0, start(&log, &config(0), next()).expect("started"));
    until("all share", || {
        let is_calm = running.iter().all(|one| one.state() == ApplicationState::Running);
        is_calm && running.iter().map(tasks).eq([2, 2, 2])
    });
    let words = feed.end();
    counts_are(&log, "totals", &counted(&words));
    for one in running {
        one.stop(TIMEOUT).expect("stopped");
    }
    came_out_once(&log, &words);
    assert!(!newest(&log, "tens").is_empty(), "the new version has gone on");
}
