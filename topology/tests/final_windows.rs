//! Final results: with a cache above `suppress`, commits at any moment and records out of order, every window is told
//! once, with all of its records.

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::{
    Backtest, Consumed, DriverOptions, Grouped, Materialized, Produced, Serde, StreamsBuilder, StringSerde,
    Suppressed, TimeWindows, Timestamp, Topology,
};

const SIZE_MS: i64 = 60_000;
const GRACE_MS: i64 = 5_000;
const DISORDER_MS: u64 = 2_000;

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let windows = TimeWindows::of_size_and_grace(millis(SIZE_MS), millis(GRACE_MS));
    builder
        .stream("trades", Consumed::<String, String>::default())
        .group_by_key(Grouped::default())
        .windowed_by(windows)
        .count(Materialized::named("counts"))
        .suppress(Suppressed::until_window_closes("final"))
        .to_stream()
        .map(|window, count| {
            (window.key.clone(), format!("{}={}", window.window.start.0, count.unwrap_or(0)))
        })
        .to("candles", Produced::<String, String>::default());
    builder.build().expect("a valid topology")
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn every_window_is_told_once_with_all_its_records_wherever_commits_fall() {
    let mut told_in_all = 0;
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let (topology, options) =
            (topology(), DriverOptions { cache_bytes_max: 1 << 20, ..DriverOptions::default() });
        let mut backtest = Backtest::new(&topology, &options).expect("started");
        let mut expected: BTreeMap<(String, i64), i64> = BTreeMap::new();
        let mut told: Vec<(String, String)> = Vec::new();
        let mut keep = |key: Option<&[u8]>, value: Option<&[u8]>| {
            let text = |bytes: Option<&[u8]>| {
                StringSerde.deserialize("candles", bytes.expect("bytes")).expect("text")
            };
            told.push((text(key), text(value)));
        };
        for step in 0..2_000_i64 {
            let key = ["a", "b", "c"][usize::try_from(chance.below(3)).expect("small")];
            let late = if chance.below(4) == 0 { chance.below(DISORDER_MS) } else { 0 };
            let time = (step * 500 - i64::try_from(late).expect("small")).max(0);
            backtest.pipe("trades", Some(key.as_bytes()), Some(b"x"), Timestamp(time)).expect("a source");
            *expected.entry((key.to_owned(), time - time % SIZE_MS)).or_default() += 1;
            if chance.below(40) == 0 {
                backtest.drain(|output| keep(output.key, output.value)).expect("processed");
            }
        }
        backtest
            .finish(Timestamp(2_000 * 500 + SIZE_MS + GRACE_MS), |output| keep(output.key, output.value))
            .expect("processed");
        told.sort_unstable();
        let mut wanted: Vec<(String, String)> =
            expected.iter().map(|((key, start), count)| (key.clone(), format!("{start}={count}"))).collect();
        wanted.sort_unstable();
        assert_eq!(told, wanted, "seed {seed}");
        told_in_all += told.len();
    }
    assert!(told_in_all > 2_000, "windows were told");
}
