//! What the application gives for an input: counted anew from the records, in the order of each partition.

use std::collections::BTreeMap;

use super::input::Input;

pub(crate) const WINDOW_MS: i64 = 10_000;
pub(crate) const GRACE_MS: i64 = 5_000;
pub(crate) const GAP_MS: i64 = 1_500;

/// The newest value of each key of an output topic.
pub(crate) type Table = BTreeMap<String, i64>;

/// The contents of all output topics.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) counts: Table,
    pub(crate) windows: Table,
    pub(crate) sessions: Table,
    pub(crate) sums: Table,
    /// Windows that have closed: each is told once.
    pub(crate) closed: Table,
    /// Records that came too late for their window.
    pub(crate) late: usize,
}

/// Start, end and count of a session.
type Session = (i64, i64, i64);

impl Expected {
    /// `input` is all that was ever written; `partition_of` tells where a key is.
    pub(crate) fn of(input: &[Input], partition_of: impl Fn(&str) -> i32) -> Self {
        let mut expected = Self::default();
        let mut sessions: BTreeMap<&str, Vec<Session>> = BTreeMap::new();
        let mut stream_times: BTreeMap<i32, i64> = BTreeMap::new();
        for Input { key, value, time } in input {
            *expected.counts.entry(key.clone()).or_default() += 1;
            *expected.sums.entry((value % 5).to_string()).or_default() += value;
            let now = stream_times.entry(partition_of(key)).or_insert(*time);
            *now = (*now).max(*time);
            let start = time - time.rem_euclid(WINDOW_MS);
            if start + WINDOW_MS > *now - GRACE_MS {
                *expected.windows.entry(name(key, start, start + WINDOW_MS)).or_default() += 1;
            } else {
                expected.late += 1;
            }
            merge(sessions.entry(key).or_default(), *time, *now - GRACE_MS - GAP_MS);
        }
        for (key, list) in sessions {
            expected
                .sessions
                .extend(list.iter().map(|(start, end, count)| (name(key, *start, *end), *count)));
        }
        let is_closed = |window: &str| {
            let (key, times) = window.split_once('@').expect("named so above");
            let end: i64 = times.split_once('/').expect("named so above").1.parse().expect("a number");
            end <= stream_times[&partition_of(key)] - GRACE_MS
        };
        let closed = expected.windows.iter().filter(|(window, _)| is_closed(window));
        expected.closed = closed.map(|(window, count)| (window.clone(), *count)).collect();
        expected
    }
}

/// Puts a record into the sessions of its key: those within the gap become one, unless it would have ended before
/// `close`.
fn merge(sessions: &mut Vec<Session>, time: i64, close: i64) {
    let (near, apart): (Vec<Session>, Vec<Session>) =
        sessions.iter().partition(|(start, end, _)| *end >= time - GAP_MS && *start <= time + GAP_MS);
    let merged = near
        .iter()
        .fold((time, time, 1), |one, other| (one.0.min(other.0), one.1.max(other.1), one.2 + other.2));
    if merged.1 >= close {
        *sessions = apart;
        sessions.push(merged);
    }
}

fn name(key: &str, start: i64, end: i64) -> String {
    format!("{key}@{start}/{end}")
}
