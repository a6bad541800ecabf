//! What a log removes by itself: outdated records of compacted topics, and old records. Must not know segments.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{Isolation, Log};

use super::fixture::{Seen, Writer, eventually, now_ms, read_all, topic_with, unique, watermarks};

const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "200"),
    ("min.cleanable.dirty.ratio", "0.001"),
    ("delete.retention.ms", "100"),
];

/// Writes a record that gives the log a reason to close the segment before it.
fn nudge(writer: &mut Writer, topic: &str, value: &str) {
    std::thread::sleep(Duration::from_millis(300));
    writer.send(topic, 0, "nudge", value);
    writer.flush();
}

fn of_key<'a>(seen: &'a [Seen], key: &str) -> Vec<&'a Seen> {
    seen.iter().filter(|one| one.key.as_deref() == Some(key.as_bytes())).collect()
}

/// After compaction each key has its newest record, at the offset it was written to; deleted keys vanish.
pub fn compaction_keeps_the_newest_record_of_each_key(log: &Arc<dyn Log>) {
    let topic = topic_with(log, "compacted", 1, &COMPACTED);
    let mut writer = Writer::plain(log);
    for round in 0..20 {
        for key in ["a", "b", "c"] {
            writer.send(&topic, 0, key, &format!("{key}{round}"));
        }
    }
    writer.try_send(&topic, 0, Some(b"c"), None, now_ms()).expect("queued");
    writer.flush();
    let seen = eventually("the log is compacted", || {
        nudge(&mut writer, &topic, "more");
        let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
        let is_done =
            ["a", "b"].iter().all(|key| of_key(&seen, key).len() == 1) && of_key(&seen, "c").is_empty();
        is_done.then_some(seen)
    });
    for (key, offset) in [("a", 57), ("b", 58)] {
        let kept = of_key(&seen, key)[0];
        assert_eq!((kept.offset, kept.text()), (offset, &*format!("{key}19")));
    }
    let offsets: Vec<i64> = seen.iter().map(|one| one.offset).collect();
    assert!(offsets.is_sorted(), "{offsets:?}");
    assert_eq!(watermarks(log, &topic, 0).high, offsets.last().expect("the nudge remains") + 1);
}

/// Compaction does not touch what an open transaction has behind it: nothing is superseded by what may be aborted.
pub fn compaction_stays_below_an_open_transaction(log: &Arc<dyn Log>) {
    let topic = topic_with(log, "open", 1, &COMPACTED);
    let mut plain = Writer::plain(log);
    let mut open = Writer::transactional(log, &unique("txn"));
    plain.send(&topic, 0, "a", "old");
    plain.send(&topic, 0, "a", "kept");
    plain.flush();
    open.begin();
    open.send(&topic, 0, "a", "aborted");
    open.flush();
    for _ in 0..5 {
        nudge(&mut plain, &topic, "more");
    }
    let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert_eq!(of_key(&seen, "a").last().expect("a record").text(), "kept");
    open.abort();
    let seen = eventually("the log is compacted", || {
        nudge(&mut plain, &topic, "more");
        let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
        (of_key(&seen, "a").len() == 1).then_some(seen)
    });
    assert_eq!(of_key(&seen, "a")[0].text(), "kept");
}

/// Records older than `retention.ms` go, from the beginning, and the first offset held rises.
pub fn retention_drops_old_records(log: &Arc<dyn Log>) {
    let config = [("cleanup.policy", "delete"), ("retention.ms", "1000"), ("segment.ms", "200")];
    let topic = topic_with(log, "retained", 1, &config);
    let mut writer = Writer::plain(log);
    for _ in 0..10 {
        writer.send(&topic, 0, "old", "record");
    }
    writer.flush();
    eventually("the old records are gone", || {
        nudge(&mut writer, &topic, "fresh");
        (watermarks(log, &topic, 0).low >= 10).then_some(())
    });
    let marks = watermarks(log, &topic, 0);
    assert!(marks.low <= marks.high && marks.high > 10, "{marks:?}");
    let seen = read_all(log, &topic, 0, Isolation::ReadCommitted);
    assert!(of_key(&seen, "old").is_empty(), "{seen:?}");
}
