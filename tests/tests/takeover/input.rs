//! The records that are written: seeded, in disorder, some of them too late.

/// A record.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) key: String,
    pub(crate) value: i64,
    pub(crate) time: i64,
}

/// Keys there are.
const KEYS: u64 = 40;
/// Milliseconds from one record to the next, on the average.
const STEP_MS: i64 = 37;

/// `count` records from number `first` on, of the time after `base`. Every fiftieth is a minute late; the others are
/// in disorder by less than the grace.
pub(crate) fn records(base: i64, first: i64, count: i64) -> Vec<Input> {
    let mut state = first.unsigned_abs().wrapping_add(0x9E37_79B9);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let record = |number: i64| {
        let late = if number % 50 == 49 { 60_000 } else { i64::try_from(next() % 4_000).unwrap_or(0) };
        let key = format!("k{}", next() % KEYS);
        Input { key, value: number % 97, time: base + 100_000 + number * STEP_MS - late }
    };
    (first..first + count).map(record).collect()
}
