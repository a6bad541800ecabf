//! An application with every kind of store, on an embedded log, and what its stores must hold, computed from its input.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, UNIX_EPOCH};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{
    ApplicationState, Consumed, Grouped, Headers, Json, KafkaStreams, Materialized, Nullable, RunningStreams,
    SessionWindows, StreamsBuilder, StreamsConfig, StringSerde, TimeWindows, Timestamp, Topology,
    partition_for_key,
};
use candlewick_server::{
    Access, Application, Feed, MetricsHandle, StatusServer, StreamsApplication, install_recorder,
};
use candlewick_sql::{SqlOptions, SqlServer};
use serde::{Deserialize, Serialize};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const MINUTE: i64 = 60_000;
const HALF_A_DAY: i64 = 43_200_000;
pub(crate) const SYMBOLS: i64 = 30;
pub(crate) const TRADES: i64 = 1_500;

/// When the trades begin: the last half day but one. Windows that are much older than their retention are not restored.
pub(crate) fn start() -> i64 {
    static START: OnceLock<i64> = OnceLock::new();
    *START.get_or_init(|| {
        let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        (now / HALF_A_DAY - 1) * HALF_A_DAY
    })
}

/// A moment as `psql` shows it.
pub(crate) fn shown(millis: i64) -> String {
    let (days, seconds) = (millis / (2 * HALF_A_DAY), millis / 1_000 % 86_400);
    let rest = match millis % 1_000 {
        0 => String::new(),
        rest => format!(".{rest:03}").trim_end_matches('0').to_owned(),
    };
    let (mut year, mut day) = (1970, days);
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while day >= 365 + i64::from(is_leap(year)) {
        day -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}{rest}+00", day + 1)
}

/// The same as clients of other kinds write it.
pub(crate) fn iso(millis: i64) -> String {
    shown(millis).replace(' ', "T").replace("+00", "Z")
}

/// What the store `Quotes` keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quote {
    /// An exact number, as text.
    pub(crate) bid: String,
    pub(crate) size: i64,
    pub(crate) venue: Option<Venue>,
    #[serde(rename = "isOpen")]
    pub(crate) is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Venue {
    pub(crate) name: String,
    pub(crate) fee: f64,
}

impl Quote {
    pub(crate) fn of(n: i64) -> Self {
        let venue = (n % 3 != 0).then(|| Venue { name: format!("V{n}"), fee: n as f64 / 8.0 });
        Self { bid: format!("{n}.{:06}", n * 7), size: n * 100, venue, is_open: n % 2 == 0 }
    }

    /// The form of its rows.
    fn sample() -> Self {
        let venue = Some(Venue { name: String::new(), fee: 0.5 });
        Self { bid: "0.000000".to_owned(), size: 0, venue, is_open: false }
    }
}

/// Counts trades by symbol, minute and session; keeps prices with their versions, quotes, and the names of venues.
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
    for (topic, store) in [("quotes", "Quotes"), ("raw-quotes", "raw-quotes")] {
        let consumed = Consumed::<String, Option<Quote>>::with(StringSerde, Nullable(Json));
        let kept = Materialized::<String, Quote>::with(store, StringSerde, Json);
        builder.table(topic, consumed, kept);
    }
    builder.build().unwrap()
}

pub(crate) struct Market {
    log: Arc<EmbeddedLog>,
    pub(crate) trades: Vec<(String, i64)>,
}

/// One instance of the application.
pub(crate) struct Instance {
    pub(crate) running: RunningStreams,
    server: Option<StatusServer>,
    sql: Option<SqlServer>,
    pub(crate) address: SocketAddr,
}

impl Market {
    /// A log with some hours of trades.
    pub(crate) fn new() -> Self {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str| NewTopic {
            name: name.into(),
            partitions: PARTITIONS,
            replication: 1,
            config: BTreeMap::default(),
        };
        let topics = ["trades", "prices", "venues", "quotes", "raw-quotes"].map(topic);
        log.admin().unwrap().create(&topics, TIMEOUT).unwrap();
        let trade = |n: i64| (format!("S{:02}", n * n % SYMBOLS), start() + n * 7_000);
        let market = Self { log, trades: (0..TRADES).map(trade).collect() };
        let trades =
            market.trades.iter().map(|(symbol, time)| (symbol.as_str(), Some("1".to_owned()), *time));
        market.write("trades", trades);
        let versions = market.versions();
        market.write(
            "prices",
            versions.iter().map(|(key, value, time)| (*key, value.map(str::to_owned), *time)),
        );
        let venues = [("XNAS", "Nasdaq"), ("XETR", "Xetra")];
        market.write("venues", venues.into_iter().map(|(key, name)| (key, Some(name.to_owned()), start())));
        for topic in ["quotes", "raw-quotes"] {
            let quotes = market.quotes();
            let quote = |quote: &Quote| serde_json::to_string(quote).unwrap();
            market
                .write(topic, quotes.iter().map(|(key, value)| (key.as_str(), Some(quote(value)), start())));
        }
        market
    }

    /// Prices with the time each of them came; none is a deletion.
    pub(crate) fn versions(&self) -> [(&'static str, Option<&'static str>, i64); 4] {
        let at = |seconds: i64| start() + seconds * 1_000;
        [
            ("S01", Some("10"), at(1)),
            ("S01", None, at(5)),
            ("S01", Some("30"), at(9)),
            ("S02", Some("7"), at(2)),
        ]
    }

    pub(crate) fn quotes(&self) -> Vec<(String, Quote)> {
        (0..20).map(|n| (format!("Q{n:02}"), Quote::of(n))).collect()
    }

    fn write<'a>(&self, topic: &str, records: impl Iterator<Item = (&'a str, Option<String>, i64)>) {
        let mut producer = self.log.producer(&ProducerSettings::default()).unwrap();
        let topic = producer.topic(topic).unwrap();
        for (key, value, time) in records {
            let record = OutgoingRecord {
                topic,
                partition: partition_for_key(key.as_bytes(), PARTITIONS),
                key: Some(key.as_bytes()),
                value: value.as_deref().map(str::as_bytes),
                headers: &Headers::default(),
                timestamp: Timestamp(time),
            };
            producer.send(record).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
    }

    /// Starts an instance that answers SQL.
    pub(crate) fn start(&self, options: SqlOptions) -> Instance {
        // A port of its own, known before the instance says where it answers.
        let endpoint = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = StreamsConfig {
            commit_interval_ms: Some(50),
            poll_ms: 10,
            session_timeout_ms: 2_000,
            endpoint: Some(endpoint.to_string()),
            ..StreamsConfig::new("market")
        };
        let running =
            KafkaStreams::new(topology(), config, Arc::clone(&self.log) as Arc<dyn Log>).start().unwrap();
        let application = StreamsApplication::new(running.handle())
            .show_like("Quotes", &String::new(), &Quote::sample())
            .and_then(|application| application.show::<String, Quote>("raw-quotes"))
            .unwrap();
        let application: Arc<dyn Application> = Arc::new(application);
        let server = StatusServer::start(
            endpoint,
            &Access::default(),
            Arc::clone(&application),
            Arc::new(Feed::default()),
            recorder(),
        );
        let sql = SqlServer::start("127.0.0.1:0".parse().unwrap(), application, options).unwrap();
        let address = sql.local_addr();
        Instance { running, server: Some(server.unwrap()), sql: Some(sql), address }
    }

    /// The number of trades by symbol.
    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        self.trades.iter().for_each(|(symbol, _)| *counts.entry(symbol.clone()).or_default() += 1);
        counts
    }

    /// The number of trades by symbol and minute.
    pub(crate) fn per_minute(&self) -> BTreeMap<(String, i64), i64> {
        let mut counts = BTreeMap::new();
        for (symbol, time) in &self.trades {
            *counts.entry((symbol.clone(), time - time % MINUTE)).or_default() += 1;
        }
        counts
    }
}

/// Metrics are collected once in a process.
fn recorder() -> MetricsHandle {
    static RECORDER: OnceLock<MetricsHandle> = OnceLock::new();
    RECORDER.get_or_init(|| install_recorder().unwrap()).clone()
}

impl Instance {
    pub(crate) fn tasks(&self) -> usize {
        self.running.handle().status().tasks.len()
    }

    pub(crate) fn runs(&self) -> bool {
        self.running.state() == ApplicationState::Running
    }

    /// No longer answers other instances.
    pub(crate) fn silence(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    pub(crate) fn stop(mut self) {
        if let Some(sql) = self.sql.take() {
            sql.stop();
        }
        self.silence();
        self.running.stop(TIMEOUT).unwrap();
    }
}

pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
