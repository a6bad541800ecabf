//! Reads of stores by key and by range. Owns the bounds of an answer; must not know how a store is read.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::Failure;

/// Entries in an answer that asked for no number.
const LIMIT_DEFAULT: usize = 100;
/// Entries in one answer at most.
const LIMIT_MAX: usize = 1_000;

/// The query of a range.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
}

/// `GET /stores`: the names of the topology's stores.
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, Failure> {
    let topology = shared.ask(|application| application.topology()).await?;
    let stores: BTreeSet<String> = topology.nodes.into_iter().flat_map(|node| node.stores).collect();
    Ok(Json(json!({ "stores": stores })))
}

/// `GET /stores/{name}/{key}`: one value.
pub(super) async fn key(
    State(shared): State<Shared>,
    Path((store, key)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Failure> {
    let question = (store.clone(), key.clone());
    let read = shared.ask(move |application| application.read_key(&question.0, &question.1)).await?;
    match read.map_err(|error| Failure::read(&error, &store, path_of(&uri)))? {
        Some(value) => Ok(Json(json!({ "store": store, "key": key, "value": value }))),
        None => {
            let sentence = format!("Store `{store}` has no entry for key `{key}`.");
            Err(Failure::new(StatusCode::NOT_FOUND, sentence))
        }
    }
}

/// `GET /stores/{name}?from&to&limit`: entries in the order of their keys. When there are more, `next` is the key to go
/// on `from`.
pub(super) async fn range(
    State(shared): State<Shared>,
    Path(store): Path<String>,
    uri: Uri,
    query: Result<Query<Range>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(query) = query.map_err(|rejection| {
        let sentence = format!(
            "The range cannot be read ({}): give `from`, `to` and a whole number as `limit`.",
            rejection.body_text()
        );
        Failure::new(StatusCode::BAD_REQUEST, sentence)
    })?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        let sentence = format!("A limit of {limit} is out of bounds: give one from 1 to {LIMIT_MAX}.");
        return Err(Failure::new(StatusCode::BAD_REQUEST, sentence));
    }
    let name = store.clone();
    let read = shared.ask(move |application| {
        // One more than is shown tells whether there is more.
        application.read_range(&name, query.from.as_deref(), query.to.as_deref(), limit + 1)
    });
    let mut entries = read.await?.map_err(|error| Failure::read(&error, &store, path_of(&uri)))?;
    let next = entries.get(limit).map(|(key, _)| key.clone());
    entries.truncate(limit);
    let entries: Vec<Value> =
        entries.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(Json(json!({ "store": store, "entries": entries, "next": next })))
}

fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |whole| whole.as_str())
}
