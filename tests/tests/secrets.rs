//! Passwords and keys reach the servers they are for by variables, and are seen nowhere else.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use candlewick_tests::servers;
use candlewick_tests::shipped::{Candlewick, binary};

const PATIENCE: Duration = Duration::from_secs(90);
const PASSWORD: &str = "never-seen-5f1c";

/// A server that takes down the `Authorization` of each request and is never content.
fn listener() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let mut authorization = String::new();
            for line in lines.by_ref().take_while(|line| !line.is_empty()) {
                if let Some(value) = line.to_lowercase().strip_prefix("authorization:") {
                    // The scheme has no case, and the rest has.
                    line[line.len() - value.len()..].trim().clone_into(&mut authorization);
                }
            }
            // The test may have ended.
            let _ = sender.send(authorization);
            let _ = (&stream)
                .write_all(b"HTTP/1.1 503 Not now\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (url, seen)
}

/// What a server of this flag is sent, with these variables.
fn authorization(flag: &str, variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, seen) = listener();
    let mut command = Command::new(binary());
    command.args(["run", "--no-server", flag, &url]).envs(variables.iter().copied());
    let process = Candlewick::start_command(folder.path(), &mut command);
    let seen = seen.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it asks:\n{}", process.output()));
    assert!(!process.output().contains(PASSWORD), "{}", process.output());
    seen
}

#[test]
fn elasticsearch_is_logged_in_to_by_user_and_password_or_by_key() {
    let user = [("CANDLEWICK_ELASTICSEARCH_USER", "writer"), ("CANDLEWICK_ELASTICSEARCH_PASSWORD", PASSWORD)];
    // `printf 'writer:never-seen-5f1c' | base64`
    assert_eq!(authorization("--elasticsearch", &user), "Basic d3JpdGVyOm5ldmVyLXNlZW4tNWYxYw==");
    let key = [("CANDLEWICK_ELASTICSEARCH_API_KEY", PASSWORD)];
    assert_eq!(authorization("--elasticsearch", &key), format!("ApiKey {PASSWORD}"));
    assert_eq!(authorization("--elasticsearch", &[]), "");
}

#[test]
fn the_registry_is_logged_in_to_by_user_and_password() {
    let user = [("CANDLEWICK_REGISTRY_USER", "writer"), ("CANDLEWICK_REGISTRY_PASSWORD", PASSWORD)];
    assert_eq!(authorization("--registry", &user), "Basic d3JpdGVyOm5ldmVyLXNlZW4tNWYxYw==");
}

#[test]
fn properties_of_librdkafka_come_by_variables() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("127.0.0.1:{}", servers::free_port());
    let refused = |name: &str, value: &str| {
        let mut command = Command::new(binary());
        command.args(["run", "--no-server", "--brokers", &address]).env(name, value);
        Candlewick::start_command(folder.path(), &mut command).fails_with(1, PATIENCE)
    };
    // What nobody may set shows best that it has arrived.
    let said = refused("CANDLEWICK_KAFKA_PROPERTY_CONSUMER_GROUP_ID", PASSWORD);
    assert!(said.contains("consumer.group.id") && !said.contains(PASSWORD), "{said}");
}

#[test]
fn a_user_without_a_password_is_asked_for_one() {
    let mut command = Command::new(binary());
    command.args(["run", "--elasticsearch", "http://127.0.0.1:1", "--elasticsearch-user", "writer"]);
    let output = command.env_remove("CANDLEWICK_ELASTICSEARCH_PASSWORD").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--elasticsearch-password"), "{said}");
}

#[test]
fn an_address_that_other_machines_reach_is_refused_without_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(binary());
    command.args(["run", "--in-memory", "--listen", "0.0.0.0:0"]);
    let said = Candlewick::start_command(folder.path(), &mut command).fails_with(2, PATIENCE);
    assert!(said.contains("0.0.0.0:0") && said.contains("CANDLEWICK_TOKEN"), "{said}");
}

#[test]
fn the_token_opens_the_status_server_and_is_seen_on_no_page_and_in_no_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = servers::free_port();
    let mut command = Command::new(binary());
    command.args(["run", "--pipeline", "candles", "--in-memory", "--listen", &format!("0.0.0.0:{port}")]);
    command.env("CANDLEWICK_TOKEN", PASSWORD).env("RUST_LOG", "debug");
    let process = Candlewick::start_command(folder.path(), &mut command);
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let begin = std::time::Instant::now();
    let get = |path: &str, token: Option<&str>| loop {
        let request = client.get(format!("http://127.0.0.1:{port}{path}"));
        match token.map_or(request.try_clone(), |token| request.try_clone().map(|it| it.bearer_auth(token))) {
            Some(request) => match request.send() {
                Ok(answer) => return (answer.status().as_u16(), answer.text().unwrap_or_default()),
                Err(_) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => panic!("{error}:\n{}", process.output()),
            },
            None => unreachable!("a request without a body can be sent again"),
        }
    };
    assert_eq!(get("/health/live", None).0, 200);
    for path in ["/", "/status", "/tasks", "/metrics", "/topology.txt", "/stores", "/feed/snapshot"] {
        assert_eq!(get(path, None).0, 401, "{path}");
        let (status, text) = get(path, Some(PASSWORD));
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains(PASSWORD), "{path} shows the token");
    }
    assert!(!process.output().contains(PASSWORD), "{}", process.output());
}
