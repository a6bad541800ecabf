//! One run of the binary over a recording of its own: its arguments, its log, and the judgement of what came out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{EmbeddedLog, EmbeddedSettings, Log, NewTopic, OutgoingRecord, ProducerSettings};
use candlewick::{Headers, Partition, Timestamp};
use candlewick_connectors::avro::{ConfluentRegistry, MemoryRegistry, RegistrySettings, SchemaRegistry};
use candlewick_tests::shipped::{Candlewick, ExpectedCandle, Found, Recording, candles, read};
use tempfile::TempDir;

/// The first minute of every recording.
pub(crate) const START: i64 = 1_600_000_020_000;
/// For whatever a loaded machine may take long for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The binary in a folder of its own, over a recording of its own.
pub(crate) struct Run {
    pub(crate) folder: TempDir,
    pub(crate) recording: Recording,
    /// Put before the names of all its topics.
    pub(crate) prefix: String,
    arguments: Vec<String>,
    /// Kafka's address, or the embedded log.
    bootstrap: Option<String>,
}

impl Run {
    fn new(seed: u64, minutes: i64, prefix: String, bootstrap: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let recording = Recording::new(seed, START, minutes, 120);
        let replay = recording.write(folder.path());
        let run = Self {
            folder,
            recording,
            prefix,
            arguments: Vec::new(),
            bootstrap: bootstrap.map(str::to_owned),
        };
        let replay = replay.to_str().expect("UTF-8").to_owned();
        run.with(&["run", "--pipeline", "candles", "--intervals", "1m", "--no-server", "--data-dir", "data"])
            .with(&["--replay", &replay, "--exit-when-done", "--guarantee", "exactly-once"])
    }

    /// On the embedded log in its own folder.
    pub(crate) fn embedded(seed: u64, minutes: i64) -> Self {
        Self::new(seed, minutes, String::new(), None).with(&["--application-id", "app"])
    }

    /// On Kafka, with topics that carry the test's name.
    pub(crate) fn on_kafka(bootstrap: &str, registry: &str, name: &str, minutes: i64) -> Self {
        let prefix = format!("{name}{}-", std::process::id());
        let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        Self::new(seed, minutes, prefix.clone(), Some(bootstrap))
            .with(&["--brokers", bootstrap, "--registry", registry])
            .with(&["--input", &format!("{prefix}trades"), "--output-prefix", &prefix])
            .with(&["--application-id", &format!("{prefix}app")])
    }

    /// With these arguments behind the others.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With this instead of what followed the option before.
    pub(crate) fn with_instead(mut self, option: &str, value: &str) -> Self {
        let at = self.arguments.iter().position(|argument| argument == option).expect("the option is there");
        value.clone_into(&mut self.arguments[at + 1]);
        self
    }

    /// Without these arguments.
    pub(crate) fn without(mut self, arguments: &[&str]) -> Self {
        self.arguments.retain(|argument| !arguments.contains(&argument.as_str()));
        self
    }

    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn start(&self) -> Candlewick {
        Candlewick::start(self.path(), &self.arguments)
    }

    /// Runs it to its end, which must be a good one.
    pub(crate) fn succeeds(&self) {
        self.ends_well(self.start());
    }

    /// Waits for a good end.
    pub(crate) fn ends_well(&self, process: Candlewick) {
        let status = process.wait(PATIENCE);
        let log = std::fs::read_to_string(self.path().join("candlewick.log")).unwrap_or_default();
        assert!(status.success(), "{status}\n{log}");
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        match &self.bootstrap {
            Some(address) => {
                Arc::new(KafkaLog::connect(KafkaSettings::new(address, "judge")).expect("connected"))
            }
            None => EmbeddedLog::open(&self.data().join("log"), EmbeddedSettings::default())
                .expect("the log opens"),
        }
    }

    fn data(&self) -> PathBuf {
        let at = self.arguments.iter().position(|argument| argument == "--data-dir").expect("it is there");
        self.path().join(&self.arguments[at + 1])
    }

    fn registry(&self) -> Arc<dyn SchemaRegistry> {
        let address = self.arguments.iter().position(|argument| argument == "--registry");
        match address.map(|at| &self.arguments[at + 1]) {
            Some(url) => Arc::new(ConfluentRegistry::new(RegistrySettings::new(url)).expect("a registry")),
            None => {
                Arc::new(MemoryRegistry::in_file(self.data().join("schemas.jsonl")).expect("the schemas"))
            }
        }
    }

    /// What the recording's candles are.
    pub(crate) fn expected(&self) -> BTreeMap<(String, i64), ExpectedCandle> {
        let expected = self.recording.candles(60_000);
        assert!(expected.len() > 20, "the recording fills candles");
        expected
    }

    /// Every candle of the recording is in the topic, exact and once, and nothing else is.
    pub(crate) fn candles_are_exact(&self) {
        self.candles_are(&self.expected());
    }

    /// The candles in the topic, each as often as it is there.
    pub(crate) fn candles_found(&self) -> BTreeMap<(String, i64), Vec<ExpectedCandle>> {
        candles(&*self.log(), &self.registry(), &self.topic("candles"))
    }

    /// These candles are in the topic, exact and once, and nothing else is; and every trade is in the input.
    pub(crate) fn candles_are(&self, expected: &BTreeMap<(String, i64), ExpectedCandle>) {
        let trades = read(&*self.log(), &self.topic("trades"));
        let ours = trades.iter().filter(|trade| trade.headers.last("source-number").is_some()).count();
        assert_eq!(ours, self.recording.len(), "every trade of the recording is in its topic, once");
        let found = self.candles_found();
        let is_right = |place, candle: &ExpectedCandle| {
            found.get(place).is_some_and(|found| found.as_slice() == std::slice::from_ref(candle))
        };
        let wrong = expected.iter().filter(|(place, candle)| !is_right(place, candle));
        let wrong: Vec<String> = wrong
            .map(|(place, candle)| format!("{place:?}: {candle:?}, found {:?}", found.get(place)))
            .collect();
        let log = std::fs::read_to_string(self.path().join("candlewick.log")).unwrap_or_default();
        assert!(wrong.is_empty(), "{} of {} candles: {wrong:#?}\n{log}", wrong.len(), expected.len());
        assert_eq!(found.len(), expected.len(), "no other candles are there");
    }

    /// The dead letters of the application.
    pub(crate) fn dead_letters(&self) -> Vec<Found> {
        let id = self.arguments.iter().position(|argument| argument == "--application-id").expect("an id");
        read(&*self.log(), &format!("{}-dead-letters", self.arguments[id + 1]))
    }

    /// Makes a topic before the binary does.
    pub(crate) fn make_topic(&self, name: &str, partitions: i32) {
        let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let topic = NewTopic { name: name.to_owned(), partitions, replication: -1, config };
        self.log().admin().expect("admin").create(&[topic], PATIENCE).expect("made");
    }

    /// Writes values into a topic as somebody else would, one a second from the recording's start on.
    pub(crate) fn write_values(&self, topic: &str, partition: i32, values: &[Vec<u8>]) {
        self.write_keyed(topic, partition, "BTC-USD", values);
    }

    /// The same with another key.
    pub(crate) fn write_keyed(&self, topic: &str, partition: i32, key: &str, values: &[Vec<u8>]) {
        let log = self.log();
        let mut producer = log.producer(&ProducerSettings::default()).expect("a producer");
        let handle = producer.topic(topic).expect("a topic");
        for (n, value) in values.iter().enumerate() {
            let record = OutgoingRecord {
                topic: handle,
                partition: Partition(partition),
                key: Some(key.as_bytes()),
                value: Some(value),
                headers: &Headers::default(),
                timestamp: Timestamp(START + 1_000 * i64::try_from(n).expect("few")),
            };
            producer.send(record).expect("sent");
        }
        producer.flush(PATIENCE).expect("written");
    }
}
