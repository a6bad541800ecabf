//! Golden files: a spec, the description Kafka Streams prints for it, and cases of input with what came out. Owns the
//! reading of the folder; knows no topology.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Why a corpus could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The folder or a file in it cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file is not what the format says.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// All golden files of a folder, by name.
#[derive(Debug)]
pub struct Corpus {
    /// The files.
    pub files: Vec<GoldenFile>,
}

/// One spec with its cases.
#[derive(Debug)]
pub struct GoldenFile {
    /// The spec's name.
    pub name: String,
    /// The spec.
    pub spec: Json,
    /// What `describe` printed, where the topology could be built.
    pub describe: Option<String>,
    /// The configuration of each internal topic, by its name without the application's id; null where it is not told.
    pub topics: Json,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One run: inputs and what came of them.
#[derive(Clone, Debug)]
pub struct Case {
    /// The case's name within its spec.
    pub name: String,
    /// The last step ended the task.
    pub fails: bool,
    /// The steps.
    pub steps: Vec<Step>,
    /// Final contents of the named stores; empty where the case fails.
    pub stores: Json,
}

/// One input and its outputs.
#[derive(Clone, Debug)]
pub struct Step {
    /// A record, or `["$wall", ms]`.
    pub input: Json,
    /// What came out, in order within each topic.
    pub output: Vec<Json>,
    /// The bytes written to internal topics, where they are told: of a step that tells none nothing is known.
    pub internal: Option<Vec<Json>>,
    /// How many records were dropped.
    pub dropped: u64,
}

impl Case {
    /// The inputs of all steps, in order.
    pub fn inputs(&self) -> impl Iterator<Item = &Json> {
        self.steps.iter().map(|step| &step.input)
    }
}

impl Corpus {
    /// Reads every `*.json` in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be read or a file is not of the format `ks-oracle/1`.
    pub fn read(folder: &Path) -> Result<Self, CorpusError> {
        let io = |path: &Path, source| CorpusError::Io { path: path.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(|source| io(folder, source))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| io(folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        let files = paths.iter().map(|path| {
            let text = fs::read_to_string(path).map_err(|source| io(path, source))?;
            golden(&text).map_err(|reason| CorpusError::Malformed { path: path.clone(), reason })
        });
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }
}

fn golden(text: &str) -> Result<GoldenFile, String> {
    let file: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file["format"] != "ks-oracle/1" {
        return Err(format!("the format is {}, not ks-oracle/1", file["format"]));
    }
    let name = file["spec"]["name"].as_str().ok_or("the spec has no name")?.to_owned();
    let cases = file["cases"].as_array().ok_or("there are no cases")?;
    let cases = cases.iter().map(case).collect::<Result<_, _>>()?;
    let describe = file["describe"].as_str().map(str::to_owned);
    Ok(GoldenFile { name, spec: file["spec"].clone(), describe, topics: file["topics"].clone(), cases })
}

fn case(json: &Json) -> Result<Case, String> {
    let name = json["case"].as_str().ok_or("a case has no name")?.to_owned();
    let steps = json["steps"].as_array().ok_or_else(|| format!("case {name} has no steps"))?;
    let steps = steps.iter().map(|step| Step {
        input: step["in"].clone(),
        output: step["out"].as_array().cloned().unwrap_or_default(),
        internal: step["internal"].as_array().cloned(),
        dropped: step["dropped"].as_u64().unwrap_or(0),
    });
    Ok(Case {
        fails: json.get("error").is_some(),
        steps: steps.collect(),
        stores: json["stores"].clone(),
        name,
    })
}
