//! A process that was killed and is started again on its state folder takes its tasks up at once: it knows which member of
//! the group its predecessor was, and nobody waits until that one's session is over.

use std::time::{Duration, Instant};

use candlewick_tests::shipped::Candlewick;
use candlewick_tests::{require, servers};

/// What a crash would cost without it.
const SESSION: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_killed_instance_that_comes_back_does_not_wait_for_its_own_session() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("candlewick.toml");
    let text = format!("session-timeout-ms = {}\n", SESSION.as_millis());
    std::fs::write(&config, text).expect("written");
    let prefix = format!("restart{}-", std::process::id());
    let (input, application) = (format!("{prefix}trades"), format!("{prefix}app"));
    let config = config.to_str().expect("UTF-8");
    let mut arguments = vec!["run", "--pipeline", "candles", "--intervals", "1s", "--no-server"];
    arguments.extend(["--data-dir", "data", "--config", config, "--guarantee", "exactly-once"]);
    arguments.extend(["--brokers", kafka.bootstrap(), "--registry", registry.url()]);
    arguments.extend(["--input", &input, "--output-prefix", &prefix, "--application-id", &application]);
    let mut first = Candlewick::start(folder.path(), &arguments);
    first.wait_for("task running", PATIENCE);
    first.kill();
    for round in 0..2 {
        let began = Instant::now();
        let mut next = Candlewick::start(folder.path(), &arguments);
        next.wait_for("task running", PATIENCE);
        let took = began.elapsed();
        assert!(took < SESSION / 2, "round {round}: {took:?} until a task runs again");
        next.kill();
    }
    // One that leaves in good order has nothing to be taken out.
    let mut last = Candlewick::start(folder.path(), &arguments);
    last.wait_for("task running", PATIENCE);
    assert!(last.terminate(PATIENCE).success());
    let mut after = Candlewick::start(folder.path(), &arguments);
    after.wait_for("task running", PATIENCE);
    assert!(!after.log().contains("taken out"), "the last process had left: {}", after.log());
    after.kill();
}
