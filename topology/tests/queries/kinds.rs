//! Each kind of store, by each read that it has, on one instance.

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::{
    KeyValueStore, Keys, Page, Partition, QueryError, Session, SessionStore, StoreType, StreamsHandle, Times,
    Timestamp, VersionedStore, WindowStore, partition_for_key,
};

use crate::market::{GAP, MINUTE, Market, PARTITIONS, TIMEOUT, config, wait_for_all, wait_until};

/// Runs the application over a morning of trades, in memory and on disk, and lets `check` ask.
fn on_both_engines(name: &str, prepare: impl Fn(&mut Market), check: impl Fn(&Market, &StreamsHandle)) {
    for persistent in [false, true] {
        let folder = tempfile::tempdir().expect("folder");
        let mut market = Market::new();
        prepare(&mut market);
        market.trade_all_morning();
        let state_dir = persistent.then(|| folder.path().to_owned());
        let running = market.start(candlewick::StreamsConfig { state_dir, ..config(name) });
        wait_for_all(&market, &running);
        check(&market, &running.handle());
        running.stop(TIMEOUT).expect("stopped");
    }
}

/// All rows of a range, page by page.
fn all_pages<K: Clone, T>(keys: Keys<K>, ask: impl Fn(Keys<K>) -> Result<Page<T>, QueryError>) -> Vec<T> {
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let keys = match next.take() {
            Some(cursor) => keys.clone().after(cursor),
            None => keys.clone(),
        };
        let page = ask(keys).expect("readable");
        assert!(page.elsewhere.is_empty());
        assert_eq!(page.rows.len(), page.cursors().len());
        rows.extend(page.rows);
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return rows,
        }
    }
}

#[test]
fn keys_ranges_and_prefixes_of_a_table_are_those_of_its_input() {
    on_both_engines(
        "keys",
        |_| {},
        |market, streams| {
            let counts = streams.store::<KeyValueStore<String, i64>>("counts").expect("a store");
            let expected = market.counts();
            for (symbol, count) in &expected {
                let answer = counts.get(symbol).expect("readable");
                let last = market.trades.iter().rfind(|(of, _)| of == symbol).expect("counted").1;
                let entry = answer.value.expect("counted");
                assert_eq!((entry.value, entry.timestamp), (*count, Timestamp(last)), "{symbol}");
                let task = streams.status().tasks.iter().map(|task| task.id.clone()).collect::<Vec<_>>();
                let (read, offset) = answer.position.iter().next().expect("one task was read");
                assert_eq!(read.partition, partition_for_key(symbol.as_bytes(), PARTITIONS));
                assert!(task.contains(&read.to_string()) && offset > 0);
            }
            assert_eq!(counts.get(&"unheard of".to_owned()).expect("readable").value, None);
            let found = |keys: Keys<String>| -> Vec<(String, i64)> {
                let rows = all_pages(keys, |keys| counts.range(keys));
                rows.into_iter().map(|(key, entry)| (key, entry.value)).collect()
            };
            let these = |wanted: &dyn Fn(&str) -> bool| -> Vec<(String, i64)> {
                expected
                    .iter()
                    .filter(|(key, _)| wanted(key))
                    .map(|(key, count)| (key.clone(), *count))
                    .collect()
            };
            let mut backwards = these(&|_| true);
            backwards.reverse();
            let key = |n: &str| n.to_owned();
            for limit in [1, 7, 1_000] {
                assert_eq!(found(Keys::all().limit(limit)), these(&|_| true));
                assert_eq!(found(Keys::all().reverse().limit(limit)), backwards);
                assert_eq!(found(Keys::prefix("S1").limit(limit)), these(&|key| key.starts_with("S1")));
                let between = Keys::between(key("S04"), key("S2")).limit(limit);
                assert_eq!(found(between), these(&|key| ("S04"..="S2").contains(&key)));
                assert_eq!(found(Keys::from(key("S25")).limit(limit)), these(&|key| key >= "S25"));
                assert_eq!(found(Keys::to(key("S16")).limit(limit)), these(&|key| key <= "S16"));
            }
            let of_partitions: usize = (0..PARTITIONS)
                .map(|n| {
                    counts.clone().partition(Partition(n)).range(Keys::all()).expect("readable").rows.len()
                })
                .sum();
            assert_eq!(of_partitions, expected.len());
        },
    );
}

#[test]
fn windows_are_found_by_key_and_by_time_and_expired_ones_are_gone() {
    on_both_engines(
        "windows",
        |_| {},
        |market, streams| {
            let windows = streams.store::<WindowStore<String, i64>>("per-minute").expect("a store");
            // A store forgets by its own time: the newest window of its partition, an hour back.
            let mut newest: BTreeMap<Partition, i64> = BTreeMap::new();
            let mut expected: BTreeMap<(String, i64), i64> = BTreeMap::new();
            let home = |symbol: &str| partition_for_key(symbol.as_bytes(), PARTITIONS);
            for (symbol, time) in &market.trades {
                let start = time - time % MINUTE;
                *expected.entry((symbol.clone(), start)).or_default() += 1;
                let newest = newest.entry(home(symbol)).or_default();
                *newest = start.max(*newest);
            }
            let before = expected.len();
            expected.retain(|(symbol, start), _| *start > newest[&home(symbol)] - 60 * MINUTE);
            assert!(expected.len() < before, "the morning is longer than the retention");
            let found = |keys: Keys<String>, starts: Times| -> Vec<((String, i64), i64)> {
                let rows = all_pages(keys, |keys| windows.fetch(keys, starts));
                rows.into_iter().map(|(key, start, entry)| ((key, start.0), entry.value)).collect()
            };
            let these = |wanted: &dyn Fn(&str, i64) -> bool| -> Vec<((String, i64), i64)> {
                let rows = expected.iter().filter(|((key, start), _)| wanted(key, *start));
                rows.map(|(key, count)| (key.clone(), *count)).collect()
            };
            for limit in [3, 1_000] {
                assert_eq!(found(Keys::all().limit(limit), Times::all()), these(&|_, _| true));
            }
            let middle = newest[&Partition(0)] - 20 * MINUTE;
            let starts = Times::between(Timestamp(middle), Timestamp(middle + 10 * MINUTE));
            let timely = |start: i64| (middle..=middle + 10 * MINUTE).contains(&start);
            assert_eq!(found(Keys::all(), starts), these(&|_, start| timely(start)));
            for symbol in ["S01", "S16", "S2"] {
                let mut one = these(&|key, start| key == symbol && timely(start));
                assert_eq!(found(Keys::one(symbol.to_owned()), starts), one);
                one.reverse();
                assert_eq!(found(Keys::one(symbol.to_owned()).reverse(), starts), one);
            }
            let ((symbol, start), count) = expected.iter().next().expect("some");
            let answer = windows.get(symbol, Timestamp(*start)).expect("readable");
            assert_eq!(answer.value.expect("there").value, *count);
            assert_eq!(windows.get(symbol, Timestamp(start + 1)).expect("readable").value, None);
            let (gone, first) = market.trades.first().expect("some");
            assert_eq!(windows.get(gone, Timestamp(first - first % MINUTE)).expect("readable").value, None);
        },
    );
}

#[test]
fn sessions_are_found_by_any_moment_within_them() {
    on_both_engines(
        "sessions",
        |_| {},
        |market, streams| {
            let sessions = streams.store::<SessionStore<String, i64>>("sessions").expect("a store");
            let mut expected: BTreeMap<(String, Session), i64> = BTreeMap::new();
            let mut times: BTreeMap<&String, Vec<i64>> = BTreeMap::new();
            market.trades.iter().for_each(|(symbol, time)| times.entry(symbol).or_default().push(*time));
            for (symbol, times) in times {
                for run in times.chunk_by(|a, b| b - a <= GAP) {
                    let session = Session { start: Timestamp(run[0]), end: Timestamp(run[run.len() - 1]) };
                    expected.insert((symbol.clone(), session), run.len() as i64);
                }
            }
            let found = |keys: Keys<String>, times: Times| -> BTreeMap<(String, Session), i64> {
                let rows = all_pages(keys, |keys| sessions.fetch(keys, times));
                rows.into_iter().map(|(key, session, entry)| ((key, session), entry.value)).collect()
            };
            let newest = market.trades.iter().map(|(_, time)| *time).max().expect("some");
            let moment = newest - 10 * MINUTE;
            let times = Times::between(Timestamp(moment), Timestamp(moment + MINUTE));
            let is_open = |session: &Session| session.end.0 >= moment && session.start.0 <= moment + MINUTE;
            let open: BTreeMap<_, _> = expected
                .iter()
                .filter(|((_, session), _)| is_open(session))
                .map(|(a, b)| (a.clone(), *b))
                .collect();
            assert!(open.len() > 3, "{open:?}");
            assert_eq!(found(Keys::all().limit(5), times), open);
            let ((symbol, session), count) = open.iter().next().expect("some");
            let one: BTreeMap<_, _> =
                open.iter().filter(|((key, _), _)| key == symbol).map(|(a, b)| (a.clone(), *b)).collect();
            assert_eq!(found(Keys::one(symbol.clone()), times), one);
            assert_eq!(sessions.get(symbol, *session).expect("readable").value.expect("there").value, *count);
        },
    );
}

#[test]
fn versions_are_found_as_of_a_time_and_by_when_they_began() {
    const HISTORY: [(i64, Option<i64>); 4] =
        [(1_000, Some(10)), (5_000, Some(50)), (7_000, None), (9_000, Some(90))];
    let prepare = |market: &mut Market| {
        for (time, price) in HISTORY {
            let bytes = price.map(i64::to_be_bytes);
            market.write("prices", "BTC", bytes.as_ref().map(|bytes| &bytes[..]), time);
        }
        market.write("prices", "BTCX", Some(&7i64.to_be_bytes()), 6_000);
    };
    on_both_engines("versions", prepare, |_, streams| {
        let prices = streams.store::<VersionedStore<String, i64>>("prices").expect("a store");
        let key = "BTC".to_owned();
        wait_until("the prices are committed", || {
            prices.fetch(Keys::all(), Times::all()).is_ok_and(|page| page.rows.len() == HISTORY.len() + 1)
        });
        for time in [0, 999, 1_000, 4_999, 5_000, 6_999, 7_000, 8_999, 9_000, i64::MAX] {
            let held = HISTORY.iter().rfind(|(since, _)| *since <= time).and_then(|(_, price)| *price);
            let found = prices.get_as_of(&key, Timestamp(time)).expect("readable").value;
            assert_eq!(found.map(|entry| entry.value), held, "as of {time}");
        }
        assert_eq!(prices.get(&key).expect("readable").value.expect("there").value, 90);
        let times = Times::between(Timestamp(5_000), Timestamp(8_000));
        let versions = prices.fetch(Keys::one(key.clone()), times).expect("readable").rows;
        let began = [(key.clone(), Timestamp(5_000), Some(50)), (key.clone(), Timestamp(7_000), None)];
        assert_eq!(versions, began);
    });
}

#[test]
fn global_tables_are_answered_whole_although_no_task_keeps_them() {
    let prepare = |market: &mut Market| {
        for n in 0..20 {
            market.write("venues", &format!("V{n:02}"), Some(format!("venue {n}").as_bytes()), n);
        }
        market.write("venues", "V07", None, 30);
    };
    on_both_engines("venues", prepare, |_, streams| {
        let venues = streams.store::<KeyValueStore<String, String>>("venues").expect("a store");
        let name = |key: &str| venues.get(&key.to_owned()).expect("readable").value.map(|entry| entry.value);
        assert_eq!(name("V03").as_deref(), Some("venue 3"));
        assert_eq!(name("V07"), None, "deleted");
        let rows = all_pages(Keys::all().limit(6), |keys| venues.range(keys));
        let keys: Vec<String> = rows.into_iter().map(|(key, _)| key).collect();
        let expected: Vec<String> = (0..20).filter(|n| *n != 7).map(|n| format!("V{n:02}")).collect();
        assert_eq!(keys, expected);
    });
}

#[test]
fn a_store_that_is_not_there_or_is_of_another_type_is_refused_with_what_there_is() {
    on_both_engines(
        "types",
        |_| {},
        |_, streams| {
            let said = |error: QueryError| error.to_string();
            let missing =
                said(streams.store::<KeyValueStore<String, i64>>("count").err().expect("no such store"));
            for store in ["counts", "per-minute", "sessions", "prices", "venues"] {
                assert!(missing.contains(store), "{missing}");
            }
            let wrong = said(
                streams.store::<KeyValueStore<String, i64>>("per-minute").err().expect("a window store"),
            );
            assert!(
                wrong.contains("WindowStore<String, i64>") && wrong.contains("KeyValueStore<String, i64>"),
                "{wrong}"
            );
            let wrong =
                said(streams.store::<KeyValueStore<String, f64>>("counts").err().expect("of whole numbers"));
            assert!(wrong.contains("KeyValueStore<String, i64>"), "{wrong}");
            let kinds: BTreeMap<String, StoreType> =
                streams.stores().into_iter().map(|store| (store.name, store.kind)).collect();
            let expected = BTreeMap::from([
                ("counts".to_owned(), StoreType::KeyValue),
                ("per-minute".to_owned(), StoreType::Window { size: Duration::from_secs(60) }),
                ("sessions".to_owned(), StoreType::Session),
                ("prices".to_owned(), StoreType::Versioned),
                ("venues".to_owned(), StoreType::Global),
            ]);
            assert_eq!(kinds, expected);
            let counts = streams.store::<KeyValueStore<String, i64>>("counts").expect("a store");
            let refused = counts.partition(Partition(PARTITIONS)).range(Keys::all());
            assert!(matches!(refused, Err(QueryError::UnknownPartition { .. })));
        },
    );
}
