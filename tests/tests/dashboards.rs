//! Every panel of every dashboard shows something: its query, as Grafana would send it, is answered with data by the real
//! Elasticsearch and the real Prometheus after a replay through the shipped binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use candlewick_operators::FeatureSet;
use candlewick_tests::deploy::{Panel, PanelQuery, Variables, documents, panels};
use candlewick_tests::shipped::{Candlewick, Recording};
use candlewick_tests::{checkout, require, servers};
use serde_json::Value;

const START: i64 = 1_600_000_020_000;
const MINUTES: i64 = 100;
const PATIENCE: Duration = Duration::from_secs(120);
/// Steps of the model's window, as it is trained by default.
const WINDOW: usize = 32;

/// Asks a data source what a panel asks.
fn ask(query: &PanelQuery, elasticsearch: &str, prometheus: &str) -> Value {
    let client = reqwest::blocking::Client::builder().no_proxy().build().expect("a client");
    let request = match query {
        PanelQuery::Prometheus { expression } => {
            let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
            client.get(format!("{prometheus}/api/v1/query?query={encoded}"))
        }
        PanelQuery::Elasticsearch { index, body } => {
            client.post(format!("{elasticsearch}/{index}/_search")).json(body)
        }
    };
    request.send().and_then(|answer| answer.json()).expect("it answers")
}

/// The number that an expression gives.
fn number(expression: &str, prometheus: &str) -> f64 {
    let query = PanelQuery::Prometheus { expression: expression.to_owned() };
    let answer = ask(&query, "", prometheus);
    let text = answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned);
    text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// The names of metrics in an expression.
fn metrics_in(expression: &str) -> Vec<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("candlewick_")).map(str::to_owned).collect()
}

/// How many candles have a prediction: those after the warm-up of their symbol.
fn expected_documents(recording: &Recording) -> usize {
    let warm_up = FeatureSet::standard().warm_up() + WINDOW - 1;
    let mut candles = BTreeMap::<String, usize>::new();
    for (symbol, _) in recording.candles(60_000).into_keys() {
        *candles.entry(symbol).or_default() += 1;
    }
    candles.into_values().map(|count| count.saturating_sub(warm_up)).sum()
}

fn dashboards(symbol: &str) -> Vec<Panel> {
    let variables = Variables {
        rate_interval: "1m".into(),
        values: BTreeMap::from([("symbol".into(), symbol.into())]),
        from_ms: START,
        to_ms: START + MINUTES * 60_000,
    };
    panels(&checkout().join("deploy/grafana"), &variables).unwrap_or_else(|error| panic!("{error}"))
}

/// A replay that stays, with a trade that comes too late behind the others.
fn replayed(folder: &Path, recording: &Recording, listen: &str, elasticsearch: &str) -> Candlewick {
    let replay = recording.write(folder);
    let mut trades = std::fs::read_to_string(&replay).expect("the recording");
    let _ = writeln!(trades, "{START},BTC-USD,1,1,buy,900001");
    std::fs::write(&replay, trades).expect("written");
    let replay = replay.to_str().expect("UTF-8");
    let arguments = ["run", "--replay", replay, "--speed", "x600", "--intervals", "1m", "--listen", listen];
    let more = ["--elasticsearch", elasticsearch, "--commit-interval-ms", "200", "--data-dir", "data"];
    Candlewick::start(folder, &[&arguments[..], &more].concat())
}

#[test]
fn every_panel_of_every_dashboard_has_data_after_a_replay() {
    let elasticsearch = require!(servers::elasticsearch()).url();
    let listen = format!("127.0.0.1:{}", servers::free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: candlewick\n    static_configs: \
         [{{ targets: [\"{listen}\"] }}]\n"
    );
    let prometheus = require!(servers::prometheus(&config));
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Recording::new(61, START, MINUTES, 120);
    let process = replayed(folder.path(), &recording, &listen, elasticsearch);
    let documents = expected_documents(&recording) as f64;
    assert!(documents > 60.0, "the recording outlasts the warm-up");
    let until = Instant::now() + PATIENCE;
    while number("sum(candlewick_sink_written_total)", prometheus.url()) < documents {
        assert!(Instant::now() < until, "{documents} documents are not written:\n{}", process.output());
        std::thread::sleep(Duration::from_millis(200));
    }
    let client = reqwest::blocking::Client::new();
    let refreshed = client.post(format!("{elasticsearch}/predictions/_refresh")).send();
    assert!(refreshed.expect("it answers").status().is_success());
    // What is shown is what was replayed.
    assert_eq!(number("sum(candlewick_sink_written_total)", prometheus.url()), documents);
    let trades = (recording.len() + 1) as f64;
    assert_eq!(number("sum(candlewick_task_processed_total)", prometheus.url()), trades);
    let mut empty = Vec::new();
    let all = dashboards("BTC-USD");
    assert!(all.len() > 20, "the panels were not read");
    for panel in &all {
        // A rate needs a moment.
        let until = Instant::now() + Duration::from_secs(10);
        while !panel.query.has_data(&ask(&panel.query, elasticsearch, prometheus.url())) {
            if Instant::now() > until {
                empty.push(format!("{}: {} ({})", panel.dashboard, panel.title, panel.reference));
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    assert_eq!(empty, [""; 0], "these panels are empty:\n{}", process.output());
    every_metric_named_exists(&all, &listen);
}

/// Every metric that a dashboard or an alert names is told by the running binary.
fn every_metric_named_exists(panels: &[Panel], listen: &str) {
    let told = reqwest::blocking::get(format!("http://{listen}/metrics")).and_then(|answer| answer.text());
    let told = told.expect("it answers");
    let made: BTreeSet<&str> =
        told.lines().filter_map(|line| line.split([' ', '{']).next()).filter(|name| *name != "#").collect();
    let rules = std::fs::read_to_string(checkout().join("deploy/prometheus/rules.yml")).expect("the alerts");
    let rules = documents(&rules).expect("YAML").remove(0);
    let rules = rules["groups"][0]["rules"].as_array().cloned().expect("rules");
    let mut expressions: Vec<String> =
        rules.iter().map(|rule| rule["expr"].as_str().expect("an expression").to_owned()).collect();
    for panel in panels {
        if let PanelQuery::Prometheus { expression } = &panel.query {
            expressions.push(expression.clone());
        }
    }
    let named: BTreeSet<String> = expressions.iter().flat_map(|expression| metrics_in(expression)).collect();
    assert!(named.len() > 6, "the expressions were not read");
    let missing: Vec<&String> = named.iter().filter(|name| !made.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the binary does not tell {missing:?}:\n{told}");
}
