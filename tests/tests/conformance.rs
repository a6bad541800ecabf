//! Every golden case of Kafka Streams, run through our own driver. `CANDLEWICK_ORACLE` names another corpus of the
//! same format. Has no harness, so that its counts are printed: the last line is the verdict.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candlewick_tests::oracle::{Corpus, CorpusError, KnownDifferences, Report, judge};

fn report(corpus: &Path, oracle: &Path) -> Result<Report, CorpusError> {
    let known = KnownDifferences::read(&oracle.join("known_differences.toml"), &oracle.join("known"))?;
    let corpus = Corpus::read(corpus)?;
    let mut report = Report::default();
    for file in &corpus.files {
        report.extend(judge(file, &known));
    }
    Ok(report)
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
