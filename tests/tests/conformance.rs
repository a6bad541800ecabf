//! Every golden case of Kafka Streams, run through our own driver. `CANDLEWICK_ORACLE` names another corpus of the
//! same format; `UPDATE_EXPECT=1` writes anew what we give where we differ on purpose. Has no harness, so that its counts
//! are printed: the last line is the verdict.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candlewick_tests::oracle::{Corpus, CorpusError, KnownDifferences, Report, judge, ours};
use serde_json::Value as Json;

fn report(corpus: &Path, oracle: &Path) -> Result<Report, CorpusError> {
    let read = || KnownDifferences::read(&oracle.join("known_differences.toml"), &oracle.join("known"));
    let (mut known, corpus) = (read()?, Corpus::read(corpus)?);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        for file in corpus.files.iter().filter(|file| known.specs().any(|spec| spec == file.name)) {
            let path = oracle.join("known").join(format!("{}.json", file.name));
            let golden =
                ours(file).map_err(|reason| CorpusError::Malformed { path: path.clone(), reason })?;
            std::fs::write(&path, text_of(&golden)).map_err(|source| CorpusError::Io { path, source })?;
        }
        known = read()?;
    }
    let mut report = Report::default();
    for file in &corpus.files {
        report.extend(judge(file, &known));
    }
    Ok(report)
}

/// A golden file with a step on each line, so that a difference can be read.
fn text_of(golden: &Json) -> String {
    let mut text = format!(
        "{{\n\"format\":{},\n\"kafka_streams\":{},\n\"spec\":{},\n\"cases\":[",
        golden["format"], golden["kafka_streams"], golden["spec"]
    );
    let rows = |rows: &Json, row: &dyn Fn(&Json) -> String| {
        rows.as_array().into_iter().flatten().map(row).collect::<Vec<_>>().join(",\n")
    };
    let case = |case: &Json| {
        let steps = rows(&case["steps"], &|step| step.to_string());
        format!("{{\"case\":{},\"stores\":{},\"steps\":[\n{steps}]}}", case["case"], case["stores"])
    };
    text.push('\n');
    text.push_str(&rows(&golden["cases"], &case));
    text.push_str("\n]}\n");
    text
}

fn main() -> ExitCode {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    let other = std::env::var_os("CANDLEWICK_ORACLE").map(PathBuf::from);
    let corpus = other.unwrap_or_else(|| oracle.join("golden"));
    match report(&corpus, &oracle) {
        Ok(report) => {
            report.lines().iter().for_each(|line| println!("{line}"));
            if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("conformance: the corpus cannot be read: {error}");
            ExitCode::FAILURE
        }
    }
}
