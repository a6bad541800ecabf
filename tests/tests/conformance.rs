//! Every golden case of Kafka Streams, run through our own driver: from start to end, and ended after a step and started
//! again, in memory and on disk. `CANDLEWICK_ORACLE` names another corpus of the same format; `UPDATE_EXPECT=1` writes
//! anew what we give where we differ on purpose. Has no harness, so that its counts are printed: the last line is the
//! verdict.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candlewick_tests::oracle::{Corpus, CorpusError, KnownDifferences, Report, Variant, judge, ours};
use serde_json::Value as Json;

/// The suites, the plain one last: its line is the verdict.
const SUITES: [(&str, Variant); 5] = [
    ("partition variant", Variant::Spread),
    ("cache variant", Variant::Cached),
    ("restart variant", Variant::Restarted),
    ("disk variant", Variant::OnDisk),
    ("conformance", Variant::Plain),
];

/// Writes anew what we give where we differ on purpose.
fn rewrite(corpus: &Corpus, known: &KnownDifferences, folder: &Path) -> Result<(), CorpusError> {
    for file in corpus.files.iter().filter(|file| known.specs().any(|spec| spec == file.name)) {
        let path = folder.join(format!("{}.json", file.name));
        let golden = ours(file).map_err(|reason| CorpusError::Malformed { path: path.clone(), reason })?;
        std::fs::write(&path, text_of(&golden)).map_err(|source| CorpusError::Io { path, source })?;
    }
    Ok(())
}

fn run(corpus: Option<PathBuf>, oracle: &Path) -> Result<bool, CorpusError> {
    let read = || KnownDifferences::read(&oracle.join("known_differences.toml"), &oracle.join("known"));
    let (mut known, is_own) = (read()?, corpus.is_none());
    let corpus = Corpus::read(&corpus.unwrap_or_else(|| oracle.join("golden")))?;
    if is_own && std::env::var_os("UPDATE_EXPECT").is_some() {
        rewrite(&corpus, &known, &oracle.join("known"))?;
        known = read()?;
    }
    let (mut agreed, mut failed, mut last) = (0, 0, Vec::new());
    let mut is_ok = true;
    for (name, variant) in SUITES {
        let mut report = Report::default();
        for file in &corpus.files {
            report.extend(judge(file, &known, variant));
        }
        last.iter().for_each(|line| println!("{line}"));
        let verdict = report.verdict();
        (agreed, failed) = (agreed + verdict.0, failed + verdict.1);
        is_ok &= report.is_ok();
        last = report.lines(name);
    }
    let verdict = if is_ok { "ok" } else { "FAILED" };
    let total = format!("{agreed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    last.insert(last.len().saturating_sub(1), format!("test result: {verdict}. {total}"));
    last.iter().for_each(|line| println!("{line}"));
    Ok(is_ok)
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
    let oracle = candlewick_tests::checkout().join("tests/oracle");
    match run(std::env::var_os("CANDLEWICK_ORACLE").map(PathBuf::from), &oracle) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("conformance: the corpus cannot be read: {error}");
            ExitCode::FAILURE
        }
    }
}
