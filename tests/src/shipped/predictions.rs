//! Which candles have a prediction, and the documents that Elasticsearch holds of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use candlewick_operators::FeatureSet;

use super::recording::ExpectedCandle;

/// Steps of the first model's window.
const WINDOW: usize = 32;

/// The candles after the model's warm-up, by symbol and start: those that have a prediction.
#[must_use]
pub fn predicted(candles: &BTreeMap<(String, i64), ExpectedCandle>) -> BTreeSet<(String, i64)> {
    let warm_up = FeatureSet::standard().warm_up() + WINDOW - 1;
    let symbols: BTreeSet<&String> = candles.keys().map(|(symbol, _)| symbol).collect();
    symbols
        .into_iter()
        .flat_map(|symbol| candles.keys().filter(move |(of, _)| of == symbol).skip(warm_up).cloned())
        .collect()
}

/// The ids of their documents, where the candles are of a minute.
#[must_use]
pub fn predicted_ids(candles: &BTreeMap<(String, i64), ExpectedCandle>) -> BTreeSet<String> {
    predicted(candles).into_iter().map(|(symbol, start)| format!("{symbol}|1m|{start}")).collect()
}

/// The ids of all documents of an index.
///
/// # Panics
/// When no HTTP client can be made.
#[must_use]
pub fn documents(url: &str, index: &str) -> Vec<String> {
    let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(20)).build();
    let client = client.expect("an HTTP client");
    let _ = client.post(format!("{url}/{index}/_refresh")).send();
    let body = serde_json::json!({ "size": 10_000, "_source": false });
    let answer = client.get(format!("{url}/{index}/_search")).json(&body).send();
    let answer: serde_json::Value = answer.and_then(|answer| answer.json()).unwrap_or_default();
    let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
    hits.iter().filter_map(|hit| hit["_id"].as_str().map(str::to_owned)).collect()
}
