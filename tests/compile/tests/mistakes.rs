//! Each common mistake is refused by the compiler, in words that name it. They are the words of one version of the compiler:
//! under another one the test says that it was skipped. `TRYBUILD=overwrite` writes them anew, for a reader to review.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

/// The compiler whose words stand beside the cases.
const WORDS_OF: &str = "rustc 1.95.";

#[test]
fn mistakes_are_refused_by_the_compiler_in_words_that_name_them() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("the compiler says its version");
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    if !version.starts_with(WORDS_OF) && env::var_os("TRYBUILD").is_none() {
        let line = format!("SKIPPED mistakes: the words are those of {WORDS_OF}*, this is {version}");
        eprintln!("{line}");
        // Where `cargo xtask test` counts what was skipped.
        if let Some(path) = env::var_os("CANDLEWICK_SKIPPED") {
            let mut list =
                OpenOptions::new().append(true).create(true).open(path).expect("the list of skipped tests");
            writeln!(list, "{line}").expect("the list of skipped tests");
        }
        return;
    }
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
