//! What the house asks of its files: [`tidy`] for each file, [`rooms`] for who may know whom inside the crates,
//! [`manifests`] for who may know whom between them. Knows nothing of cargo commands.

pub mod files;
pub mod manifests;
pub mod paths;
pub mod rooms;
pub mod source;
pub mod tidy;

use std::fmt;

/// A rule broken at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, relative to the workspace's root.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do about it.
    pub rule: String,
}

impl Violation {
    /// A violation at `path:line`.
    pub fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule: rule.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// All violations as one text, a line each: what a failing test or command shows.
#[must_use]
pub fn report(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}
