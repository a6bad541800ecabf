//! What an application keeps for itself: its internal topics with their configuration, and the bytes in them, as goldens
//! show them. Of a changelog it counts what a store restored from it would hold after each step.

use std::collections::{BTreeMap, BTreeSet};

use candlewick::{
    BytesSerde, Header, Nullable, PartitionCounts, Record, TestOutputTopic, TopologyTestDriver,
};
use serde_json::{Value as Json, json};

use super::corpus::{GoldenFile, Step};
use super::interpreter::Plan;

/// The application's id in every golden file.
pub(super) const APPLICATION: &str = "oracle";
const BYTES: Nullable<BytesSerde> = Nullable(BytesSerde);

type Bytes = Option<bytes::Bytes>;

/// Compares the internal topics of a plan with those of its golden file.
pub(super) fn compare_topics(file: &GoldenFile, plan: &Plan) -> Result<(), String> {
    let Some(expected) = file.topics.as_object() else { return Ok(()) };
    let counts: PartitionCounts = plan.topology.source_topics().into_iter().map(|topic| (topic, 1)).collect();
    let topics = plan.topology.internal_topics(APPLICATION, &counts).map_err(|error| error.to_string())?;
    let own: BTreeMap<&str, Json> =
        topics.iter().map(|topic| (declared(&topic.name), json!(topic.config))).collect();
    let names: BTreeSet<&str> = own.keys().copied().chain(expected.keys().map(String::as_str)).collect();
    let differs = |name: &&str| own.get(*name) != expected.get(*name);
    match names.into_iter().find(differs) {
        None => Ok(()),
        Some(name) => Err(format!(
            "internal topic {name}\n      expected {:?}\n      but got  {:?}",
            expected.get(name),
            own.get(name)
        )),
    }
}

fn declared(topic: &str) -> &str {
    topic.strip_prefix(APPLICATION).and_then(|rest| rest.strip_prefix('-')).unwrap_or(topic)
}

/// The internal topics of a running driver.
pub(super) struct Internals {
    topics: Vec<(String, TestOutputTopic<Bytes, Bytes>)>,
    /// What their changelogs hold so far, and what ours hold.
    expected: Changelogs,
    written: Changelogs,
}

impl Internals {
    /// Those that the golden file names.
    pub(super) fn of(file: &GoldenFile, driver: &TopologyTestDriver) -> Self {
        let told = || file.topics.as_object().into_iter().flatten();
        let topic = |name: &String| {
            let topic = driver.output_topic(&format!("{APPLICATION}-{name}"), BYTES, BYTES);
            (name.clone(), topic)
        };
        let history = |(name, config): (&String, &Json)| Some((name.clone(), History::of(config)?));
        let histories: BTreeMap<String, History> = told().filter_map(history).collect();
        let changelogs = || Changelogs { histories: histories.clone(), rows: BTreeMap::new() };
        let topics = told().map(|(name, _)| topic(name)).collect();
        Self { topics, expected: changelogs(), written: changelogs() }
    }

    /// Compares what was written since the last look with a step; where the step tells nothing, only looks.
    pub(super) fn compare(&mut self, step: &Step) -> Result<(), String> {
        let mut written = Vec::new();
        for (name, topic) in &self.topics {
            while let Some(record) = topic.read_record() {
                written.push(shown(name, record));
            }
        }
        let Some(expected) = &step.internal else { return Ok(()) };
        differences(&self.expected.take_in(expected), &self.written.take_in(&written))
    }
}

/// A record as goldens show it.
fn shown(topic: &str, record: Record<Bytes, Bytes>) -> Json {
    let text = |bytes: &Bytes| bytes.as_ref().map(|bytes| escaped(bytes));
    // Where the log sets the time, none is told.
    let time = json!(Some(record.timestamp.0).filter(|time| *time >= 0));
    let mut row = vec![json!(topic), json!(text(&record.key)), json!(text(&record.value)), time];
    let header = |header: &Header| json!([&*header.name, text(&header.value)]);
    let headers: Vec<Json> = record.headers.iter().map(header).collect();
    if !headers.is_empty() {
        row.push(Json::from(headers));
    }
    Json::from(row)
}

/// Printable ASCII as it is, a backslash twice, every other byte as `\xHH`.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text
}

/// What the changelogs of an application hold.
struct Changelogs {
    /// Of the stores that keep what they are given for a time only.
    histories: BTreeMap<String, History>,
    /// The last row of each topic and key.
    rows: BTreeMap<(String, String), Json>,
}

/// How long a store keeps what it is given, in milliseconds behind the latest.
#[derive(Clone, Copy)]
struct History {
    kept_ms: i64,
    versions: bool,
    latest: i64,
}

/// How much longer than its store a changelog keeps records.
const ADDITIONAL_MS: i64 = 24 * 60 * 60 * 1000;

impl History {
    /// The history of a join's store or of a versioned one, as its changelog's configuration tells it.
    fn of(config: &Json) -> Option<Self> {
        let number = |key: &str| config[key].as_str().and_then(|text| text.parse::<i64>().ok());
        let (versions, kept_ms) = match number("min.compaction.lag.ms") {
            Some(lag) => (true, lag - ADDITIONAL_MS),
            // A window of a join's store starts at its record's time, and is kept until it is as far behind.
            None => (
                false,
                number("retention.ms").filter(|_| config["cleanup.policy"] == "delete")? - ADDITIONAL_MS - 1,
            ),
        };
        (kept_ms >= 0).then_some(Self { kept_ms, versions, latest: i64::MIN })
    }

    /// Whether the store refuses a record of this time. Kafka Streams logs it all the same, and drops it again when it
    /// restores the store; we do not write it.
    fn refuses(&mut self, time: i64) -> bool {
        self.latest = self.latest.max(time);
        time < self.latest - self.kept_ms
    }
}

impl Changelogs {
    /// Takes rows in and gives all that is held behind the rows of other topics. A versioned store is restored from every
    /// row, any other from the last one of each key.
    fn take_in(&mut self, rows: &[Json]) -> Vec<Json> {
        let mut others = Vec::new();
        for row in rows {
            let topic = row[0].as_str().unwrap_or("");
            if !topic.ends_with("-changelog") {
                others.push(row.clone());
                continue;
            }
            let history = self.histories.get_mut(topic);
            let versions = history.as_ref().is_some_and(|history| history.versions);
            // A join's store on disk does not hear of records without a value; its changelog does.
            let history = history.filter(|history| history.versions || !row[2].is_null());
            if history.is_some_and(|history| history.refuses(row[3].as_i64().unwrap_or(i64::MAX))) {
                continue;
            }
            let (place, row) = ((topic.to_owned(), row[1].to_string()), without_headers_of_records(row));
            if versions {
                others.push(row);
            } else if row[2].is_null() {
                self.rows.remove(&place);
            } else {
                self.rows.insert(place, row);
            }
        }
        // Topics have no order among each other.
        others.sort_by(|one, other| one[0].as_str().cmp(&other[0].as_str()));
        others.extend(self.rows.values().cloned());
        others
    }
}

/// A row of a changelog without what Kafka Streams copies into those of a join's stores from the record in process, and
/// never reads there: ours carry no headers but those of the format.
fn without_headers_of_records(row: &Json) -> Json {
    let mut row = row.clone();
    if let Some(fields) = row.as_array_mut()
        && fields.get(4).is_some_and(|headers| headers[0][0] != FORMAT_HEADER)
    {
        fields.truncate(4);
    }
    row
}

/// Tells the version of a suppression's rows.
const FORMAT_HEADER: &str = "v";

fn differences(expected: &[Json], written: &[Json]) -> Result<(), String> {
    let both = expected.iter().map(Some).chain([None]).zip(written.iter().map(Some).chain([None]));
    match both.into_iter().find(|(theirs, ours)| theirs != ours) {
        None => Ok(()),
        Some((theirs, ours)) => Err(format!(
            "\n      expected internal {}\n      but got           {}",
            json!(theirs),
            json!(ours)
        )),
    }
}
