//! Who may know whom inside the crates: the arrows between the rooms of `topology/`, and the few names that belong to
//! one room each. Reads code, never manifests. A new arrow is a decision: it comes with a note in `docs/design`.

use std::collections::BTreeMap;

use super::Violation;
use super::files::File;
use super::paths::{NamedPath, named_paths};
use super::source::{Source, words};
use super::tidy::is_test;

/// Each room of `topology/src` with the rooms it may name. A room may always name itself.
pub const ARROWS: [(&str, &[&str]); 10] = [
    ("dsl", &["plan", "processor", "state", "serde", "record", "time", "error"]),
    ("plan", &["processor", "state", "serde", "record", "time", "error"]),
    ("processor", &["state", "serde", "record", "time", "error"]),
    ("state", &["serde", "record", "time", "error"]),
    ("serde", &["record", "time", "error"]),
    ("runtime", &["plan", "processor", "state", "client", "serde", "record", "time", "error"]),
    ("client", &["record", "time", "error"]),
    ("testing", &["runtime", "client", "plan", "processor", "state", "serde", "record", "time", "error"]),
    ("record", &["time"]),
    ("time", &[]),
];

/// A leaf that is allowed everywhere and knows nobody.
const LEAVES: [&str; 1] = ["error"];
/// Rooms of the framework that any file of `operators/` and `models/` may name; the rest only in their `dsl.rs`.
const PLAIN_ROOMS: [&str; 2] = ["time", "serde"];
/// Where `unsafe` may be said, each with one small duty and a reason at every use: librdkafka's functions, and the
/// opening of an LMDB environment.
const UNSAFE_PLACES: [&str; 2] = ["topology/src/client/kafka/ffi/", "topology/src/state/engine/lmdb_env.rs"];

const TOPOLOGY: &str = "topology/src/";
const RUNTIME: &str = "topology/src/runtime/";
/// Where the runtime begins threads and waits.
const WAITS: &str = "topology/src/runtime/threads.rs";

/// Checks every Rust file; the result is ordered by path and line.
#[must_use]
pub fn check(files: &[File]) -> Vec<Violation> {
    let surface =
        files.iter().find(|file| file.path == "topology/src/lib.rs").map(|file| exports(&file.text));
    let surface = surface.unwrap_or_default();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs") && !is_test(&file.path)) {
        let code = Source::new(&file.path, &file.text).without_tests();
        let paths = named_paths(&code);
        found.extend(check_arrows(&file.path, &paths, &surface));
        found.extend(check_plain(&file.path, &paths, &surface));
        found.extend(check_kafka(&file.path, &paths));
        found.extend(check_collections(&file.path, &paths));
        found.extend(check_words(&file.path, &code));
    }
    found.sort();
    found.dedup();
    found
}

/// The public names of the framework's `lib.rs`, each with the room it comes from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let code = Source::new("topology/src/lib.rs", lib).without_tests();
    let mut names = BTreeMap::new();
    for path in named_paths(&code) {
        let segments: Vec<&String> =
            path.segments.iter().filter(|part| *part != "crate" && *part != "self").collect();
        if let (Some(room), Some(last)) = (segments.first(), segments.last()) {
            names.insert(path.alias.clone().unwrap_or_else(|| (*last).clone()), (*room).clone());
        }
    }
    names
}

fn is_room(name: &str) -> bool {
    LEAVES.contains(&name) || ARROWS.iter().any(|(room, _)| *room == name)
}

/// The modules of a file below `topology/src`: `dsl/operation/filter.rs` → `dsl`, `operation`, `filter`.
fn modules(path: &str) -> Option<Vec<&str>> {
    let inner = path.strip_prefix(TOPOLOGY)?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inner.split('/').filter(|part| *part != "mod").collect();
    (parts != ["lib"]).then_some(parts)
}

fn check_arrows(path: &str, paths: &[NamedPath], surface: &BTreeMap<String, String>) -> Vec<Violation> {
    let Some(modules) = modules(path) else { return Vec::new() };
    let from = modules[0];
    if !is_room(from) {
        let rule =
            format!("`{from}` is no room of the framework: move it into one, or add its arrows to the table");
        return vec![Violation::new(path, 1, rule)];
    }
    let allowed = ARROWS.iter().find(|(room, _)| *room == from).map_or(&[] as &[&str], |(_, to)| to);
    let mut found = Vec::new();
    for named in paths {
        let Some((name, certain)) = below_root(&named.segments, modules.len()) else { continue };
        let room = if is_room(name) { Some(name) } else { surface.get(name).map(String::as_str) };
        match room {
            Some(to) if to == from || allowed.contains(&to) => {}
            Some(to) => {
                let rule =
                    format!("{from} must not know {to}: turn the arrow around or pass in what is needed");
                found.push(Violation::new(path, named.line, rule));
            }
            None if certain => {
                let rule = format!("`crate::{name}` hides whose it is: write `crate::<room>::…`");
                found.push(Violation::new(path, named.line, rule));
            }
            None => {}
        }
    }
    found
}

/// The first name below the crate's root that a path reaches; with it, whether that is certain: `super` is counted
/// from the file, and stands one deeper inside an inline module.
fn below_root(segments: &[String], depth: usize) -> Option<(&str, bool)> {
    let ups = segments.iter().take_while(|part| *part == "super").count();
    let (name, certain) = match segments[0].as_str() {
        "crate" => (segments.get(1).map_or("*", String::as_str), true),
        "super" if ups >= depth => (segments.get(ups)?.as_str(), false),
        _ => return None,
    };
    Some((name, certain))
}

/// `operators/` and `models/` are mathematics: only their `dsl.rs` meets the framework's streams.
fn check_plain(path: &str, paths: &[NamedPath], surface: &BTreeMap<String, String>) -> Vec<Violation> {
    let pure = ["operators/src/", "models/src/"].iter().find_map(|room| path.strip_prefix(room));
    let Some(inner) = pure.filter(|inner| *inner != "dsl.rs" && !inner.starts_with("dsl/")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for named in paths.iter().filter(|named| named.segments[0] == "candlewick") {
        let name = named.segments.get(1).map_or("*", String::as_str);
        let room = surface.get(name).map_or(name, String::as_str);
        if !PLAIN_ROOMS.contains(&room) {
            let rule = format!(
                "{inner} names candlewick's `{name}`: plain code knows time and serdes only, streams are met in dsl.rs"
            );
            found.push(Violation::new(path, named.line, rule));
        }
    }
    found
}

fn check_kafka(path: &str, paths: &[NamedPath]) -> Vec<Violation> {
    // The tests and the bench may read topics with a plain client of their own: a judge that shares no code with us.
    if path.starts_with("topology/src/client/kafka/") || path.starts_with("bench/") {
        return Vec::new();
    }
    let named = paths.iter().filter(|named| named.segments[0].starts_with("rdkafka"));
    named
        .map(|named| {
            Violation::new(path, named.line, "only client/kafka may name rdkafka: use the traits of client")
        })
        .collect()
}

fn check_collections(path: &str, paths: &[NamedPath]) -> Vec<Violation> {
    let random = |named: &&NamedPath| {
        let last = named.segments.last().map_or("", String::as_str);
        let std_map =
            named.segments[0] == "std" && matches!(last, "HashMap" | "HashSet" | "hash_map" | "hash_set");
        std_map || named.segments.iter().any(|part| part == "RandomState")
    };
    let named = paths.iter().filter(|_| path.starts_with(TOPOLOGY)).filter(random);
    let rule = "a random seed makes runs differ: use BTreeMap, or hashbrown with foldhash's fixed state";
    named.map(|named| Violation::new(path, named.line, rule)).collect()
}

/// Words that must not stand in some rooms at all.
fn check_words(path: &str, code: &str) -> Vec<Violation> {
    let in_topology = path.starts_with(TOPOLOGY);
    let timeless = (in_topology && path != "topology/src/time.rs") || path.starts_with("operators/src/");
    let judge = path.starts_with("bench/");
    let all = words(code);
    let mut found = Vec::new();
    for (index, &(at, word)) in all.iter().enumerate() {
        let next = all.get(index + 1).map_or("", |&(_, next)| next);
        let rule = match word {
            "async" | "await" | "tokio" if in_topology => {
                "the core is synchronous: no async and no tokio in topology, a stream thread is an OS thread"
            }
            "SystemTime" if timeless => {
                "ask the injected Clock for the time: only time.rs asks the operating system"
            }
            "Instant" if timeless && next == "now" => {
                "ask the injected Clock for the time: only time.rs asks the operating system"
            }
            "thread"
                if path.starts_with(RUNTIME)
                    && !path.starts_with(WAITS)
                    && matches!(next, "sleep" | "spawn" | "Builder") =>
            {
                "the runtime begins threads and waits by `threads.rs` alone: a simulation could not take turns otherwise"
            }
            "unsafe" if !judge && !UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) => {
                "unsafe lives in client/kafka/ffi and in lmdb_env.rs alone: find a safe way, or argue for another place"
            }
            _ => continue,
        };
        let line = code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        found.push(Violation::new(path, line, rule));
    }
    found
}
