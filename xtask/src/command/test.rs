//! `cargo xtask test`: all checks in the order of their price, then one line with the counts. Every check runs even
//! when one before it failed, so that one call shows everything. What tests need from outside they start themselves.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where a test that cannot run writes its name and the reason, a line each.
const SKIPPED: &str = "CANDLEWICK_SKIPPED";
/// The servers without which a test must fail instead of skip.
const REQUIRE: &str = "CANDLEWICK_REQUIRE";

/// What is off by default because of what it costs to build, and tested all the same.
const FEATURES: &str =
    "candlewick-pipelines/sql,candlewick-pipelines/object-store,candlewick-tests/object-store";
/// With encryption, where OpenSSL can be built.
const FEATURES_WITH_TLS: &str = "candlewick-pipelines/sql,candlewick-pipelines/object-store,\
    candlewick-pipelines/kafka-tls,candlewick-tests/object-store,candlewick-tests/kafka-tls";
/// The binary with TLS and buckets for the tests of those. The workspace's build makes one with all features: a release
/// build of its own for them would take minutes more.
const SECURED_BINARY: &str = "CANDLEWICK_SECURED_BINARY";

/// Sums of cargo's `test result:` lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

/// What is built. OpenSSL's build is written in Perl: a machine without it tests everything that is not encrypted, unless
/// all has to be there.
fn features() -> &'static str {
    let perl = Command::new("perl").args(["-MFindBin", "-MIPC::Cmd", "-e", "1"]).output();
    let is_there = perl.is_ok_and(|perl| perl.status.success());
    if is_there || std::env::var_os(REQUIRE).is_some() { FEATURES_WITH_TLS } else { FEATURES }
}

/// A check that ran.
struct Step {
    name: &'static str,
    good: bool,
    seconds: u64,
}

/// Runs all; true when all is green.
pub(crate) fn run(options: &[String]) -> io::Result<bool> {
    let fast = options.iter().any(|option| option == "--fast");
    let skipped_file = super::target_dir()?.join("skipped-tests.txt");
    fs::create_dir_all(super::target_dir()?)?;
    fs::write(&skipped_file, "")?;
    let features = features();
    let mut steps = Vec::new();
    step(&mut steps, "fmt", || cargo(&["fmt", "--all", "--check"]))?;
    step(&mut steps, "tidy", || super::tidy::run(&[]))?;
    if !fast {
        step(&mut steps, "clippy", || {
            cargo(&["clippy", "--workspace", "--all-targets", "--features", features, "--", "-D", "warnings"])
        })?;
    }
    let mut counts = Counts::default();
    step(&mut steps, "tests", || {
        let mut tests = super::process("cargo")?;
        tests
            .args(["test", "--workspace", "--features", features, "--no-fail-fast"])
            .env(SKIPPED, &skipped_file);
        if fast {
            tests.env_remove(REQUIRE);
        }
        if features == FEATURES_WITH_TLS && std::env::var_os(SECURED_BINARY).is_none() {
            tests.env(SECURED_BINARY, super::target_dir()?.join("debug/candlewick"));
        }
        let mut child = tests.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().expect("the pipe was asked for one line above");
        counts = count(BufReader::new(output), &mut io::stdout())?;
        Ok(child.wait()?.success())
    })?;
    let good = steps.iter().all(|step| step.good);
    let skipped = names(&fs::read_to_string(&skipped_file)?);
    if features == FEATURES {
        println!("left out: every test over TLS, for there is no perl to build OpenSSL with");
    }
    print!("{}", summary(&steps, &skipped, counts));
    Ok(good)
}

fn step(
    steps: &mut Vec<Step>,
    name: &'static str,
    check: impl FnOnce() -> io::Result<bool>,
) -> io::Result<()> {
    println!("── {name}");
    let start = Instant::now();
    let good = check()?;
    steps.push(Step { name, good, seconds: start.elapsed().as_secs() });
    Ok(())
}

fn cargo(arguments: &[&str]) -> io::Result<bool> {
    Ok(super::process("cargo")?.args(arguments).status()?.success())
}

/// Passes cargo's output on, line by line, and adds up the results in it.
fn count(output: impl BufRead, show: &mut impl Write) -> io::Result<Counts> {
    let mut counts = Counts::default();
    for line in output.split(b'\n') {
        let line = line?;
        show.write_all(&line)?;
        show.write_all(b"\n")?;
        show.flush()?;
        if let Some(result) = String::from_utf8_lossy(&line).strip_prefix("test result:") {
            counts.passed += number_before(result, "passed");
            counts.failed += number_before(result, "failed");
            counts.ignored += number_before(result, "ignored");
        }
    }
    Ok(counts)
}

/// The number in front of `word` in a list like ` ok. 3 passed; 0 failed;`.
fn number_before(result: &str, word: &str) -> usize {
    let parts = result.split([';', '.']).map(str::trim);
    parts
        .filter_map(|part| part.strip_suffix(word))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

/// The skipped tests, each once, from lines like `SKIPPED name: reason`.
fn names(file: &str) -> BTreeSet<String> {
    let lines = file.lines().map(|line| line.strip_prefix("SKIPPED ").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// What is said at the end. A test that skipped itself returned without an error, so cargo counts it as passed; here
/// it is counted as skipped.
fn summary(steps: &[Step], skipped: &BTreeSet<String>, counts: Counts) -> String {
    let mut text = String::from("── summary\n");
    for step in steps {
        let word = if step.good { "ok" } else { "FAILED" };
        text.push_str(&format!("{:<8} {word:<8} {} s\n", step.name, step.seconds));
    }
    if counts.failed == 0 && steps.iter().any(|step| step.name == "tests" && !step.good) {
        text.push_str("a test program did not build or died before its last line: see above\n");
    }
    for line in skipped {
        text.push_str(&format!("skipped  {line}\n"));
    }
    let passed = counts.passed.saturating_sub(skipped.len());
    let not_run = counts.ignored + skipped.len();
    text.push_str(&format!("{passed} passed, {} failed, {not_run} skipped\n", counts.failed));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_programs_are_added_up_and_shown() {
        let output = "running 2 tests\ntest a ... ok\n\
                      test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      test result: FAILED. 5 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        let mut shown = Vec::new();
        let counts = count(output.as_bytes(), &mut shown).expect("memory does not fail");
        assert_eq!(counts, Counts { passed: 7, failed: 3, ignored: 1 });
        assert_eq!(String::from_utf8_lossy(&shown), output);
    }

    #[test]
    fn a_test_that_skipped_itself_counts_as_skipped_and_not_as_passed() {
        let skipped = names(
            "SKIPPED group_survives_kill: no Java found\nSKIPPED group_survives_kill: no Java found\n\n",
        );
        let text = summary(&[], &skipped, Counts { passed: 7, failed: 0, ignored: 1 });
        assert!(text.contains("skipped  group_survives_kill: no Java found\n"), "{text}");
        assert!(text.ends_with("6 passed, 0 failed, 2 skipped\n"), "{text}");
    }

    #[test]
    fn a_test_program_that_died_without_a_count_is_named() {
        let steps = [Step { name: "tests", good: false, seconds: 1 }];
        let text = summary(&steps, &BTreeSet::new(), Counts::default());
        assert!(text.contains("did not build or died"), "{text}");
    }
}
