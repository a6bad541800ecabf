//! What must be in the output topic, computed from the input topics alone, in one pass over what lies in them; and whether
//! it is. Must not know how the framework computes it.

use std::collections::{BTreeMap, BTreeSet};

use super::topologies::{GAP_MS, PAIR_MS, WINDOW_MS, group_of};
use super::{Kind, ids};

/// A record as it lies in a topic.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) time: i64,
}

/// What was read at the end: the input topics by name, and the committed output, each in the order of offsets.
pub(crate) struct Outputs {
    pub(crate) inputs: BTreeMap<String, Vec<Row>>,
    pub(crate) out: Vec<Row>,
    pub(crate) exactly_once: bool,
    /// Every update is told: nothing waits in a cache.
    pub(crate) tells_all: bool,
}

/// Whether the output is what a recomputation of everything at once gives.
pub(crate) fn check(kind: Kind, outputs: &Outputs) -> Result<(), String> {
    match kind {
        Kind::Copies | Kind::Calls => copies(kind, outputs),
        Kind::Lists | Kind::Slow => lists(outputs, |row| row.key.clone(), true),
        Kind::Regrouped => lists(outputs, |row| group_of(&row.value), false),
        Kind::Windows => windows(outputs),
        Kind::Pairs => pairs(outputs),
        Kind::Tables => tables(outputs, |key, _| key.to_owned()),
        Kind::Foreign => tables(outputs, |_, left| group_of(left)),
        Kind::Global => facts(outputs),
        Kind::Sessions => sessions(outputs),
    }
}

/// Compares how often each text occurs: equal under exactly-once, at least once otherwise, and never anything else.
fn compare(outputs: &Outputs, expected: &[String], found: &[String]) -> Result<(), String> {
    let count = |texts: &[String]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        texts.iter().for_each(|text| *counts.entry(text.clone()).or_default() += 1);
        counts
    };
    let (expected, found) = (count(expected), count(found));
    for (text, times) in &expected {
        let got = found.get(text).copied().unwrap_or(0);
        if got < *times {
            return Err(format!("lost: {text:?} is in the output {got} times instead of {times}"));
        }
        if got > *times && outputs.exactly_once {
            return Err(format!("twice: {text:?} is in the output {got} times instead of {times}"));
        }
    }
    match found.keys().find(|text| !expected.contains_key(*text)) {
        Some(text) => Err(format!("wrong: {text:?} is in the output and follows from no input")),
        None => Ok(()),
    }
}

fn copies(kind: Kind, outputs: &Outputs) -> Result<(), String> {
    let rows = outputs.inputs.values().flatten();
    let expected: Vec<String> = rows
        .filter(|row| ids(row.value.as_bytes()).all(|id| !kind.drops(id)))
        .map(|row| format!("{}: copy of {}", row.key, row.value))
        .collect();
    let found: Vec<String> = outputs.out.iter().map(|row| format!("{}: {}", row.key, row.value)).collect();
    compare(outputs, &expected, &found)?;
    // What lies in one partition stays in its order.
    let by_key = |texts: Vec<String>| {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for text in texts {
            let key = text.split(':').next().unwrap_or_default().to_owned();
            keys.entry(key).or_default().push(text);
        }
        keys
    };
    if outputs.exactly_once && by_key(expected) != by_key(found) {
        return Err("the records of a key are in another order than in the input".to_owned());
    }
    Ok(())
}

fn lists(outputs: &Outputs, key_of: impl Fn(&Row) -> String, in_order: bool) -> Result<(), String> {
    let mut expected: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in outputs.inputs.values().flatten() {
        expected.entry(key_of(row)).or_default().extend(ids(row.value.as_bytes()));
    }
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut updates: BTreeMap<String, usize> = BTreeMap::new();
    for row in &outputs.out {
        let list: Vec<u32> = ids(row.value.as_bytes()).collect();
        *updates.entry(row.key.clone()).or_default() += 1;
        let before = found.insert(row.key.clone(), list.clone()).unwrap_or_default();
        if outputs.exactly_once && (!list.starts_with(&before) || list.len() == before.len()) {
            return Err(format!("{}: {list:?} follows {before:?}", row.key));
        }
    }
    for (key, ids) in &expected {
        let list = found.remove(key).unwrap_or_default();
        let set = |ids: &[u32]| ids.iter().copied().collect::<BTreeSet<u32>>();
        let sorted = |ids: &[u32]| {
            let mut sorted = ids.to_vec();
            sorted.sort_unstable();
            sorted
        };
        let is_good = match (outputs.exactly_once, in_order) {
            (true, true) => list == *ids,
            (true, false) => sorted(&list) == sorted(ids),
            (false, _) => set(&list) == set(ids),
        };
        if !is_good {
            return Err(format!("{key}: the list is {list:?} and should be {ids:?}"));
        }
        let told = updates.get(key).copied().unwrap_or(0);
        if outputs.exactly_once && outputs.tells_all && told != ids.len() {
            return Err(format!("{key}: {told} updates of {} were told", ids.len()));
        }
    }
    found.keys().next().map_or(Ok(()), |key| Err(format!("{key} is in the output and in no input")))
}

fn windows(outputs: &Outputs) -> Result<(), String> {
    let mut expected: BTreeMap<(String, i64), String> = BTreeMap::new();
    for row in outputs.inputs.values().flatten().filter(|row| !row.key.starts_with("end")) {
        let start = row.time - row.time % WINDOW_MS;
        let list = expected.entry((row.key.clone(), start)).or_default();
        list.push_str(&row.value[row.value.find('#').unwrap_or_default()..]);
    }
    let expected: Vec<String> =
        expected.into_iter().map(|((key, start), list)| format!("{key}: {start} {list}")).collect();
    let found: Vec<String> = outputs.out.iter().map(|row| format!("{}: {}", row.key, row.value)).collect();
    compare(outputs, &expected, &found)
}

fn pairs(outputs: &Outputs) -> Result<(), String> {
    let mut expected = Vec::new();
    for left in &outputs.inputs["left"] {
        for right in outputs.inputs["right"].iter().filter(|right| right.key == left.key) {
            if (left.time - right.time).abs() <= PAIR_MS {
                expected.push(format!("{}: {} {}", left.key, left.value, right.value));
            }
        }
    }
    let found: Vec<String> = outputs.out.iter().map(|row| format!("{}: {}", row.key, row.value)).collect();
    compare(outputs, &expected, &found)
}

fn tables(outputs: &Outputs, right_key: impl Fn(&str, &str) -> String) -> Result<(), String> {
    let newest = |rows: &[Row]| -> BTreeMap<String, String> {
        rows.iter().map(|row| (row.key.clone(), row.value.clone())).collect()
    };
    let (left, right) = (newest(&outputs.inputs["left"]), newest(&outputs.inputs["right"]));
    let found = newest(&outputs.out);
    for (key, left) in &left {
        let joined = right.get(&right_key(key, left)).map(|right| format!("{left} {right}"));
        // A deletion is read as an empty text.
        let said = found.get(key).filter(|text| !text.is_empty());
        if said != joined.as_ref() {
            return Err(format!("{key}: the newest is {joined:?}, and the output says {said:?}"));
        }
    }
    Ok(())
}

fn facts(outputs: &Outputs) -> Result<(), String> {
    let facts = &outputs.inputs["facts"];
    let fact = |group: &str| facts.iter().find(|row| row.key == group).map_or("", |row| &row.value);
    let told = |row: &Row| format!("{}: {} {}", row.key, row.value, fact(&group_of(&row.value)));
    let expected: Vec<String> = outputs.inputs["in"].iter().map(told).collect();
    let found: Vec<String> = outputs.out.iter().map(|row| format!("{}: {}", row.key, row.value)).collect();
    compare(outputs, &expected, &found)
}

fn sessions(outputs: &Outputs) -> Result<(), String> {
    let mut by_key: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    outputs.inputs["in"].iter().for_each(|row| by_key.entry(&row.key).or_default().push(row));
    let mut expected: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (key, mut rows) in by_key {
        rows.sort_by_key(|row| row.time);
        for session in rows.chunk_by(|one, next| next.time - one.time <= GAP_MS) {
            let (start, end) = (session[0].time, session[session.len() - 1].time);
            let list = session.iter().flat_map(|row| ids(row.value.as_bytes())).collect();
            expected.insert(format!("{key}@{start}-{end}"), list);
        }
    }
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in &outputs.out {
        found.insert(row.key.clone(), ids(row.value.as_bytes()).collect());
    }
    // A deletion is told as an empty text.
    found.retain(|_, list| !list.is_empty());
    expected.values_mut().chain(found.values_mut()).for_each(|list| list.sort_unstable());
    let differs = expected.keys().chain(found.keys()).find(|key| expected.get(*key) != found.get(*key));
    differs.map_or(Ok(()), |key| {
        Err(format!("{key}: the session is {:?} and should be {:?}", found.get(key), expected.get(key)))
    })
}
