//! What a store costs a processor: get and update in the typed cache, with few and with many keys.

use std::hint::black_box;

use candlewick::{
    Consumed, Entry, Grouped, KeyValueStore, Materialized, StreamsBuilder, TimeWindows, Timestamp,
    WindowStore,
};
use criterion::Criterion;

use crate::fan_out::FanOut;

/// A number that visits all of `0..keys` in no order that a processor could guess.
fn scattered(step: u64, keys: u64) -> i64 {
    i64::try_from(step.wrapping_mul(0x9E37_79B9_7F4A_7C15) % keys).expect("fewer keys than that")
}

fn count_up(entry: &mut Option<Entry<i64>>) {
    match entry {
        Some(entry) => entry.value += 1,
        None => *entry = Some(Entry { value: 1, timestamp: Timestamp(0) }),
    }
}

/// Key–value and window stores.
pub(crate) fn stores(criterion: &mut Criterion) {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream("in", Consumed::<i64, i64>::default()).group_by_key(Grouped::default());
    let minutes = TimeWindows::of_size_with_no_grace(std::time::Duration::from_secs(60));
    grouped.clone().count(Materialized::named("counts"));
    grouped.windowed_by(minutes).count(Materialized::named("minutes"));
    let fan_out = FanOut::new(&builder.build().expect("valid"));
    let mut group = criterion.benchmark_group("store");
    for keys in [200, 100_000] {
        let mut step = 0;
        fan_out.driver.with_store::<KeyValueStore<i64, i64>, _>("counts", |store| {
            group.bench_function(format!("update of {keys} keys"), |bencher| {
                bencher.iter(|| {
                    step += 1;
                    store.update(&scattered(step, keys), Timestamp(0), count_up).expect("in memory")
                });
            });
            group.bench_function(format!("get of {keys} keys"), |bencher| {
                bencher.iter(|| {
                    step += 1;
                    black_box(store.get(&scattered(step, keys)).expect("in memory"));
                });
            });
        });
        fan_out.driver.with_store::<WindowStore<i64, i64>, _>("minutes", |store| {
            group.bench_function(format!("update of a window of {keys} keys"), |bencher| {
                bencher.iter(|| {
                    step += 1;
                    let key = scattered(step, keys);
                    store.update(&key, Timestamp(0), Timestamp(0), count_up).expect("in memory")
                });
            });
        });
    }
    group.finish();
}
