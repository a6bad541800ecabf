//! Two instances of one application: what one of them has not, it says where to find.

use std::collections::BTreeMap;

use candlewick::{
    ApplicationState, KeyValueStore, Keys, QueryError, RunningStreams, StreamsConfig, TaskPhase,
    partition_for_key,
};

use crate::market::{Market, PARTITIONS, TIMEOUT, config, wait_for_all, wait_until};

fn instance(market: &Market, endpoint: &str) -> RunningStreams {
    market.start(StreamsConfig { endpoint: Some(endpoint.to_owned()), ..config("shared") })
}

fn tasks(running: &RunningStreams) -> usize {
    let tasks = running.handle().status().tasks;
    tasks.iter().filter(|task| task.phase == TaskPhase::Running).count()
}

type Counts = KeyValueStore<String, i64>;

#[test]
fn each_of_two_instances_answers_for_its_own_tasks_and_names_the_other_for_the_rest() {
    let mut market = Market::new();
    market.trade_all_morning();
    let a = instance(&market, "a:1");
    wait_for_all(&market, &a);
    let b = instance(&market, "b:2");
    wait_until("they share", || {
        let both = [&a, &b];
        both.iter().all(|one| one.state() == ApplicationState::Running && tasks(one) > 0)
            && both.iter().map(|one| tasks(one)).sum::<usize>() == tasks_of_all()
    });
    let (of_a, of_b) = (a.handle().store::<Counts>("counts"), b.handle().store::<Counts>("counts"));
    let stores = [(of_a.expect("a store"), "b:2"), (of_b.expect("a store"), "a:1")];
    let expected = market.counts();
    let mut answered: BTreeMap<&String, usize> = BTreeMap::new();
    for (symbol, count) in &expected {
        for (store, other) in &stores {
            match store.get(symbol) {
                Ok(answer) => {
                    assert_eq!(answer.value.expect("counted").value, *count, "{symbol}");
                    *answered.entry(symbol).or_default() += 1;
                }
                Err(QueryError::Moved { task, to }) => {
                    assert_eq!(to.as_deref(), Some(*other), "{symbol}");
                    assert_eq!(task.partition, partition_for_key(symbol.as_bytes(), PARTITIONS));
                }
                Err(error) => panic!("{symbol}: {error}"),
            }
        }
    }
    assert_eq!(answered.values().sum::<usize>(), expected.len(), "each key is on one of them");
    let mut all = BTreeMap::new();
    let mut elsewhere = Vec::new();
    for (store, other) in &stores {
        let page = store.range(Keys::all()).expect("readable");
        all.extend(page.rows.into_iter().map(|(key, entry)| (key, entry.value)));
        assert!(page.elsewhere.iter().all(|(_, to)| to.as_deref() == Some(*other)));
        elsewhere.extend(page.elsewhere.into_iter().map(|(task, _)| task.partition));
    }
    assert_eq!(all, expected, "both together have everything");
    elsewhere.sort();
    assert_eq!(elsewhere.len(), PARTITIONS.unsigned_abs() as usize);
    b.stop(TIMEOUT).expect("stopped");
    wait_until("the one that stays has all again", || {
        let page = stores[0].0.range(Keys::all());
        page.is_ok_and(|page| page.elsewhere.is_empty() && page.rows.len() == expected.len())
    });
    a.stop(TIMEOUT).expect("stopped");
}

/// Of the trades' sub-topology and of the prices'.
fn tasks_of_all() -> usize {
    2 * PARTITIONS.unsigned_abs() as usize
}

#[test]
fn while_tasks_are_restored_nobody_pretends_that_keys_are_missing() {
    let mut market = Market::new();
    market.trade_all_morning();
    let a = instance(&market, "a:1");
    wait_for_all(&market, &a);
    a.stop(TIMEOUT).expect("stopped");
    // Without a folder everything is restored from the changelog.
    let b = instance(&market, "b:2");
    let counts = b.handle().store::<Counts>("counts").expect("a store");
    let expected = market.counts();
    wait_until("every key is answered", || {
        for (symbol, count) in &expected {
            match counts.get(symbol) {
                Ok(answer) => assert_eq!(answer.value.expect("never missing").value, *count, "{symbol}"),
                Err(QueryError::Rebalancing { .. } | QueryError::Moved { .. }) => return false,
                Err(error) => panic!("{symbol}: {error}"),
            }
        }
        true
    });
    b.stop(TIMEOUT).expect("stopped");
}
