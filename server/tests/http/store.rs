//! Reads of stores: values, ranges, pages of a range, and every way a read can be refused.

use candlewick::ApplicationState;
use candlewick_server::ReadError;
use serde_json::{Value, json};

use crate::application::{PlainApplication, STORE, Served};

#[test]
fn key_with_a_slash_is_read() {
    let body = Served::running().json("/stores/candles-1m/BTC-USD/3", 200);
    let expected = json!({ "store": STORE, "key": "BTC-USD/3", "value": { "close": 3 }, "position": {} });
    assert_eq!(body, expected);
}

#[test]
fn missing_key_is_not_found() {
    let body = Served::running().json("/stores/candles-1m/ETH-USD%2F3", 404);
    assert!(body["error"].as_str().unwrap().contains("ETH-USD/3"), "{body}");
}

#[test]
fn range_includes_both_ends() {
    let body = Served::running().json("/stores/candles-1m?from=BTC-USD/1&to=BTC-USD%2F3", 200);
    assert_eq!(keys(&body), ["BTC-USD/1", "BTC-USD/2", "BTC-USD/3"]);
    assert_eq!(body["next"], Value::Null);
}

#[test]
fn range_is_read_in_pages() {
    let served = Served::running();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let body = served.json(&format!("/stores/candles-1m?limit=2{after}"), 200);
        assert!(keys(&body).len() <= 2);
        seen.extend(keys(&body));
        match body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let all: Vec<String> =
        PlainApplication::new(ApplicationState::Running).store.unwrap().into_keys().collect();
    assert_eq!(seen, all);
}

#[test]
fn limit_out_of_bounds_is_refused() {
    let served = Served::running();
    for query in ["limit=0", "limit=1001", "limit=many", "limits=3", "after=x", "reverse=3"] {
        let body = served.json(&format!("/stores/candles-1m?{query}"), 400);
        assert!(body["error"].as_str().unwrap().ends_with('.'), "{body}");
    }
}

#[test]
fn refused_reads_say_why() {
    let unfit = ReadError::Unfit("Ask otherwise.".to_owned());
    for (error, code) in [
        (ReadError::Rebalancing, 503),
        (ReadError::Stale, 503),
        (ReadError::NotRunning, 503),
        (ReadError::NotReadable, 422),
        (ReadError::Moved { to: None }, 502),
        (unfit, 400),
    ] {
        let body = refused(&error, code, "");
        assert!(body.contains(&error.to_string()), "{body}");
    }
}

#[test]
fn a_key_that_is_elsewhere_is_a_redirect_for_those_who_ask_this_instance_alone() {
    let moved = ReadError::Moved { to: Some("other:8080".to_owned()) };
    let mut application = PlainApplication::new(ApplicationState::Running);
    application.store = Err(moved);
    let served = Served::start(application);
    let path = "/stores/candles-1m/k?local=true";
    let response = served.get(path);
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], format!("http://other:8080{path}"));
}

#[test]
fn an_owner_that_does_not_answer_is_named() {
    let moved = ReadError::Moved { to: Some("127.0.0.1:1".to_owned()) };
    let body = refused(&moved, 503, "");
    assert!(body.contains("127.0.0.1:1"), "{body}");
}

fn refused(error: &ReadError, code: u16, query: &str) -> String {
    let mut application = PlainApplication::new(ApplicationState::Running);
    application.store = Err(error.clone());
    let served = Served::start(application);
    let body = served.json(&format!("/stores/candles-1m/k{query}"), code);
    body["error"].as_str().unwrap().to_owned()
}

#[test]
fn unknown_store_is_not_found() {
    let body = Served::running().json("/stores/orders/k", 404);
    assert!(body["error"].as_str().unwrap().contains("orders"), "{body}");
}

fn keys(body: &Value) -> Vec<String> {
    body["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["key"].as_str().unwrap().to_owned())
        .collect()
}
