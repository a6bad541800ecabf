//! What a build lacks is said before anything has started.

use candlewick_tests::shipped::Candlewick;

use crate::run::PATIENCE;

#[test]
fn sql_is_refused_by_a_build_that_has_no_query_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = Candlewick::start(folder.path(), &["run", "--in-memory", "--sql", "127.0.0.1:0"]);
    let said = process.fails_with(2, PATIENCE);
    assert!(said.contains("--sql") && said.contains("the cargo feature `sql`"), "{said}");
}
