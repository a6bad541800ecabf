//! The servers of the harness start, answer and end.

use candlewick_tests::{require, servers};

#[test]
fn kafka_starts_and_comes_back_on_its_port_after_a_kill() {
    let kafka = require!(servers::Kafka::start_new());
    let first = kafka.pid();
    kafka.kill();
    assert_eq!(kafka.pid(), None);
    assert!(std::net::TcpStream::connect(kafka.bootstrap()).is_err());
    kafka.restart();
    assert!(kafka.pid().is_some() && kafka.pid() != first);
    std::net::TcpStream::connect(kafka.bootstrap()).expect("it listens again");
}

#[test]
fn the_shared_kafka_is_one() {
    let kafka = require!(servers::kafka());
    assert_eq!(kafka.pid(), require!(servers::kafka()).pid());
}

#[test]
fn the_registry_answers_over_the_confluent_api() {
    let registry = require!(servers::registry());
    let subjects = reqwest::blocking::get(format!("{}/subjects", registry.url())).expect("it answers");
    assert_eq!(subjects.text().expect("it sends text"), "[]");
}

#[test]
fn elasticsearch_says_its_version() {
    let node = require!(servers::elasticsearch());
    let root = reqwest::blocking::get(node.url()).expect("it answers").text().expect("it sends text");
    assert!(root.contains("\"8.19.21\""), "{root}");
}

#[test]
fn prometheus_takes_the_given_configuration() {
    let prometheus = require!(servers::prometheus("global: {scrape_interval: 7s}\n"));
    let config =
        reqwest::blocking::get(format!("{}/api/v1/status/config", prometheus.url())).expect("it answers");
    assert!(config.text().expect("it sends text").contains("scrape_interval: 7s"));
}
