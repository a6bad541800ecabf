//! Differences from Kafka Streams that are kept on purpose: a short list with reasons, and golden files that hold what
//! we give instead. Owns the list; knows no topology.

use std::path::Path;

use serde::Deserialize;

use super::corpus::{Case, Corpus, CorpusError};

/// A difference that is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifference {
    /// The spec, all of whose cases may differ.
    pub spec: String,
    /// Why we do otherwise.
    pub reason: String,
    /// Only in what internal topics hold: the rest must be equal in every case, and needs no golden of our own.
    #[serde(default)]
    pub internal: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    difference: Vec<KnownDifference>,
}

/// The list, and the golden files of what we give instead.
#[derive(Debug)]
pub struct KnownDifferences {
    list: Vec<KnownDifference>,
    ours: Corpus,
}

impl KnownDifferences {
    /// Reads the list, and from the folder `ours` the golden files that hold what we give instead.
    ///
    /// # Errors
    /// When either cannot be read, or a listed case has no golden of our own.
    pub fn read(list: &Path, ours: &Path) -> Result<Self, CorpusError> {
        let text = std::fs::read_to_string(list)
            .map_err(|source| CorpusError::Io { path: list.to_owned(), source })?;
        let malformed = |reason| CorpusError::Malformed { path: list.to_owned(), reason };
        let parsed: List = toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let ours = Corpus::read(ours)?;
        let has_ours = |known: &&KnownDifference| ours.files.iter().any(|file| file.name == known.spec);
        match parsed.difference.iter().find(|known| !known.internal && !has_ours(known)) {
            Some(known) => Err(malformed(format!("{} has no golden file of our own", known.spec))),
            None => Ok(Self { list: parsed.difference, ours }),
        }
    }

    /// The listed specs that have a golden of our own.
    pub fn specs(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|known| !known.internal).map(|known| known.spec.as_str())
    }

    /// Whether this spec differs on purpose, and what we give for this input instead. A corpus of other inputs has no
    /// golden of ours: there the difference is counted and not compared.
    #[must_use]
    pub fn of(&self, spec: &str, case: &Case) -> Option<(&KnownDifference, Option<&Case>)> {
        let known = self.list.iter().find(|known| known.spec == spec)?;
        let cases = self.ours.files.iter().filter(|file| file.name == spec).flat_map(|file| &file.cases);
        let same_input = |ours: &&Case| ours.inputs().eq(case.inputs());
        Some((known, cases.into_iter().find(same_input)))
    }
}
