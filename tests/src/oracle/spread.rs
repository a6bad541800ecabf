//! The partition variant: the keys of a case spread over several partitions, and so over several tasks. Owns what an
//! operator promises of such a run, and the comparison by key.

use std::collections::{BTreeMap, BTreeSet};

use candlewick::{Partition, partition_for_key};
use serde_json::Value as Json;

use super::corpus::{Case, GoldenFile};
use super::interpreter::Plan;
use super::run::{Run, Variant, comparable};
use super::stores::StoresOf;

/// How many partitions every topic has: so many that the few keys of a case do not meet.
const PARTITIONS: i32 = 7;

/// What holds when the keys of a spec are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Every key has the results that it has on one partition.
    Key,
    /// Every partition has the results of its own records alone.
    Partition,
    /// Nothing that could be compared, and why.
    Nothing(&'static str),
}

/// Operators whose results hang on the times of other keys, so that each partition has a time of its own: field, value
/// (any where it is empty), reason.
const OF_PARTITION: [(&str, &str, &str); 9] = [
    ("op", "window", "what is late is told by the greatest time the operator has seen"),
    ("op", "suppress", "time moves by records of other keys, and limits hold for the whole buffer"),
    ("diff", "", "a join of streams expires records by the greatest time its stores have seen"),
    ("versioned", "", "history ends by the greatest time the store has seen"),
    ("grace", "", "records wait for the greatest time the operator has seen"),
    ("fn", "stream_time", "the processor shows its task's stream time"),
    ("fn", "downstream_time", "the processor shows its task's stream time"),
    ("fn", "punct", "punctuators are the task's"),
    ("fn", "buffer", "punctuators are the task's"),
];

/// Operators that change keys, so that records of several partitions meet in one: field, value (any
/// where it is empty).
const REKEYING: [(&str, &str); 6] = [
    ("op", "select_key"),
    ("op", "map"),
    ("op", "flat_map"),
    ("op", "group_by"),
    ("op", "repartition"),
    ("fk", ""),
];

/// Specs of which nothing is promised for another reason.
const LEFT_OUT: [(&str, &str); 2] = [
    ("fail-continue-dlq", "dead letters tell the partition they come from"),
    ("fk-inner-agg", "rows that answer from two partitions have no order among each other"),
];

const MIXED: &str = "times of several partitions, mixed by a repartition";

/// What a spec promises: by key, unless one of its operators hangs on time.
pub(super) fn promise(spec: &Json) -> Promise {
    if let Some((_, reason)) = LEFT_OUT.iter().find(|(name, _)| spec["name"] == *name) {
        return Promise::Nothing(reason);
    }
    let nodes = || spec["nodes"].as_array().into_iter().flatten();
    let has = |field: &str, value: &str| {
        nodes().any(|node| match &node[field] {
            Json::String(text) if field == "fn" => text.contains(value),
            Json::String(text) => value.is_empty() || text == value,
            found => value.is_empty() && !found.is_null(),
        })
    };
    let timed = OF_PARTITION.iter().any(|(field, value, _)| has(field, value));
    match (timed, REKEYING.iter().any(|(field, value)| has(field, value))) {
        (false, _) => Promise::Key,
        (true, false) => Promise::Partition,
        (true, true) => Promise::Nothing(MIXED),
    }
}

/// Results by topic and key, each key's in their order.
type ByKey = BTreeMap<String, Vec<Json>>;

/// What a run left: outputs by key, stores as sets of rows, and how many records were dropped.
#[derive(Debug, Default)]
struct Left {
    outputs: ByKey,
    stores: BTreeMap<String, Vec<String>>,
    dropped: u64,
    /// Keys that several partitions tell of, such as those of punctuators: they have no order among each other.
    shared: BTreeSet<String>,
}

/// Compares a run over several partitions with what is promised of it.
pub(super) fn compare(file: &GoldenFile, plan: &Plan, case: &Case, promise: Promise) -> Result<(), String> {
    let spread = run(file, plan, case, case, PARTITIONS)?;
    let expected = match promise {
        Promise::Partition => alone(file, plan, case)?,
        Promise::Key | Promise::Nothing(_) => golden(case),
    };
    differences(&expected, &spread)
}

fn differences(expected: &Left, found: &Left) -> Result<(), String> {
    for key in expected.outputs.keys().chain(found.outputs.keys()) {
        let rows = |left: &Left| {
            let mut rows = left.outputs.get(key).cloned().unwrap_or_default();
            if expected.shared.contains(key) {
                rows.sort_by_cached_key(Json::to_string);
            }
            Json::from(rows)
        };
        let (expected, found) = (rows(expected), rows(found));
        if expected != found {
            return Err(format!("{key}\n      expected {expected}\n      but got  {found}"));
        }
    }
    for (name, expected) in &expected.stores {
        let found = found.stores.get(name);
        if found != Some(expected) {
            return Err(format!("store {name}\n      expected {expected:?}\n      but got  {found:?}"));
        }
    }
    if expected.dropped != found.dropped {
        return Err(format!("expected {} dropped records, but got {}", expected.dropped, found.dropped));
    }
    Ok(())
}

/// What Kafka Streams gave on one partition.
fn golden(case: &Case) -> Left {
    let outputs = case.steps.iter().flat_map(|step| step.output.iter().cloned().map(comparable));
    let stores = case.stores.as_object().into_iter().flatten();
    Left {
        outputs: by_key(outputs),
        stores: stores
            .map(|(name, rows)| (name.clone(), set(rows.as_array().into_iter().flatten())))
            .collect(),
        dropped: case.steps.iter().map(|step| step.dropped).sum(),
        shared: BTreeSet::new(),
    }
}

/// Each partition's records by themselves, and all results together.
fn alone(file: &GoldenFile, plan: &Plan, case: &Case) -> Result<Left, String> {
    let mut all = Left::default();
    for partition in (0..PARTITIONS).map(Partition) {
        let mut part = case.clone();
        part.steps.retain(|step| is_everywhere(file, &step.input) || partition_of(&step.input) == partition);
        let left = run(file, plan, &part, case, 1)?;
        for (key, rows) in left.outputs {
            if all.outputs.contains_key(&key) {
                all.shared.insert(key.clone());
            }
            all.outputs.entry(key).or_default().extend(rows);
        }
        for (name, rows) in left.stores {
            let together = all.stores.entry(name).or_default();
            together.extend(rows);
            together.sort();
            together.dedup();
        }
        all.dropped += left.dropped;
    }
    Ok(all)
}

/// Whether an input reaches every task: the wall clock does, and what global tables and stores are made of. One without a
/// key is dropped once.
fn is_everywhere(file: &GoldenFile, input: &Json) -> bool {
    let mut nodes = file.spec["nodes"].as_array().into_iter().flatten();
    let mut is_global = || {
        nodes.any(|node| {
            let is_global = node["op"] == "global_table" || node["op"] == "global_store";
            is_global && node["topic"] == input[0]
        })
    };
    input[0] == "$wall" || (!input[1].is_null() && is_global())
}

fn partition_of(input: &Json) -> Partition {
    input[1].as_str().map_or(Partition(0), |key| partition_for_key(key.as_bytes(), PARTITIONS))
}

/// Runs a case; `whole` tells what stores are asked for.
fn run(file: &GoldenFile, plan: &Plan, case: &Case, whole: &Case, partitions: i32) -> Result<Left, String> {
    let mut run = Run::start(file, plan, Variant::Plain, partitions);
    let mut outputs = Vec::new();
    let mut dropped = 0;
    for (index, step) in case.steps.iter().enumerate() {
        run.feed(step).map_err(|error| format!("step {index} {} failed: {error}", step.input))?;
        let (output, lost) = run.observe();
        outputs.extend(output);
        dropped += lost;
    }
    let mut stores = BTreeMap::new();
    for (name, contents) in &plan.stores {
        let parts = (0..partitions)
            .map(|partition| StoresOf { driver: &run.driver, partition: Partition(partition) });
        let rows: Vec<Json> = parts.flat_map(|part| part.rows(name, *contents, whole)).collect();
        stores.insert(name.clone(), set(rows.iter()));
    }
    Ok(Left { outputs: by_key(outputs), stores, dropped, shared: BTreeSet::new() })
}

fn by_key(outputs: impl IntoIterator<Item = Json>) -> ByKey {
    let mut by_key = ByKey::new();
    for row in outputs {
        by_key.entry(format!("{} {}", row[0], row[1])).or_default().push(row);
    }
    by_key
}

/// Rows in an order that does not hang on where they lie: a global table lies everywhere. That a versioned store has
/// nothing to tell about a key is no row.
fn set<'r>(rows: impl Iterator<Item = &'r Json>) -> Vec<String> {
    let told = rows.filter(|row| row.as_array().is_none_or(|row| row.len() != 3 || !row[2].is_null()));
    let mut rows: Vec<String> = told.map(Json::to_string).collect();
    rows.sort();
    rows.dedup();
    rows
}
