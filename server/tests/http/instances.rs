//! Real applications behind the server: every kind of store as JSON, and two instances on one embedded log that answer for
//! each other. Expectations are computed from the input.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    ApplicationState, Consumed, Grouped, Headers, KafkaStreams, Materialized, RunningStreams, SessionWindows,
    StreamsBuilder, StreamsConfig, StringSerde, TimeWindows, Timestamp, Topology, partition_for_key,
};
use candlewick_server::{Access, Feed, StatusServer, StreamsApplication};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use crate::application::recorder;

const TIMEOUT: Duration = Duration::from_secs(30);
const PARTITIONS: i32 = 4;
const MINUTE: i64 = 60_000;
const SYMBOLS: i64 = 30;

/// Counts trades by symbol, minute and session; keeps prices with their versions, and the names of venues.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let names = || Consumed::<String, Option<String>>::default();
    builder.global_table("venues", names(), Materialized::<String, String>::named("venues"));
    let grouped =
        builder.stream("trades", Consumed::<String, String>::default()).group_by_key(Grouped::default());
    grouped.clone().count(Materialized::named("counts"));
    let hours = Duration::from_secs(36_000);
    let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), hours);
    grouped.clone().windowed_by(minutes).count(Materialized::named("per-minute"));
    let sessions = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(45), hours);
    grouped.windowed_by(sessions).count(Materialized::named("sessions"));
    let prices = Materialized::with("prices", StringSerde, StringSerde).versioned(hours);
    builder.table("prices", names(), prices);
    builder.build().unwrap()
}

struct Market {
    log: Arc<EmbeddedLog>,
    trades: Vec<(String, i64)>,
}

impl Market {
    /// A log with two hours of trades.
    fn new() -> Self {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str| NewTopic {
            name: name.into(),
            partitions: PARTITIONS,
            replication: 1,
            config: BTreeMap::default(),
        };
        log.admin().unwrap().create(&["trades", "prices", "venues"].map(topic), TIMEOUT).unwrap();
        let trade = |n: i64| (format!("S{:02}", n * n % SYMBOLS), n * 7_000);
        let market = Self { log, trades: (0..1_000).map(trade).collect() };
        let trades = market.trades.iter().map(|(symbol, time)| (symbol.as_str(), Some("1"), *time));
        market.write("trades", trades);
        let versions = [("S01", Some("10"), 1_000), ("S01", None, 5_000), ("S01", Some("30"), 9_000)];
        market.write("prices", versions.into_iter());
        market.write("venues", [("XNAS", Some("Nasdaq"), 1), ("XETR", Some("Xetra"), 2)].into_iter());
        market
    }

    fn write<'a>(&self, topic: &str, records: impl Iterator<Item = (&'a str, Option<&'a str>, i64)>) {
        let mut producer = self.log.producer(&ProducerSettings::default()).unwrap();
        let topic = producer.topic(topic).unwrap();
        for (key, value, time) in records {
            let record = OutgoingRecord {
                topic,
                partition: partition_for_key(key.as_bytes(), PARTITIONS),
                key: Some(key.as_bytes()),
                value: value.map(str::as_bytes),
                headers: &Headers::default(),
                timestamp: Timestamp(time),
            };
            producer.send(record).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
    }

    fn start(&self) -> Instance {
        // A port of its own, known before the instance says where it answers.
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = StreamsConfig {
            commit_interval_ms: Some(50),
            poll_ms: 10,
            session_timeout_ms: 2_000,
            endpoint: Some(address.to_string()),
            ..StreamsConfig::new("market")
        };
        let running =
            KafkaStreams::new(topology(), config, Arc::clone(&self.log) as Arc<dyn Log>).start().unwrap();
        let application = Arc::new(StreamsApplication::new(running.handle()));
        let server = StatusServer::start(
            address,
            &Access::default(),
            application,
            Arc::new(Feed::default()),
            recorder(),
        )
        .unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Instance { running, server, client }
    }

    fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        self.trades.iter().for_each(|(symbol, _)| *counts.entry(symbol.clone()).or_default() += 1);
        counts
    }
}

struct Instance {
    running: RunningStreams,
    server: StatusServer,
    client: Client,
}

impl Instance {
    fn get(&self, path: &str) -> Response {
        self.client.get(format!("http://{}{path}", self.server.local_addr())).send().unwrap()
    }

    fn json(&self, path: &str) -> Value {
        let response = self.get(path);
        let (status, body) = (response.status(), response.json::<Value>().unwrap());
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// All entries, page by page.
    fn all(&self, path: &str) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let body = self.json(&format!("{path}{after}"));
            all.extend(body["entries"].as_array().unwrap().iter().cloned());
            match body["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// Waits until all trades are counted, whoever counts them.
    fn wait_for(&self, market: &Market) {
        let expected = i64::try_from(market.trades.len()).unwrap();
        wait_until("all is counted", || {
            let response = self.get("/stores/counts?limit=1000");
            // Tasks may be moving.
            assert!(
                response.status().is_success() || response.status() == 503,
                "{}",
                response.text().unwrap()
            );
            let body: Value = response.json().unwrap();
            let counts = body["entries"].as_array().into_iter().flatten();
            counts.map(|entry| entry["value"].as_i64().unwrap()).sum::<i64>() == expected
        });
    }

    fn stop(self) {
        self.server.stop();
        self.running.stop(TIMEOUT).unwrap();
    }
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn keys_and_values(entries: &[Value]) -> Vec<(String, i64)> {
    let entry = |entry: &Value| (entry["key"].as_str().unwrap().to_owned(), entry["value"].as_i64().unwrap());
    entries.iter().map(entry).collect()
}

#[test]
fn every_kind_of_store_is_told_in_json() {
    let market = Market::new();
    let instance = market.start();
    instance.wait_for(&market);
    wait_until("the prices are there", || instance.all("/stores/prices?").len() == 3);

    let last = market.trades.iter().rfind(|(symbol, _)| symbol == "S01").unwrap().1;
    let body = instance.json("/stores/counts/S01");
    assert_eq!(
        (&body["key"], &body["value"], &body["timestamp"]),
        (&json!("S01"), &json!(market.counts()["S01"]), &json!(last))
    );
    assert_eq!(body["position"].as_object().unwrap().len(), 1, "{body}");

    let minute = 10 * MINUTE;
    let count = market
        .trades
        .iter()
        .filter(|(symbol, time)| symbol == "S01" && time - time % MINUTE == minute)
        .count();
    assert!(count > 0);
    let window = instance.json(&format!("/stores/per-minute/S01?at={minute}"));
    assert_eq!(
        (&window["value"], &window["window"]),
        (&json!(count), &json!({"start": minute, "end": minute + MINUTE}))
    );
    let windows = instance.all(&format!("/stores/per-minute/S01?from_time={minute}&to_time={}", 3 * minute));
    let mut expected: Vec<i64> = market
        .trades
        .iter()
        .filter(|(symbol, _)| symbol == "S01")
        .map(|(_, time)| time - time % MINUTE)
        .collect();
    expected.dedup();
    expected.retain(|start| (minute..=3 * minute).contains(start));
    let starts: Vec<i64> = windows.iter().map(|window| window["window"]["start"].as_i64().unwrap()).collect();
    assert_eq!(starts, expected);

    let sessions = instance.all("/stores/sessions/S01?limit=3");
    let total: i64 = sessions.iter().map(|session| session["value"].as_i64().unwrap()).sum();
    assert_eq!(total, market.counts()["S01"]);
    let first = &sessions[0];
    let (start, end) = (&first["session"]["start"], &first["session"]["end"]);
    assert_eq!(instance.json(&format!("/stores/sessions/S01?at={start}&end={end}"))["value"], first["value"]);

    assert_eq!(instance.json("/stores/prices/S01")["value"], "30");
    assert_eq!(instance.json("/stores/prices/S01?at=4999")["value"], "10");
    assert_eq!(instance.get("/stores/prices/S01?at=5000").status(), 404, "deleted then");
    let versions = instance.all("/stores/prices/S01?versions=true");
    let versions: Vec<(&Value, &Value)> =
        versions.iter().map(|entry| (&entry["timestamp"], &entry["value"])).collect();
    assert_eq!(
        versions,
        [(&json!(1_000), &json!("10")), (&json!(5_000), &Value::Null), (&json!(9_000), &json!("30"))]
    );

    assert_eq!(instance.json("/stores/venues/XETR")["value"], "Xetra");
    assert_eq!(instance.all("/stores/venues?prefix=XN").len(), 1);

    instance.stop();
}

#[test]
fn stores_are_listed_and_questions_that_do_not_fit_them_are_refused() {
    let market = Market::new();
    let instance = market.start();
    instance.wait_for(&market);
    let stores = instance.json("/stores");
    let kinds: BTreeMap<&str, &str> = stores["stores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|store| (store["name"].as_str().unwrap(), store["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        ("counts", "key-value"),
        ("per-minute", "window"),
        ("prices", "versioned"),
        ("sessions", "session"),
        ("venues", "global"),
    ];
    assert_eq!(kinds, BTreeMap::from(expected));

    for (path, status) in [
        ("/stores/counts/S01?at=3", 400),
        ("/stores/counts?from_time=3", 400),
        ("/stores/sessions/S01?at=3", 400),
        ("/stores/counts?from=a&prefix=b", 400),
        ("/stores/orders", 404),
        ("/stores/counts/S99", 404),
    ] {
        let response = instance.get(path);
        assert_eq!(response.status(), status, "{path}");
        let body: Value = response.json().unwrap();
        assert!(body["error"].as_str().unwrap().ends_with('.'), "{body}");
    }
    instance.stop();
}

#[test]
fn whichever_of_two_instances_is_asked_answers_for_both() {
    let market = Market::new();
    let (a, b) = (market.start(), market.start());
    let tasks = |instance: &Instance| instance.running.handle().status().tasks.len();
    let all = usize::try_from(PARTITIONS).unwrap() * 2;
    wait_until("they share", || {
        [&a, &b].iter().all(|one| one.running.state() == ApplicationState::Running && tasks(one) == all / 2)
    });
    a.wait_for(&market);
    b.wait_for(&market);
    let expected: Vec<(String, i64)> = market.counts().into_iter().collect();
    let mut backwards = expected.clone();
    backwards.reverse();
    let (mut redirected, mut own) = (0, 0);
    for one in [&a, &b] {
        for (symbol, count) in &expected {
            let path = format!("/stores/counts/{symbol}");
            assert_eq!(one.json(&path)["value"], *count, "{symbol}");
            match one.get(&format!("{path}?local=true")) {
                response if response.status() == 307 => {
                    redirected += 1;
                    let to = response.headers()["location"].to_str().unwrap().to_owned();
                    let body: Value = one.client.get(to).send().unwrap().json().unwrap();
                    assert_eq!(body["value"], *count, "{symbol}");
                }
                response => assert_eq!(response.status(), 200),
            }
        }
        for limit in [1, 4, 1_000] {
            assert_eq!(keys_and_values(&one.all(&format!("/stores/counts?limit={limit}"))), expected);
            let reversed = one.all(&format!("/stores/counts?limit={limit}&reverse=true"));
            assert_eq!(keys_and_values(&reversed), backwards);
        }
        let local = one.json("/stores/counts?local=true&limit=1000");
        own += local["entries"].as_array().unwrap().len();
        assert!(!local["elsewhere"].as_object().unwrap().is_empty(), "{local}");
        let windows: i64 =
            one.all("/stores/per-minute?limit=50").iter().map(|row| row["value"].as_i64().unwrap()).sum();
        assert_eq!(windows, i64::try_from(market.trades.len()).unwrap());
        let sessions = one.all("/stores/sessions/S04?limit=2");
        let counted: i64 = sessions.iter().map(|row| row["value"].as_i64().unwrap()).sum();
        assert_eq!(counted, market.counts()["S04"]);
    }
    assert_eq!((redirected, own), (expected.len(), expected.len()), "each key is on one of them");
    // The one that stays answers for all again; until it can, it says so, and never leaves anything out.
    let (gone, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            while !gone.load(Ordering::Relaxed) {
                let response = a.get("/stores/counts?limit=1000");
                match response.status().as_u16() {
                    200 => {
                        let body: Value = response.json().unwrap();
                        assert_eq!(keys_and_values(body["entries"].as_array().unwrap()), expected);
                    }
                    503 => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    other => panic!("{other}: {}", response.text().unwrap()),
                }
            }
        });
        b.stop();
        a.wait_for(&market);
        gone.store(true, Ordering::Relaxed);
        asker.join().unwrap();
    });
    println!("{} questions were refused while tasks moved", refused.load(Ordering::Relaxed));
    a.stop();
}
