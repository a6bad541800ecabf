//! Reads of stores: one row, or pages of many, from whichever instances have them. Owns the form of questions and answers
//! and their bounds; must not know how a store is read.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use candlewick::{StoreInfo, StoreType};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::Failure;
use super::forward::{from_hex, to_hex};
use crate::application::{Question, Range, ReadError, Reply, Rows};

/// Entries in an answer that asked for no number.
const LIMIT_DEFAULT: usize = 100;
/// Entries in one answer at most.
const LIMIT_MAX: usize = 1_000;

/// What may stand behind the question mark.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Options {
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    from_time: Option<i64>,
    to_time: Option<i64>,
    reverse: bool,
    limit: Option<usize>,
    after: Option<String>,
    at: Option<i64>,
    end: Option<i64>,
    versions: bool,
    staleness_max_ms: Option<u64>,
    local: bool,
}

type AskedFor = Result<Query<Options>, QueryRejection>;

/// `GET /stores`: the stores that can be read.
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, Failure> {
    let stores = shared.ask(|application| application.stores()).await?;
    let shown = |store: StoreInfo| {
        let (kind, size) = match store.kind {
            StoreType::KeyValue => ("key-value", None),
            StoreType::Window { size } => ("window", Some(size)),
            StoreType::Session => ("session", None),
            StoreType::Versioned => ("versioned", None),
            StoreType::Global => ("global", None),
            _ => ("other", None),
        };
        let mut shown = json!({ "name": store.name, "kind": kind, "partitions": store.partitions });
        if let Some(size) = size {
            shown["window_ms"] = json!(size.as_millis());
        }
        shown
    };
    Ok(Json(json!({ "stores": stores.into_iter().map(shown).collect::<Vec<_>>() })))
}

/// `GET /stores/{name}/{key}`: the one row of a key, or a page of its rows where it has many.
pub(super) async fn key(
    State(shared): State<Shared>,
    Path((store, key)): Path<(String, String)>,
    uri: Uri,
    query: AskedFor,
) -> Result<Response, Failure> {
    let options = options(query)?;
    let known = shared.ask(|application| application.stores()).await?;
    let kind = known.into_iter().find(|known| known.name == store).map(|known| known.kind);
    let has_many = matches!(kind, Some(StoreType::Window { .. } | StoreType::Session));
    if options.versions || has_many && options.at.is_none() {
        return page(&shared, store, Some(key), options, path_of(&uri)).await;
    }
    let rows = Rows::One { key: key.clone(), at: options.at, end: options.end };
    match read(&shared, &store, rows, options.staleness_max_ms).await? {
        Ok(Reply { rows, position, .. }) => {
            let Some(row) = rows.into_iter().next() else {
                let sentence = format!("Store `{store}` has no such entry for key `{key}`.");
                return Err(Failure::new(StatusCode::NOT_FOUND, sentence));
            };
            let mut body = Value::Object(row.fields);
            body["store"] = store.into();
            body["position"] = json!(position);
            Ok(Json(body).into_response())
        }
        Err(ReadError::Moved { to: Some(to) }) if !options.local => {
            shared.peers.forward(&to, path_of(&uri)).await
        }
        Err(error) => Err(Failure::read(&error, &store, (shared.access.scheme(), path_of(&uri)))),
    }
}

/// `GET /stores/{name}`: rows in the order of their keys. When there are more, `next` is the place to go on `after`.
pub(super) async fn many(
    State(shared): State<Shared>,
    Path(store): Path<String>,
    uri: Uri,
    query: AskedFor,
) -> Result<Response, Failure> {
    page(&shared, store, None, options(query)?, path_of(&uri)).await
}

async fn page(
    shared: &Shared,
    store: String,
    key: Option<String>,
    options: Options,
    path: &str,
) -> Result<Response, Failure> {
    let (local, staleness_max_ms) = (options.local, options.staleness_max_ms);
    let range = range(key, options)?;
    let reply = read(shared, &store, Rows::Many(range.clone()), staleness_max_ms).await?;
    let mut reply = reply.map_err(|error| Failure::read(&error, &store, (shared.access.scheme(), path)))?;
    if !local && !reply.elsewhere.is_empty() {
        reply = shared.peers.complete(reply, &range, path).await?;
    }
    let entries = reply.rows.into_iter().map(|row| {
        let mut fields = row.fields;
        if let (true, Some(cursor)) = (local, &row.cursor) {
            fields.insert("cursor".to_owned(), to_hex(cursor).into());
        }
        Value::Object(fields)
    });
    let mut body = json!({
        "store": store,
        "entries": entries.collect::<Vec<_>>(),
        "next": reply.next.as_ref().map(to_hex),
        "position": reply.position,
    });
    if local {
        body["elsewhere"] = json!(reply.elsewhere);
    }
    Ok(Json(body).into_response())
}

async fn read(
    shared: &Shared,
    store: &str,
    rows: Rows,
    staleness_max_ms: Option<u64>,
) -> Result<Result<Reply, ReadError>, Failure> {
    let question = Question { rows, staleness_max: staleness_max_ms.map(Duration::from_millis) };
    let store = store.to_owned();
    shared.ask(move |application| application.read(&store, &question)).await
}

fn options(query: AskedFor) -> Result<Options, Failure> {
    let Query(options) = query.map_err(|rejection| {
        let sentence = format!(
            "The question cannot be read ({}): the documentation of candlewick-server lists what may be asked.",
            rejection.body_text()
        );
        Failure::new(StatusCode::BAD_REQUEST, sentence)
    })?;
    Ok(options)
}

fn range(key: Option<String>, options: Options) -> Result<Range, Failure> {
    let limit = options.limit.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || limit > LIMIT_MAX {
        let sentence = format!("A limit of {limit} is out of bounds: give one from 1 to {LIMIT_MAX}.");
        return Err(Failure::new(StatusCode::BAD_REQUEST, sentence));
    }
    let after = match &options.after {
        None => None,
        Some(text) => Some(from_hex(text).ok_or_else(|| {
            let sentence =
                format!("`{text}` is no place to go on after: give what a page has called `next`.");
            Failure::new(StatusCode::BAD_REQUEST, sentence)
        })?),
    };
    Ok(Range {
        key,
        from: options.from,
        to: options.to,
        prefix: options.prefix,
        times: (options.from_time, options.to_time),
        reverse: options.reverse,
        limit,
        after,
    })
}

fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |whole| whole.as_str())
}
