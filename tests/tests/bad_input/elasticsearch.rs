//! An Elasticsearch that is down at the start, goes away, or stays away: every prediction is a document once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use candlewick_operators::FeatureSet;
use candlewick_tests::servers::{Door, Elasticsearch, Kafka, Missing, Registry};
use candlewick_tests::shipped::{Candlewick, Found, read};
use candlewick_tests::{require, servers};

use super::run::{PATIENCE, Run};

const WAITS: &str = "the sink waits and tries again";
/// Enough for the warm-up of indicators and model, and an hour of predictions.
const MINUTES: i64 = 100;
/// Steps of the model's window, as `train` makes it by default.
const WINDOW: usize = 32;

fn all() -> Result<(&'static Kafka, &'static Registry, &'static Elasticsearch), Missing> {
    Ok((servers::kafka()?, servers::registry()?, servers::elasticsearch()?))
}

/// A model that all tests here share: the first replay trains one.
fn model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| {
        let model = servers::data_folder("model").expect("a folder");
        let run = Run::embedded(1, 15).with_instead("--pipeline", "market");
        run.with(&["--model-dir", model.to_str().expect("UTF-8")]).succeeds();
        model
    })
}

fn market(name: &str, (kafka, registry, _): &(&Kafka, &Registry, &Elasticsearch), url: &str) -> Run {
    Run::on_kafka(kafka.bootstrap(), registry.url(), name, MINUTES)
        .with_instead("--pipeline", "market")
        .with(&["--model-dir", model().to_str().expect("UTF-8"), "--elasticsearch", url])
}

/// The ids of the predictions of a run: of every candle after the warm-up of its symbol.
fn expected_ids(run: &Run) -> BTreeSet<String> {
    let candles = run.expected();
    let warm_up = FeatureSet::standard().warm_up() + WINDOW - 1;
    let symbols: BTreeSet<&String> = candles.keys().map(|(symbol, _)| symbol).collect();
    let ids = symbols.into_iter().flat_map(|symbol| {
        let of = candles.keys().filter(move |(of, _)| of == symbol).skip(warm_up);
        of.map(|(symbol, start)| format!("{symbol}|1m|{start}"))
    });
    let ids: BTreeSet<String> = ids.collect();
    assert!(ids.len() > 60, "the recording outlasts the warm-up");
    ids
}

/// The index holds exactly the expected documents, each once, now: the run has ended. And nothing was refused.
fn documents_are_exact(run: &Run, elasticsearch: &Elasticsearch) {
    documents_are_there(run, elasticsearch);
    assert_eq!(buried(run), [], "no document is blamed for Elasticsearch");
}

/// The dead letters of the sink.
fn buried(run: &Run) -> Vec<Found> {
    read(&*run.log(), &format!("{}-dlq", run.topic("predictions")))
}

fn documents_are_there(run: &Run, elasticsearch: &Elasticsearch) {
    let (url, index) = (elasticsearch.url(), run.topic("predictions"));
    let client = reqwest::blocking::Client::new();
    client.post(format!("{url}/{index}/_refresh")).send().expect("it answers");
    let body = serde_json::json!({ "size": 10_000, "_source": false });
    let answer = client.get(format!("{url}/{index}/_search")).json(&body).send().expect("it answers");
    let answer: serde_json::Value = answer.json().expect("JSON");
    let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let ids: Vec<String> = hits.iter().filter_map(|hit| hit["_id"].as_str().map(str::to_owned)).collect();
    assert_eq!(ids.iter().cloned().collect::<BTreeSet<_>>(), expected_ids(run));
    assert_eq!(ids.len(), expected_ids(run).len());
    run.candles_are_exact();
    assert_eq!(run.dead_letters(), []);
}

fn waits(process: &mut Candlewick, door: &Door) {
    process.wait_for(WAITS, PATIENCE);
    let log = process.log();
    let line = log.lines().find(|line| line.contains(WAITS)).expect("it was said");
    assert!(line.contains(door.url()) && line.contains("check the address"), "{line}");
}

#[test]
fn an_elasticsearch_that_is_down_at_start_is_waited_for() {
    let servers = require!(all());
    let door = Door::shut_before(servers.2.url());
    let run = market("lateindex", &servers, door.url());
    let mut process = run.start();
    waits(&mut process, &door);
    process.wait_for("state=Running", PATIENCE);
    std::thread::sleep(Duration::from_secs(2));
    door.open();
    run.ends_well(process);
    documents_are_exact(&run, servers.2);
}

#[test]
fn an_elasticsearch_that_goes_away_and_comes_back_gets_every_document_once() {
    let servers = require!(all());
    let door = Door::before(servers.2.url());
    let run = market("awayindex", &servers, door.url()).with(&["--speed", "x900"]);
    let mut process = run.start();
    process.wait_for("the sink runs", PATIENCE);
    process.wait_for("state=Running", PATIENCE);
    for _ in 0..2 {
        std::thread::sleep(Duration::from_secs(1));
        door.shut();
        std::thread::sleep(Duration::from_secs(2));
        door.open();
    }
    run.ends_well(process);
    documents_are_exact(&run, servers.2);
}

#[test]
fn an_elasticsearch_that_stays_away_keeps_a_replay_waiting_and_the_next_start_writes_the_rest() {
    let servers = require!(all());
    let door = Door::before(servers.2.url());
    let run = market("goneindex", &servers, door.url()).with(&["--speed", "x900"]);
    let mut process = run.start();
    process.wait_for("the sink runs", PATIENCE);
    process.wait_for("state=Running", PATIENCE);
    door.shut();
    process.wait_for("state=NotRunning", PATIENCE);
    waits(&mut process, &door);
    // Everything is processed and not everything delivered: it is not done, and ends only because it is told to.
    std::thread::sleep(Duration::from_secs(1));
    assert!(process.is_running(), "{}", process.output());
    let status = process.terminate(PATIENCE);
    assert!(status.success(), "{status}");
    door.open();
    run.succeeds();
    documents_are_exact(&run, servers.2);
}

#[test]
fn a_record_that_is_no_document_becomes_a_dead_letter_of_the_sink_and_every_prediction_is_a_document() {
    let servers = require!(all());
    let run = market("nodocument", &servers, servers.2.url());
    let bad = [b"hello".to_vec(), vec![0, 0xff, 0xff, 0xff, 0xff, 1]];
    run.make_topic(&run.topic("predictions"), 4);
    run.write_values(&run.topic("predictions"), 1, &bad);
    for _ in 0..2 {
        run.succeeds();
        documents_are_there(&run, servers.2);
        let letters = buried(&run);
        let values: Vec<Vec<u8>> =
            letters.iter().map(|letter| letter.value.clone().unwrap_or_default()).collect();
        assert_eq!(values, bad, "byte for byte, in order, once");
        let said: Vec<String> = letters.iter().map(|letter| letter.header("candlewick.error")).collect();
        assert!(
            said[0].contains("begins with the byte 0x68") && said[1].contains("no schema with the id"),
            "{said:?}"
        );
    }
}
