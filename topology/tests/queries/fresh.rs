//! How old an answer may be, and what is seen while records are processed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::{KeyValueStore, Keys, Partition, QueryError, StreamsConfig};

use crate::market::{Market, PARTITIONS, TIMEOUT, config, wait_until};

#[test]
fn a_bound_on_age_brings_a_commit_that_would_not_have_come_for_an_hour() {
    let mut market = Market::new();
    let hourly = StreamsConfig { commit_interval_ms: Some(3_600_000), ..config("fresh") };
    let running = market.start(hourly);
    let streams = running.handle();
    let counts = streams.store::<KeyValueStore<String, i64>>("counts").expect("a store");
    wait_until("it answers", || counts.range(Keys::all()).is_ok());
    let key = "S01".to_owned();
    for n in 1..=3 {
        market.trade(&key, n);
        let fresh = counts.clone().staleness_max(Duration::ZERO);
        // What was written may not have been fetched yet; what was processed is seen.
        wait_until("the trade is seen", || {
            let found = fresh.get(&key).expect("readable").value;
            found.is_some_and(|entry| entry.value == n)
        });
    }
    let before = Instant::now();
    market.trade(&key, 4);
    std::thread::sleep(Duration::from_millis(300));
    let old = counts.clone().staleness_max(Duration::from_secs(3_600)).get(&key).expect("readable").value;
    assert_eq!(old.expect("there").value, 3, "an hour old is young enough");
    let fresh = counts.staleness_max(Duration::from_millis(100)).get(&key).expect("readable").value;
    assert_eq!(fresh.expect("there").value, 4);
    assert!(before.elapsed() < Duration::from_secs(10));
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn a_key_that_another_partitioner_has_placed_is_found() {
    let mut market = Market::new();
    let running = market.start(config("placed"));
    let counts = running.handle().store::<KeyValueStore<String, i64>>("counts").expect("a store");
    // All in partition 0, wherever their hash would put them.
    for n in 0..10 {
        market.write_to("trades", Partition(0), &format!("S{n}"), Some(&1i64.to_be_bytes()), n);
    }
    wait_until("all are counted", || counts.range(Keys::all()).is_ok_and(|page| page.rows.len() == 10));
    for n in 0..10 {
        let key = format!("S{n}");
        assert_eq!(counts.get(&key).expect("readable").value.expect("found").value, 1, "{key}");
        let answer = counts.clone().partition(Partition(1)).get(&key).expect("readable");
        assert_eq!(answer.value, None, "{key} is not in partition 1");
    }
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn pages_read_while_records_are_processed_are_each_as_of_one_commit() {
    let mut market = Market::new();
    let running = market.start(config("busy"));
    let streams = running.handle();
    let counts = streams.store::<KeyValueStore<String, i64>>("counts").expect("a store");
    wait_until("it answers", || counts.range(Keys::all()).is_ok());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..PARTITIONS)
            .map(|n| {
                let (store, done) = (counts.clone().partition(Partition(n)), &done);
                scope.spawn(move || {
                    let mut seen: BTreeMap<i64, Vec<(String, i64)>> = BTreeMap::new();
                    while !done.load(Ordering::Relaxed) {
                        let page = store.range(Keys::all()).expect("readable");
                        let rows = page.rows.into_iter().map(|(key, entry)| (key, entry.value)).collect();
                        if let Some((_, position)) = page.position.iter().next() {
                            // The same position is the same state, and later ones only grow.
                            let known: &mut Vec<_> =
                                seen.entry(position).or_insert_with(|| Vec::clone(&rows));
                            assert_eq!(*known, rows, "at {position}");
                        }
                    }
                    seen
                })
            })
            .collect();
        for n in 0..3_000 {
            market.trade(&format!("S{:02}", n % 23), n);
        }
        let expected: i64 = market.counts().values().sum();
        wait_until("all are counted", || {
            let rows = counts.range(Keys::all()).expect("readable").rows;
            rows.iter().map(|(_, entry)| entry.value).sum::<i64>() == expected
        });
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let seen = reader.join().expect("no reader failed");
            let sums: Vec<i64> =
                seen.values().map(|rows| rows.iter().map(|(_, count)| count).sum()).collect();
            assert!(sums.is_sorted(), "{sums:?}");
        }
    });
    running.stop(TIMEOUT).expect("stopped");
}

#[test]
fn a_stopped_application_says_so() {
    let market = Market::new();
    let running = market.start(config("stopped"));
    let streams = running.handle();
    let counts = streams.store::<KeyValueStore<String, i64>>("counts").expect("a store");
    running.stop(TIMEOUT).expect("stopped");
    assert!(matches!(counts.get(&"S01".to_owned()), Err(QueryError::NotRunning { .. })));
}
