//! `docs/kafka-streams.md` names what there is: each name of ours in its tables is an item of the public API, a key of the
//! configuration or a metric, and each key and metric that there is stands in it.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use xtask::house::files::{self, File};
use xtask::house::source::Source;

const PAGE: &str = "docs/kafka-streams.md";
/// The crates whose public items the page may name.
const CRATES: [&str; 2] = ["topology/src/", "server/src/"];

/// Public types and traits with the names inside of them: functions, fields, variants.
type Items = BTreeMap<String, BTreeSet<String>>;

fn sources() -> Vec<File> {
    files::read_all(&candlewick_tests::checkout()).expect("the checkout is readable")
}

fn text<'f>(files: &'f [File], path: &str) -> &'f str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is there")).text
}

/// From the brace at `open` to the one that closes it.
fn block(code: &str, open: usize) -> &str {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &code[open..=at];
        }
    }
    &code[open..]
}

/// What stands directly within a block, nested blocks left out.
fn surface(block: &str) -> String {
    let (mut depth, mut out) = (0, String::new());
    for letter in block.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 => out.push(letter),
            _ => {}
        }
    }
    out
}

/// The last name of a type's path, without its parameters.
fn type_name(header: &str) -> Option<&str> {
    let path = header.trim().trim_start_matches(['&', '(']).split(['<', ' ', '{']).next()?;
    path.rsplit("::").next().filter(|name| !name.is_empty())
}

/// `<K, V> Name<K, V> where …` without the parameters in front.
fn behind_parameters(header: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in header.char_indices() {
        let is_arrow = header[..at].ends_with('-');
        match letter {
            '<' => depth += 1,
            '>' if !is_arrow => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if letter == '>' { &header[at + 1..] } else { header };
        }
    }
    header
}

fn items(files: &[File]) -> Items {
    let shape = |text| Regex::new(text).expect("a regular expression");
    let definition = shape(r"pub (struct|enum|trait) (\w+)");
    let implementation = shape(r"(?m)^impl\b([^{;]*)\{");
    let (function, method, field, variant) = (
        shape(r"pub (?:const )?fn (\w+)"),
        shape(r"\bfn (\w+)"),
        shape(r"pub (\w+):"),
        shape(r"\b([A-Z]\w*)"),
    );
    let names = |names: &Regex, code: &str| -> Vec<String> {
        names.captures_iter(code).map(|found| found[1].to_owned()).collect()
    };
    let mut items = Items::new();
    for file in files.iter().filter(|file| CRATES.iter().any(|room| file.path.starts_with(room))) {
        let code = Source::new(&file.path, &file.text).without_tests();
        for found in definition.captures_iter(&code) {
            let inside = items.entry(found[2].to_owned()).or_default();
            let end = found.get(0).expect("the whole").end();
            let Some(open) = code[end..].find(['{', ';', '(']).map(|at| end + at) else { continue };
            if code.as_bytes()[open] == b'{' {
                let surface = surface(block(&code, open));
                inside.extend(match &found[1] {
                    "struct" => names(&field, &surface),
                    "trait" => names(&method, &surface),
                    _ => names(&variant, &surface),
                });
            }
        }
        for found in implementation.captures_iter(&code) {
            let header = behind_parameters(found[1].trim());
            let of = header.split(" for ").last().and_then(type_name);
            let Some(of) = of else { continue };
            let end = found.get(0).expect("the whole").end();
            let body = surface(block(&code, end - 1));
            items.entry(of.to_owned()).or_default().extend(names(&function, &body));
        }
    }
    let exported: BTreeSet<String> = CRATES
        .iter()
        .flat_map(|room| {
            let lib = Source::new("lib.rs", text(files, &format!("{room}lib.rs"))).code;
            names(&shape(r"\b([A-Za-z_]\w*)\b"), &lib)
        })
        .collect();
    items.retain(|name, _| exported.contains(name));
    items
}

/// The keys of the configuration.
fn keys(files: &[File]) -> BTreeSet<String> {
    let config = text(files, "topology/src/runtime/config.rs");
    let list = config
        .split_once("const KEYS")
        .and_then(|(_, rest)| rest.split_once("];"))
        .expect("the list of keys");
    list.0.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The metrics of the framework.
fn metrics(files: &[File]) -> BTreeSet<String> {
    let metric = Regex::new(r#"!\(\s*"(candlewick_\w+)""#).expect("a regular expression");
    let framework = files.iter().filter(|file| file.path.starts_with("topology/src/"));
    framework
        .flat_map(|file| metric.captures_iter(&file.text).map(|m| m[1].to_owned()).collect::<Vec<_>>())
        .collect()
}

/// The names of ours in the page: what stands in backticks in the second column of its tables.
fn named(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in page.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').collect();
        assert_eq!(cells.len(), 5, "{PAGE}:{}: three columns, and no bar within them", index + 1);
        found.extend(cells[2].split('`').skip(1).step_by(2).map(|name| (index + 1, name.to_owned())));
    }
    found
}

/// Whether there is such a thing.
fn exists(name: &str, items: &Items, keys: &BTreeSet<String>, metrics: &BTreeSet<String>) -> bool {
    match name.split_once("::") {
        Some((of, inside)) => items.get(of).is_some_and(|names| names.contains(inside)),
        None => items.contains_key(name) || keys.contains(name) || metrics.contains(name),
    }
}

#[test]
fn every_name_of_ours_is_there() {
    let files = sources();
    let (items, keys, metrics) = (items(&files), keys(&files), metrics(&files));
    let named = named(text(&files, PAGE));
    assert!(named.len() > 200, "the page has {} names of ours", named.len());
    let missing: Vec<String> = named
        .iter()
        .filter(|(_, name)| !exists(name, &items, &keys, &metrics))
        .map(|(line, name)| format!("{PAGE}:{line}: there is no {name}"))
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_key_and_every_metric_stands_in_the_page() {
    let files = sources();
    let (keys, metrics) = (keys(&files), metrics(&files));
    assert!(keys.len() > 15 && metrics.len() > 8, "{keys:?} {metrics:?}");
    let named: BTreeSet<String> = named(text(&files, PAGE)).into_iter().map(|(_, name)| name).collect();
    let missing: Vec<&String> = keys.union(&metrics).filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "{PAGE} says nothing of {missing:?}");
}

#[test]
fn every_operation_of_streams_and_tables_stands_in_the_page() {
    const TYPES: [&str; 9] = [
        "StreamsBuilder",
        "KStream",
        "KTable",
        "KGroupedStream",
        "KGroupedTable",
        "CogroupedKStream",
        "WindowedKStream",
        "StreamsHandle",
        "StoreQuery",
    ];
    let files = sources();
    let named: BTreeSet<String> = named(text(&files, PAGE)).into_iter().map(|(_, name)| name).collect();
    let items = items(&files);
    let all = TYPES.iter().flat_map(|of| items[*of].iter().map(move |name| format!("{of}::{name}")));
    let missing: Vec<String> = all.filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{PAGE} says nothing of {missing:#?}");
}

#[test]
fn a_name_that_is_not_there_is_noticed() {
    let files = sources();
    let (items, keys, metrics) = (items(&files), keys(&files), metrics(&files));
    for name in [
        "KStream::filter",
        "KTable",
        "Guarantee::ExactlyOnce",
        "threads",
        "candlewick_tasks",
        "StreamsConfig::threads",
        "Processor::process",
    ] {
        assert!(exists(name, &items, &keys, &metrics), "{name}");
    }
    for name in [
        "KStream::filtre",
        "KTabel",
        "Guarantee::Twice",
        "thread",
        "candlewick_task",
        "KStream::then",
        "StateReader",
    ] {
        assert!(!exists(name, &items, &keys, &metrics), "{name}");
    }
}
