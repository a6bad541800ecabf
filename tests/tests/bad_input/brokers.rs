//! A broker that is not there.

use candlewick_tests::servers;

use super::run::{PATIENCE, Run};

#[test]
fn a_broker_that_is_not_there_is_one_sentence_and_exit_code_3() {
    let address = format!("127.0.0.1:{}", servers::free_port());
    let run = Run::on_kafka(&address, "http://127.0.0.1:1", "nobroker", 15);
    let said = run.start().fails_with(3, PATIENCE);
    assert!(said.contains(&address) && said.contains("check the broker address"), "{said}");
    assert!(!run.path().join("data/state").exists(), "nothing was begun");
}
