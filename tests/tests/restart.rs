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

/// The tasks that run in an instance, once it runs.
fn running_tasks(port: u16) -> Option<Vec<String>> {
    let answer = reqwest::blocking::get(format!("http://127.0.0.1:{port}/tasks")).ok()?;
    let body: serde_json::Value = answer.json().ok()?;
    if body["state"] != "RUNNING" {
        return None;
    }
    let ids = body["tasks"].as_array()?.iter().filter_map(|task| task["id"].as_str());
    Some(ids.map(str::to_owned).collect())
}

fn wait_for_tasks(port: u16, patience: Duration, is_it: impl Fn(&[String]) -> bool) -> Vec<String> {
    let until = Instant::now() + patience;
    loop {
        match running_tasks(port) {
            Some(tasks) if is_it(&tasks) => return tasks,
            other => assert!(Instant::now() < until, "not in {patience:?}: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The state folder is the instance's lasting name, as `group.instance.id` is in Kafka: within the session nobody else gets
/// what it had.
#[test]
fn one_of_two_that_is_killed_and_comes_back_keeps_its_tasks() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("candlewick.toml");
    std::fs::write(&config, format!("session-timeout-ms = {}\n", SESSION.as_millis())).expect("written");
    let prefix = format!("static{}-", std::process::id());
    let (input, application) = (format!("{prefix}trades"), format!("{prefix}app"));
    let config = config.to_str().expect("UTF-8");
    let ports = [servers::free_port(), servers::free_port()];
    let start = |place: usize| {
        let own = folder.path().join(place.to_string());
        std::fs::create_dir_all(&own).expect("a folder");
        let listen = format!("127.0.0.1:{}", ports[place]);
        let mut arguments = vec!["run", "--pipeline", "candles", "--intervals", "1s", "--listen", &listen];
        arguments.extend(["--data-dir", "data", "--config", config, "--guarantee", "exactly-once"]);
        arguments.extend(["--brokers", kafka.bootstrap(), "--registry", registry.url(), "--partitions", "4"]);
        arguments.extend(["--input", &input, "--output-prefix", &prefix, "--application-id", &application]);
        if place > 0 {
            arguments.push("--no-source");
        }
        Candlewick::start(&own, &arguments)
    };
    let first = start(0);
    wait_for_tasks(ports[0], PATIENCE, |tasks| tasks.len() == 4);
    let mut second = start(1);
    let of_second = wait_for_tasks(ports[1], PATIENCE, |tasks| tasks.len() == 2);
    let of_first = wait_for_tasks(ports[0], PATIENCE, |tasks| tasks.len() == 2);
    for round in 0..2 {
        second.kill();
        let began = Instant::now();
        second = start(1);
        let again = wait_for_tasks(ports[1], PATIENCE, |tasks| tasks.len() == 2);
        let took = began.elapsed();
        assert_eq!(again, of_second, "round {round}");
        assert!(took < SESSION / 2, "round {round}: {took:?}");
        assert_eq!(
            running_tasks(ports[0]),
            Some(of_first.clone()),
            "the other has nothing more and nothing less"
        );
    }
    second.kill();
    first.kill();
}
