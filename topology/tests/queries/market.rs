//! A small application with a store of every kind, its input, and what follows from that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{EmbeddedLog, Log, NewTopic, OutgoingRecord, Producer, ProducerSettings};
use candlewick::{
    Consumed, Grouped, Headers, Joined, KafkaStreams, Keys, Materialized, Partition, Produced,
    RunningStreams, SessionWindows, StreamsBuilder, StreamsConfig, TimeWindows, Timestamp, Topology,
    partition_for_key,
};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
pub(crate) const PARTITIONS: i32 = 3;
pub(crate) const MINUTE: i64 = 60_000;
/// Silence that ends a session.
pub(crate) const GAP: i64 = 30_000;

/// Counts trades by symbol, by minute and by session; keeps prices with their versions, and the names of venues.
pub(crate) fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let venues = builder.global_table(
        "venues",
        Consumed::<String, Option<String>>::default(),
        Materialized::named("venues"),
    );
    let trades = builder.stream("trades", Consumed::<String, i64>::default());
    let grouped = trades.group_by_key(Grouped::default());
    grouped.clone().count(Materialized::named("counts"));
    let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    grouped
        .clone()
        .windowed_by(minutes)
        .count(Materialized::named("per-minute").retention(Duration::from_secs(3_600)));
    let gap = Duration::from_millis(GAP.unsigned_abs());
    let sessions = SessionWindows::of_inactivity_gap_and_grace(gap, Duration::from_secs(3_600));
    grouped.windowed_by(sessions).count(Materialized::named("sessions"));
    let day = Duration::from_secs(86_400);
    builder.table(
        "prices",
        Consumed::<String, Option<i64>>::default(),
        Materialized::named("prices").versioned(day),
    );
    trades
        .left_join_global(venues, |symbol, _| Some(symbol.clone()), |_, size, _| *size, Joined::default())
        .to("named", Produced::default());
    builder.build().expect("valid")
}

/// An embedded log with the application's topics.
pub(crate) struct Market {
    pub(crate) log: Arc<EmbeddedLog>,
    producer: Box<dyn Producer>,
    pub(crate) trades: Vec<(String, i64)>,
}

impl Market {
    pub(crate) fn new() -> Self {
        let log = EmbeddedLog::in_memory();
        let topic = |name: &str, partitions| NewTopic {
            name: name.into(),
            partitions,
            replication: 1,
            config: BTreeMap::default(),
        };
        let topics =
            [topic("trades", PARTITIONS), topic("prices", PARTITIONS), topic("venues", 2), topic("named", 1)];
        log.admin().expect("admin").create(&topics, TIMEOUT).expect("created");
        let producer = log.producer(&ProducerSettings::default()).expect("producer");
        Self { log, producer, trades: Vec::new() }
    }

    pub(crate) fn write(&mut self, topic: &str, key: &str, value: Option<&[u8]>, time: i64) {
        let count = if topic == "venues" { 2 } else { PARTITIONS };
        self.write_to(topic, partition_for_key(key.as_bytes(), count), key, value, time);
    }

    pub(crate) fn write_to(
        &mut self,
        topic: &str,
        partition: Partition,
        key: &str,
        value: Option<&[u8]>,
        time: i64,
    ) {
        let topic = self.producer.topic(topic).expect("topic");
        let key = Some(key.as_bytes());
        let (headers, timestamp) = (Headers::default(), Timestamp(time));
        let record = OutgoingRecord { topic, partition, key, value, headers: &headers, timestamp };
        self.producer.send(record).expect("sent");
        self.producer.flush(TIMEOUT).expect("flushed");
    }

    pub(crate) fn trade(&mut self, symbol: &str, time: i64) {
        self.write("trades", symbol, Some(&1i64.to_be_bytes()), time);
        self.trades.push((symbol.to_owned(), time));
    }

    /// Three hours' worth of trades in forty symbols, in the order of time.
    pub(crate) fn trade_all_morning(&mut self) {
        for n in 0..1_500i64 {
            // Bursts and pauses, so that there are sessions of several lengths.
            let time = n * 2_000 + if n % 50 > 30 { 40_000 } else { 0 } + n / 50 * 60_000;
            self.trade(&format!("S{:02}", n * n % 40), time);
        }
        self.trades.sort_by_key(|(_, time)| *time);
    }

    pub(crate) fn start(&self, config: StreamsConfig) -> RunningStreams {
        let log = Arc::clone(&self.log) as Arc<dyn Log>;
        KafkaStreams::new(topology(), config, log).start().expect("started")
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        self.trades.iter().for_each(|(symbol, _)| *counts.entry(symbol.clone()).or_default() += 1);
        counts
    }
}

pub(crate) fn config(name: &str) -> StreamsConfig {
    StreamsConfig {
        threads: 2,
        commit_interval_ms: Some(50),
        poll_ms: 10,
        session_timeout_ms: 2_000,
        ..StreamsConfig::new(name)
    }
}

/// Waits until the counts of all trades are committed.
pub(crate) fn wait_for_all(market: &Market, running: &RunningStreams) {
    let counts = running.handle().store::<candlewick::KeyValueStore<String, i64>>("counts").expect("a store");
    let expected: i64 = market.counts().values().sum();
    wait_until("all trades are counted", || {
        let page = counts.range(Keys::all());
        page.is_ok_and(|page| page.rows.iter().map(|(_, count)| count.value).sum::<i64>() == expected)
    });
}

pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
