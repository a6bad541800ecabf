//! Runs the cases of a golden file in the test driver and says of each whether it agrees.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use candlewick::{
    DriverOptions, DropReason, Headers, Nullable, Partition, ProcessHandler, ProcessResponse, Record,
    StringSerde, TestInputTopic, TestOutputTopic, Timestamp, TopologyTestDriver,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::corpus::{Case, GoldenFile, Step};
use super::internals::{self, APPLICATION, Internals};
use super::interpreter::{Plan, Refused, interpret};
use super::known::KnownDifferences;
use super::report::Outcome;
use super::spread::{self, Promise};
use super::stores::StoresOf;
use super::text::{Key, Value};

const TEXT: Nullable<StringSerde> = Nullable(StringSerde);

/// How a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// From start to end, in memory.
    Plain,
    /// Ended after a step and started again from changelogs and committed offsets, in memory.
    Restarted,
    /// The same, with stores on disk.
    OnDisk,
    /// From start to end, with caches. Only what waits for windows to close is the same then: the rest is told otherwise.
    Cached,
    /// From start to end, with the keys spread over several partitions.
    Spread,
}

impl Variant {
    fn restarts(self) -> bool {
        matches!(self, Self::Restarted | Self::OnDisk)
    }
}

/// What becomes of each case of a golden file, with its name.
#[must_use]
pub fn judge(file: &GoldenFile, known: &KnownDifferences, variant: Variant) -> Vec<(String, Outcome)> {
    let plan = interpret(&file.spec, variant == Variant::Cached);
    let judged = file.cases.iter().map(|case| {
        let outcome = match &plan {
            Err(Refused::NotBuilt(what)) => Outcome::NotBuilt(what.clone()),
            Err(refused) => Outcome::Failed(format!("the spec could not be built: {refused}")),
            Ok(_) if variant == Variant::Cached && !waits_for_close(&file.spec) => {
                Outcome::NotBuilt("what does not wait for windows to close".into())
            }
            Ok(_) if variant.restarts() && forgets(&file.spec) => {
                Outcome::NotBuilt("what operators keep outside of their stores".into())
            }
            Ok(plan) if variant == Variant::Spread => judge_spread(file, plan, case),
            Ok(plan) => judge_case(file, plan, case, known, variant),
        };
        (format!("{} {}", file.name, case.name), outcome)
    });
    judged.collect()
}

/// Whether nothing of a spec is told before its window has closed.
fn waits_for_close(spec: &Json) -> bool {
    let nodes = || spec["nodes"].as_array().into_iter().flatten();
    let waits = |node: &Json| node["until"] == "close" && node.get("max_records").is_none();
    let tells_sooner = |node: &Json| node["op"] == "join" || node["until"] == "time";
    nodes().any(|node| waits(node) || node["emit"] == "close") && !nodes().any(tells_sooner)
}

/// Whether a spec has something that no restart brings back, with Kafka Streams neither: when punctuators are due and how
/// often they were, the stream time of a task, and when a join last looked for records without a match.
fn forgets(spec: &Json) -> bool {
    if spec["config"].as_object().is_some_and(|config| config.keys().any(|key| key.starts_with("__emit"))) {
        return true;
    }
    let nodes = spec["nodes"].as_array().into_iter().flatten();
    let mut functions = nodes.filter_map(|node| node["fn"].as_str());
    functions.any(|name| ["punct", "buffer", "stream_time"].iter().any(|kind| name.contains(kind)))
}

fn judge_spread(file: &GoldenFile, plan: &Plan, case: &Case) -> Outcome {
    let promise = match spread::promise(&file.spec) {
        Promise::Nothing(reason) => return Outcome::NotBuilt(reason.into()),
        _ if case.fails => return Outcome::NotBuilt("a task that fails: the others go on".into()),
        promise => promise,
    };
    spread::compare(file, plan, case, promise).map_or_else(Outcome::Failed, |()| Outcome::Passed)
}

/// After which step a case is ended: any, but always the same one.
fn last_step(file: &GoldenFile, case: &Case) -> usize {
    let name = format!("{} {}", file.name, case.name);
    let hash = name.bytes().fold(0u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    usize::try_from(hash >> 33).unwrap_or(0) % case.steps.len().max(1)
}

fn judge_case(
    file: &GoldenFile,
    plan: &Plan,
    case: &Case,
    known: &KnownDifferences,
    variant: Variant,
) -> Outcome {
    let topics = internals::compare_topics(file, plan);
    let described = plan.topology.describe();
    let alike = file.describe.as_ref().is_none_or(|expected| *expected == described);
    let described = if alike { Ok(()) } else { Err(format!("describe gives\n{described}")) };
    let plan_is_alike = described.and(topics);
    let start = || Run::start(file, plan, variant, 1);
    let run = |case: &Case| start().compare(case, last_step(file, case));
    let result = run(case).and(plan_is_alike.clone());
    match (known.of(&file.name, case), result) {
        (Some((known, _)), Err(difference)) if known.internal => {
            let without = Run { compares_internals: false, ..start() };
            match without.compare(case, last_step(file, case)).and(plan_is_alike) {
                Ok(()) => Outcome::Known(known.reason.clone()),
                Err(_) => Outcome::Failed(difference),
            }
        }
        (None, Ok(())) | (Some((_, None)), Ok(())) => Outcome::Passed,
        (None, Err(difference)) => Outcome::Failed(difference),
        (Some((_, Some(_))), Ok(())) => {
            Outcome::Failed("listed as a known difference, but there is none".into())
        }
        (Some((known, None)), Err(_)) => Outcome::Known(known.reason.clone()),
        (Some((known, Some(ours))), Err(_)) => match run(ours) {
            Ok(()) => Outcome::Known(known.reason.clone()),
            Err(difference) => Outcome::Failed(format!("differs from our own golden: {difference}")),
        },
    }
}

/// The cases of a golden file in which we differ from Kafka Streams, with what we give instead: a golden of our own, to be
/// reviewed by a reader.
///
/// # Errors
/// When the spec cannot be built or one of its cases fails.
pub fn ours(file: &GoldenFile) -> Result<Json, String> {
    let plan = interpret(&file.spec, false).map_err(|refused| refused.to_string())?;
    let mut cases = Vec::new();
    for case in &file.cases {
        if Run::start(file, &plan, Variant::Plain, 1).compare(case, 0).is_err() {
            cases.push(Run::start(file, &plan, Variant::Plain, 1).record(case)?);
        }
    }
    Ok(json!({"format": "ks-oracle/1", "kafka_streams": "4.3.1", "spec": file.spec, "cases": cases}))
}

/// Kafka's `LogAndContinueProcessingExceptionHandler`: with a dead letter topic the record goes there.
struct Continue {
    dead_letter: bool,
}

impl ProcessHandler for Continue {
    fn on_error(&self, _: &candlewick::FailedRecord<'_>) -> ProcessResponse {
        if self.dead_letter { ProcessResponse::DeadLetter } else { ProcessResponse::Continue }
    }
}

/// One run of a case.
pub(super) struct Run<'p> {
    plan: &'p Plan,
    pub(super) driver: TopologyTestDriver,
    options: DriverOptions,
    variant: Variant,
    /// Where stores lie that are on disk; removed with the run.
    _folder: Option<TempDir>,
    outputs: Vec<(String, TestOutputTopic<Key, Value>)>,
    internals: Internals,
    compares_internals: bool,
    dropped: u64,
}

fn options(spec: &Json) -> DriverOptions {
    let config = |key: &str| spec["config"][key].as_str();
    let cache = config("statestore.cache.max.bytes").and_then(|max| max.parse().ok());
    let mut options = DriverOptions {
        application_id: APPLICATION.to_owned(),
        cache_bytes_max: cache.unwrap_or(0),
        wall_clock: Timestamp(spec["wall_start"].as_i64().unwrap_or(0)),
        dead_letter_topic: config("errors.dead.letter.queue.topic.name").map(str::to_owned),
        ..DriverOptions::default()
    };
    if config("processing.exception.handler").is_some_and(|handler| handler.contains("Continue")) {
        options.process_handler = Arc::new(Continue { dead_letter: options.dead_letter_topic.is_some() });
    }
    options
}

impl<'p> Run<'p> {
    pub(super) fn start(file: &GoldenFile, plan: &'p Plan, variant: Variant, partitions: i32) -> Self {
        let inputs = file.cases.iter().flat_map(Case::inputs).filter_map(|input| input[0].as_str());
        let topics: BTreeSet<&str> = inputs.filter(|topic| *topic != "$wall").collect();
        let topics = topics.into_iter().map(str::to_owned).collect();
        let mut options = DriverOptions { partitions, topics, ..options(&file.spec) };
        let on_disk = variant == Variant::OnDisk;
        let folder = on_disk.then(|| tempfile::tempdir().expect("a temporary folder can be made"));
        if variant == Variant::Cached {
            options.cache_bytes_max = 1 << 20;
        }
        options.state_dir = folder.as_ref().map(|folder| folder.path().to_owned());
        let driver = TopologyTestDriver::with_options(&plan.topology, &options);
        let driver = driver.expect("the processors of the suite start");
        let watched = file.spec["watch"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mut topics: Vec<&str> = plan.sinks.iter().map(String::as_str).chain(watched).collect();
        topics.sort_unstable();
        let outputs =
            topics.into_iter().map(|topic| (topic.to_owned(), driver.output_topic(topic, TEXT, TEXT)));
        let outputs = outputs.collect();
        let internals = Internals::of(file, &driver);
        let compares_internals = variant == Variant::Plain;
        Self {
            plan,
            outputs,
            internals,
            compares_internals,
            driver,
            options,
            variant,
            _folder: folder,
            dropped: 0,
        }
    }

    fn compare(mut self, case: &Case, restart_after: usize) -> Result<(), String> {
        let last = case.steps.len().saturating_sub(1);
        for (index, step) in case.steps.iter().enumerate() {
            let at = format!("step {index} {}", step.input);
            let result = self.feed(step);
            let fails = case.fails && index == last;
            match result {
                Err(error) if !fails => return Err(format!("{at} failed: {error}")),
                Ok(()) if fails => return Err(format!("{at} should have failed")),
                Ok(()) | Err(_) => {}
            }
            self.compare_step(step).map_err(|difference| format!("{at}{difference}"))?;
            if self.compares_internals {
                self.internals.compare(step).map_err(|difference| format!("{at}{difference}"))?;
            }
            if index == restart_after && self.variant.restarts() && !fails {
                let again = self.driver.restart(&self.plan.topology, &self.options);
                again.map_err(|error| format!("the restart after {at} failed: {error}"))?;
                self.dropped = 0;
            }
        }
        if case.fails { Ok(()) } else { self.compare_stores(case) }
    }

    /// Runs a case and writes down what we give.
    fn record(mut self, case: &Case) -> Result<Json, String> {
        let mut steps = Vec::new();
        for step in &case.steps {
            self.feed(step)?;
            let mut row = json!({"in": step.input});
            let (output, dropped) = self.observe();
            if !output.is_empty() {
                row["out"] = Json::from(output);
            }
            if dropped > 0 {
                row["dropped"] = dropped.into();
            }
            steps.push(row);
        }
        let stores = self.plan.stores.iter();
        let stores: serde_json::Map<String, Json> = stores
            .map(|(name, contents)| (name.clone(), self.stores().rows(name, *contents, case).into()))
            .collect();
        Ok(json!({"case": case.name, "stores": stores, "steps": steps}))
    }

    pub(super) fn feed(&self, step: &Step) -> Result<(), String> {
        let input = &step.input;
        let (topic, number) = (input[0].as_str().unwrap_or(""), |at: usize| input[at].as_i64().unwrap_or(0));
        if topic == "$wall" {
            let by = Duration::from_millis(u64::try_from(number(1)).unwrap_or(0));
            return self.driver.advance_wall_clock(by).map_err(|error| error.to_string());
        }
        let mut headers = Headers::default();
        for header in input[4].as_array().into_iter().flatten() {
            let (name, value) = (header[0].as_str().unwrap_or(""), header[1].as_str());
            headers.push(name, value.map(|value| value.to_owned().into()));
        }
        let text = |at: usize| input[at].as_str().map(str::to_owned);
        let record = Record { key: text(1), value: text(2), timestamp: Timestamp(number(3)), headers };
        let topic: TestInputTopic<Key, Value> = self.driver.input_topic(topic, TEXT, TEXT);
        topic.pipe_record(record).map_err(|error| error.to_string())
    }

    /// What came out since the last look, and how many records were dropped.
    pub(super) fn observe(&mut self) -> (Vec<Json>, u64) {
        let mut output = Vec::new();
        for (name, topic) in &self.outputs {
            while let Some(record) = topic.read_record() {
                output.push(shown(name, record));
            }
        }
        let total: u64 = DropReason::ALL.iter().map(|&reason| self.driver.dropped(reason)).sum();
        (output, total - std::mem::replace(&mut self.dropped, total))
    }

    fn compare_step(&mut self, step: &Step) -> Result<(), String> {
        let (output, dropped) = self.observe();
        let expected: Vec<Json> = step.output.iter().cloned().map(comparable).collect();
        if output != expected {
            let (ours, theirs) = (Json::from(output), Json::from(expected));
            return Err(format!("\n      expected {theirs}\n      but got  {ours}"));
        }
        if dropped != step.dropped {
            return Err(format!(": expected {} dropped records, but got {dropped}", step.dropped));
        }
        Ok(())
    }

    fn compare_stores(&self, case: &Case) -> Result<(), String> {
        let expected = &case.stores;
        for (name, contents) in &self.plan.stores {
            let rows = Json::from(self.stores().rows(name, *contents, case));
            if rows != expected[name] {
                return Err(format!(
                    "store {name}\n      expected {}\n      but got  {rows}",
                    expected[name]
                ));
            }
        }
        Ok(())
    }

    fn stores(&self) -> StoresOf<'_> {
        StoresOf { driver: &self.driver, partition: Partition(0) }
    }
}

/// A record as goldens show it.
fn shown(topic: &str, record: Record<Key, Value>) -> Json {
    let mut row = vec![json!(topic), json!(record.key), json!(record.value), json!(record.timestamp.0)];
    let header = |header: &candlewick::Header| {
        let value = header.value.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        json!([&*header.name, value])
    };
    let told = record.headers.iter().filter(|header| !JVM_ONLY.contains(&&*header.name));
    let headers: Vec<Json> = told.map(header).collect();
    if !headers.is_empty() {
        row.push(Json::from(headers));
    }
    Json::from(row)
}

/// Headers whose text only a JVM can write: goldens hold a `*` for them.
const JVM_ONLY: [&str; 2] = ["__streams.errors.exception", "__streams.errors.stacktrace"];

/// An expected record without the headers that only a JVM can write.
pub(super) fn comparable(mut row: Json) -> Json {
    if let Some(headers) = row.get_mut(4).and_then(Json::as_array_mut) {
        headers.retain(|header| header[1] != "*");
    }
    row
}
