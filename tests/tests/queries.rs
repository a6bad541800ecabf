//! The shipped binary's stores over HTTP: what they answer is what the recording says; and of two instances on Apache Kafka
//! whichever is asked answers for both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use candlewick_tests::require;
use candlewick_tests::servers;
use candlewick_tests::shipped::{Candlewick, ExpectedCandle, Recording};
use serde_json::Value;

const START: i64 = 1_600_000_020_000;
const MINUTES: i64 = 20;
const TIMEOUT: Duration = Duration::from_secs(120);

/// A running binary that answers.
struct Instance {
    process: Candlewick,
    address: String,
}

impl Instance {
    fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let address = address.expect("a free port").to_string();
        let own = folder.join(name);
        std::fs::create_dir_all(&own).expect("a folder");
        let state = own.join("state");
        let state = state.to_str().expect("UTF-8");
        let mut all =
            vec!["run", "--pipeline", "candles", "--intervals", "1m", "--commit-interval-ms", "100"];
        all.extend(["--listen", &address, "--state-dir", state]);
        all.extend(arguments);
        let process = Candlewick::start(&own, &all);
        Self { process, address }
    }

    /// What is answered, once it is an answer: while tasks move there is none, and a sentence says so.
    fn json(&self, path: &str) -> Value {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            assert!(Instant::now() < deadline, "{path} is answered:\n{}", self.process.output());
            std::thread::sleep(Duration::from_millis(20));
            let Ok(response) = reqwest::blocking::get(format!("http://{}{path}", self.address)) else {
                continue;
            };
            let status = response.status();
            let body: Value = response.json().expect("JSON");
            match status.as_u16() {
                200 => return body,
                503 => assert!(body["error"].as_str().is_some_and(|said| said.ends_with('.')), "{body}"),
                other => panic!("{path}: {other} {body}"),
            }
        }
    }

    /// The candles that the store holds.
    fn candles(&self, query: &str) -> BTreeMap<(String, i64), ExpectedCandle> {
        let body = self.json(&format!("/stores/candles-1m?limit=1000{query}"));
        assert_eq!(body["next"], Value::Null);
        body["entries"].as_array().expect("entries").iter().map(candle).collect()
    }

    /// Waits until everything is read, and gives what is kept of it.
    fn wait_for(
        &self,
        expected: &BTreeMap<(String, i64), ExpectedCandle>,
    ) -> BTreeMap<(String, i64), ExpectedCandle> {
        let newest = newest(expected);
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let held = self.candles("");
            if newest.iter().all(|place| held.get(place) == expected.get(place)) {
                return held;
            }
            assert!(Instant::now() < deadline, "{held:?}\n{}", self.process.output());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn candle(entry: &Value) -> ((String, i64), ExpectedCandle) {
    let value = &entry["value"];
    let text = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name} in {entry}")).to_owned();
    let quote = &value["quote_volume"]["whole"];
    let candle = ExpectedCandle {
        open: text("open"),
        high: text("high"),
        low: text("low"),
        close: text("close"),
        volume: text("volume"),
        quote_volume: quote.as_str().expect("a quote volume").to_owned(),
        trades: value["trades"].as_u64().expect("trades"),
        taker_buy_volume: text("taker_buy_volume"),
    };
    let start = entry["window"]["start"].as_i64().expect("a start");
    assert_eq!(entry["window"]["end"], start + 60_000);
    ((entry["key"].as_str().expect("a symbol").to_owned(), start), candle)
}

/// The last candle of each symbol.
fn newest(candles: &BTreeMap<(String, i64), ExpectedCandle>) -> BTreeSet<(String, i64)> {
    let last: BTreeMap<&String, i64> = candles.keys().map(|(symbol, start)| (symbol, *start)).collect();
    last.into_iter().map(|(symbol, start)| (symbol.clone(), start)).collect()
}

#[test]
fn the_binary_shows_the_candles_that_it_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(21, START, MINUTES, 60);
    let replay = recording.write(folder.path());
    let instance = Instance::start(folder.path(), "alone", &["--replay", replay.to_str().expect("UTF-8")]);
    let expected = recording.candles(60_000);
    let held = instance.wait_for(&expected);
    for (place, candle) in &held {
        assert_eq!(Some(candle), expected.get(place), "{place:?}");
    }
    for (symbol, start) in newest(&expected) {
        let one = instance.json(&format!("/stores/candles-1m/{symbol}?at={start}"));
        assert_eq!(candle(&one).1, expected[&(symbol.clone(), start)]);
        let all = instance.json(&format!("/stores/candles-1m/{symbol}"));
        let starts: Vec<i64> =
            all["entries"].as_array().expect("entries").iter().map(|e| candle(e).0.1).collect();
        let kept: Vec<i64> = held.keys().filter(|(of, _)| *of == symbol).map(|(_, start)| *start).collect();
        assert_eq!(starts, kept);
        assert_eq!(instance.json(&format!("/stores/indicators/{symbol}"))["key"], symbol);
    }
    assert!(instance.process.terminate(TIMEOUT).success());
}

#[test]
fn on_kafka_whichever_of_two_instances_is_asked_answers_for_both() {
    let kafka = require!(servers::kafka());
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(22, START, MINUTES, 60);
    let replay = recording.write(folder.path());
    let prefix = format!("queries{}-", std::process::id());
    let (input, id) = (format!("{prefix}trades"), format!("{prefix}app"));
    let data = folder.path().join("data");
    let shared = [
        "--brokers",
        kafka.bootstrap(),
        "--input",
        &input,
        "--output-prefix",
        &prefix,
        "--application-id",
        &id,
        "--data-dir",
        data.to_str().expect("UTF-8"),
    ];
    let with = |own: &[&'static str]| -> Vec<String> {
        shared.iter().copied().chain(own.iter().copied()).map(str::to_owned).collect()
    };
    let mut first = with(&["--replay"]);
    first.push(replay.to_str().expect("UTF-8").to_owned());
    let second = with(&["--no-source"]);
    let start = |name: &str, arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Instance::start(folder.path(), name, &arguments)
    };
    let a = start("a", &first);
    let expected = recording.candles(60_000);
    let held = a.wait_for(&expected);
    let b = start("b", &second);
    let deadline = Instant::now() + TIMEOUT;
    let has_part = |one: &Instance| {
        let body = one.json("/stores/indicators?local=true");
        body["elsewhere"].as_object().is_some_and(|elsewhere| elsewhere.len() == 2)
    };
    while !(has_part(&a) && has_part(&b)) {
        assert!(Instant::now() < deadline, "they share:\n{}\n{}", a.process.output(), b.process.output());
        std::thread::sleep(Duration::from_millis(50));
    }
    for one in [&a, &b] {
        assert_eq!(one.candles(""), held, "both answer alike");
        for (symbol, start) in newest(&expected) {
            let found = one.json(&format!("/stores/candles-1m/{symbol}?at={start}"));
            assert_eq!(candle(&found).1, expected[&(symbol.clone(), start)]);
        }
    }
    for one in [a, b] {
        assert!(one.process.terminate(TIMEOUT).success());
    }
}
