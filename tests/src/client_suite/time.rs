//! Finding offsets by time. Must not know how engines index them.

use std::sync::Arc;

use candlewick::client::Log;
use candlewick::{Timestamp, TopicPartition};

use super::fixture::{PATIENCE, Writer, admin, now_ms, topic};

/// The first record in offset order whose time is not earlier, also when times are out of order; `None` beyond them.
pub fn offset_for_time_is_the_first_record_not_earlier(log: &Arc<dyn Log>) {
    let topic = topic(log, "times", 1);
    let id = TopicPartition::new(&*topic, 0);
    let base = now_ms() - 1_000_000;
    let mut writer = Writer::plain(log);
    let times: Vec<i64> =
        (0..3_000).map(|at: i64| base + at * 10 - if at % 7 == 3 { 300 } else { 0 }).collect();
    for (at, time) in times.iter().enumerate() {
        writer.try_send(&topic, 0, Some(b"k"), Some(&[b'v'; 40]), *time).expect("queued");
        if at % 100 == 0 {
            writer.flush();
        }
    }
    writer.flush();
    let mut admin = admin(log);
    let last = times.iter().copied().max().expect("times were sent");
    for asked in [base - 5, base, base + 1, base + 4_995, base + 15_000, base + 29_701, last, last + 1] {
        let expected = times.iter().position(|time| *time >= asked).map(|at| at as i64);
        let found = admin.offset_for_time(&id, Timestamp(asked), PATIENCE).expect("the topic exists");
        assert_eq!(found, expected, "asked for {}", asked - base);
    }
}
