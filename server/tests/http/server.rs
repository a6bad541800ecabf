//! Starting and stopping.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::ApplicationState;
use candlewick_server::{Access, DEFAULT_ADDRESS, Feed, ServerError, StatusServer};

use crate::application::{PlainApplication, Served, recorder};

#[test]
fn default_address_is_seen_by_this_machine_alone() {
    assert!(DEFAULT_ADDRESS.ip().is_loopback());
}

#[test]
fn taken_port_is_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let application = Arc::new(PlainApplication::new(ApplicationState::Running));
    let error =
        StatusServer::start(address, &Access::default(), application, Arc::new(Feed::default()), recorder())
            .unwrap_err();
    assert!(matches!(error, ServerError::AddressInUse { .. }));
    let sentence = error.to_string();
    assert!(
        sentence.contains(&address.to_string()) && sentence.contains("listen on another port"),
        "{sentence}"
    );
}

#[test]
fn foreign_address_is_one_sentence() {
    let application = Arc::new(PlainApplication::new(ApplicationState::Running));
    // 203.0.113.0/24 is set aside for documentation: no machine has it.
    let address = ([203, 0, 113, 1], 8080).into();
    let error = StatusServer::start(
        address,
        &Access::default().with_token("hush"),
        application,
        Arc::new(Feed::default()),
        recorder(),
    )
    .unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");
}

#[test]
fn stop_lets_followers_go_and_frees_the_port() {
    let served = Served::running();
    let address = served.server.local_addr();
    let follower = served.get("/feed");
    let started = Instant::now();
    served.server.stop();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "a follower held the server for {:?}",
        started.elapsed()
    );
    assert!(follower.text().unwrap().contains("event: hello"));
    assert!(TcpStream::connect(address).is_err());
}
