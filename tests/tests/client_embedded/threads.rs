//! Many threads at once: nothing is lost, doubled or out of order, whatever is rolled and compacted meanwhile.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{EmbeddedLog, EmbeddedSettings, Isolation, Log};
use candlewick_tests::client_suite::fixture::{Writer, poll_once, reader, topic_with};

const WRITERS: i64 = 3;
const RECORDS: i64 = 20_000;

fn run(log: &Arc<dyn Log>, config: &[(&str, &str)]) {
    let topic = &topic_with(log, "threads", 2, config);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let mut plain = Writer::plain(log);
                let mut transactional = Writer::transactional(log, &format!("writer-{writer}"));
                for number in 0..RECORDS {
                    plain.send(topic, 0, &writer.to_string(), &number.to_string());
                    if number % 50 == 0 {
                        plain.0.poll().expect("a poll");
                    }
                    if number % 100 == 0 {
                        transactional.begin();
                        transactional.send(topic, 1, &format!("{writer}/{number}"), "v");
                        if number % 200 == 0 { transactional.commit() } else { transactional.abort() }
                    }
                }
                plain.flush();
            });
        }
        for _ in 0..2 {
            scope.spawn(move || {
                let mut next = [0; WRITERS as usize];
                let mut offset = 0;
                let mut committed = 0;
                let mut consumer = reader(log, topic, &[0, 1], Isolation::ReadCommitted);
                while next.iter().any(|next| *next < RECORDS) || committed < WRITERS * RECORDS / 200 {
                    for record in poll_once(&mut *consumer, 500, Duration::from_secs(20)).expect("a poll") {
                        if record.partition == 1 {
                            committed += 1;
                            continue;
                        }
                        assert_eq!(record.offset, offset);
                        offset += 1;
                        let key = record.key.as_deref().expect("a key");
                        let writer = usize::from(key[0] - b'0');
                        assert_eq!(record.text(), next[writer].to_string());
                        next[writer] += 1;
                    }
                }
            });
        }
    });
}

#[test]
fn records_of_many_threads_arrive_once_and_in_order_in_memory() {
    run(&(EmbeddedLog::in_memory() as Arc<dyn Log>), &[]);
}

#[test]
fn records_of_many_threads_arrive_once_and_in_order_from_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = EmbeddedSettings {
        segment_bytes: 50_000,
        tail_bytes_max: 1_000,
        housekeeping_interval_ms: 5,
        log_sync_interval_ms: 5,
        ..EmbeddedSettings::default()
    };
    let log = EmbeddedLog::open(folder.path(), settings).expect("a fresh folder");
    run(&(log as Arc<dyn Log>), &[]);
}
