//! What holds for each file alone: length, the line that says what it owns, names, finished work, links.
//! Must not know who may know whom; that is [`rooms`](super::rooms) and [`manifests`](super::manifests).

use std::collections::BTreeSet;

use super::Violation;
use super::files::File;
use super::source::{Source, is_word, words};

/// The longest file, in lines without its `#[cfg(test)]` items.
pub const FILE_LINES_MAX: usize = 500;
/// The longest function, in lines from `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing about what a module or file owns.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "common", "misc", "stuff"];
/// The same inside the name of a type.
const EMPTY_TYPE_WORDS: [&str; 7] = ["Util", "Utils", "Helper", "Manager", "Common", "Misc", "Abstract"];
/// Marks of unfinished work. Written in halves, for this file is checked too.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
];
/// Folders of one machine.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("../sha", "red")];
/// Hosts of package registries: which mirror to ask is for a machine's own configuration to say.
const REGISTRY_HOSTS: [&str; 9] = [
    concat!("repo1.", "maven.org"),
    concat!("repo.maven.", "apache.org"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("//py", "pi.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
    concat!("proxy.", "golang.org"),
];

/// Checks every file; the result is ordered by path and line.
#[must_use]
pub fn check(files: &[File]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        found.extend(check_text(file));
        if file.path.ends_with(".rs") {
            found.extend(check_rust(&Source::new(&file.path, &file.text)));
        }
    }
    found.extend(check_links(files));
    found.sort();
    found
}

fn check_text(file: &File) -> Vec<Violation> {
    let path = file.path.as_str();
    let mut found = Vec::new();
    if let Some(word) = empty_name(path) {
        found.push(Violation::new(
            path,
            1,
            format!("a file named `{word}` owns nothing: name it after what it owns"),
        ));
    }
    // A test may read a folder that an environment variable names, and say in a comment where it usually lies.
    let reads_environment = is_test(path) && file.text.contains("CANDLEWICK_");
    for (index, line) in file.text.lines().enumerate() {
        let mut broken = |rule: String| found.push(Violation::new(path, index + 1, rule));
        for mark in UNFINISHED.iter().filter(|mark| has_word(line, mark)) {
            broken(format!("`{mark}` marks unfinished work: finish it, or leave it out and open an issue"));
        }
        for machine in MACHINE_PATHS.iter().filter(|machine| !reads_environment && line.contains(**machine)) {
            broken(format!(
                "`{machine}` exists on one machine only: take the path from a flag or a variable"
            ));
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| !path.ends_with(".md") && line.contains(**host)) {
            broken(format!(
                "`{host}` is a registry's host: call its ordinary client, which knows where to ask"
            ));
        }
    }
    found
}

fn check_rust(source: &Source) -> Vec<Violation> {
    let path = source.path.as_str();
    let mut found = Vec::new();
    if !source.text.starts_with("//!") {
        found.push(Violation::new(
            path,
            1,
            "start the file with `//!`: what it owns and what it must not know",
        ));
    }
    let lines = source.lines_without_tests();
    if lines > FILE_LINES_MAX {
        let rule = format!(
            "{lines} lines without tests, more than {FILE_LINES_MAX}: split the file by what it owns"
        );
        found.push(Violation::new(path, 1, rule));
    }
    for function in source.functions().iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let rule = format!(
            "`{}` has {} lines, more than {FUNCTION_LINES_MAX}: split it",
            function.name, function.lines
        );
        found.push(Violation::new(path, function.line, rule));
    }
    for (at, _) in source.code.match_indices("#[ignore") {
        let rule = "an ignored test is forgotten: skip it aloud when its server is missing";
        found.push(Violation::new(path, source.line_of(at), rule));
    }
    found.extend(check_names(source));
    found
}

fn check_names(source: &Source) -> Vec<Violation> {
    let words = words(&source.code);
    let mut found = Vec::new();
    for pair in words.windows(2) {
        let ((_, keyword), (at, name)) = (pair[0], pair[1]);
        let rule = match keyword {
            "mod" if EMPTY_NAMES.iter().any(|empty| name.split('_').any(|part| part == *empty)) => {
                format!("a module named `{name}` owns nothing: name it after what it owns")
            }
            "struct" | "enum" | "trait" | "type" | "union" if is_empty_type(name) => {
                format!(
                    "`{name}` does not say what it is: no Impl, Abstract, Manager, Helper or Util in a type's name"
                )
            }
            _ => continue,
        };
        found.push(Violation::new(&source.path, source.line_of(at), rule));
    }
    found
}

fn is_empty_type(name: &str) -> bool {
    let name = name.replace("TaskManager", ""); // Kafka Streams' own word
    let parts = camel_words(&name);
    parts.last() == Some(&"Impl") || parts.iter().any(|part| EMPTY_TYPE_WORDS.contains(part))
}

/// `KeyValueStore` → `Key`, `Value`, `Store`.
fn camel_words(name: &str) -> Vec<&str> {
    let mut starts: Vec<usize> =
        name.char_indices().filter(|(_, c)| c.is_uppercase()).map(|(at, _)| at).collect();
    starts.push(name.len());
    starts.windows(2).map(|pair| &name[pair[0]..pair[1]]).collect()
}

/// The first part of a path that is an empty name.
fn empty_name(path: &str) -> Option<&'static str> {
    path.split('/').filter(|part| *part != "task_manager.rs").find_map(|part| {
        let stem = part.split('.').find(|stem| !stem.is_empty()).unwrap_or_default();
        EMPTY_NAMES.into_iter().find(|empty| stem.split(['_', '-']).any(|word| word == *empty))
    })
}

/// Whether a file is test code as a whole.
pub(crate) fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_word);
        let after = word.ends_with(is_word) && line[at + word.len()..].starts_with(is_word);
        !before && !after
    })
}

/// Relative links in Markdown must lead to a file or folder of the checkout.
fn check_links(files: &[File]) -> Vec<Violation> {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        known.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
        known.insert(&file.path);
    }
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            // An image or data file is no text: only links to folders and to files the rules read are checked.
            let is_text = !path.rsplit('/').next().unwrap_or_default().contains('.') || is_known_kind(path);
            if !path.is_empty() && is_text && !known.contains(resolve(&file.path, path).as_str()) {
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("`{target}` leads nowhere: correct the link"),
                ));
            }
        }
    }
    found
}

fn is_known_kind(path: &str) -> bool {
    [".md", ".rs", ".toml", ".yaml", ".yml", ".json", ".html", ".js"].iter().any(|end| path.ends_with(end))
}

/// The targets of `[text](target)` outside of code blocks that are not addresses.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (at, open) in line.match_indices("](") {
            let rest = &line[at + open.len()..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((index + 1, target.to_owned()));
            }
        }
    }
    found
}

/// `target` as seen from the file `from`, relative to the root.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
