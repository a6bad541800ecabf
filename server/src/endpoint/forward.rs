//! Asking other instances for what is not here, and making one page of what all have said. Owns the client and the merging;
//! must not know how a store is read.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use candlewick::Cursor;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Failure;
use crate::access::Access;
use crate::application::{Range, Reply, Row};
use crate::tls;

/// Asks other instances.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    client: reqwest::Client,
    scheme: &'static str,
}

/// A page as another instance sends it.
#[derive(Deserialize)]
struct PeerPage {
    entries: Vec<Map<String, Value>>,
    next: Option<String>,
    #[serde(default)]
    position: BTreeMap<String, i64>,
    #[serde(default)]
    elsewhere: BTreeMap<String, Option<String>>,
}

impl Peers {
    /// Those that are protected as this one is.
    pub(crate) fn new(access: &Access) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self { client: tls::client(access)?, scheme: access.scheme() })
    }

    /// What the instance at `to` answers; `path` is what was asked for, with its query.
    async fn ask(&self, to: &str, path: &str) -> Result<(StatusCode, Value), Failure> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}://{to}{path}{separator}local=true", self.scheme);
        let silent = |error: reqwest::Error| {
            Failure::busy(format!(
                "The instance at {to}, which has what was asked for, did not answer ({error}); if it has gone, others will \
                 take over what it had: ask again in a moment."
            ))
        };
        let response = self.client.get(url).send().await.map_err(silent)?;
        let status = response.status();
        Ok((status, response.json().await.map_err(silent)?))
    }

    /// The row of a key from its owner, as the owner says it.
    pub(super) async fn forward(&self, to: &str, path: &str) -> Result<Response, Failure> {
        let (status, body) = self.ask(to, path).await?;
        if status.is_redirection() {
            return Err(not_there(to));
        }
        Ok((status, Json(body)).into_response())
    }

    /// Completes a page with the rows of the instances that have the rest of it.
    pub(crate) async fn complete(&self, mut own: Reply, range: &Range, path: &str) -> Result<Reply, Failure> {
        let missing = std::mem::take(&mut own.elsewhere);
        let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (task, to) in &missing {
            let Some(to) = to else {
                let sentence = format!(
                    "Task {task}, which has a part of the store, runs on an instance that has set no `endpoint` in its \
                     configuration, so it cannot be asked; with `local=true` this one answers for itself."
                );
                return Err(Failure::new(StatusCode::BAD_GATEWAY, sentence));
            };
            owners.entry(to).or_default().push(task);
        }
        let pages = owners.into_iter().map(|(to, tasks)| async move {
            let (status, body) = self.ask(to, path).await?;
            if !status.is_success() {
                let said = body["error"].as_str().unwrap_or("it gave no reason");
                return Err(Failure::busy(format!("The instance at {to} has refused its part: {said}")));
            }
            let page = read_page(body).ok_or_else(|| {
                let sentence =
                    format!("The instance at {to} answers in another form: let all run one version.");
                Failure::new(StatusCode::BAD_GATEWAY, sentence)
            })?;
            // What has moved since this instance looked is with neither of them, for all they know.
            if tasks.iter().any(|task| page.elsewhere.contains_key(*task)) {
                return Err(not_there(to));
            }
            Ok(page)
        });
        let mut pages = join_all(pages).await.into_iter().collect::<Result<Vec<Reply>, Failure>>()?;
        pages.push(own);
        Ok(merge(pages, range))
    }
}

fn not_there(to: &str) -> Failure {
    Failure::busy(format!(
        "The instance at {to} does not have what it is said to have: tasks are moving between instances, or its `endpoint` \
         leads to another one; ask again in a moment."
    ))
}

fn read_page(body: Value) -> Option<Reply> {
    let page: PeerPage = serde_json::from_value(body).ok()?;
    let row = |mut fields: Map<String, Value>| {
        let cursor = from_hex(fields.remove("cursor")?.as_str()?)?;
        Some(Row { fields, cursor: Some(cursor) })
    };
    Some(Reply {
        rows: page.entries.into_iter().map(row).collect::<Option<_>>()?,
        next: page.next.map(|next| from_hex(&next).ok_or(())).transpose().ok()?,
        position: page.position,
        elsewhere: page.elsewhere,
    })
}

/// One page of those of all instances. Behind where the first of them has stopped, its rows are not known.
fn merge(pages: Vec<Reply>, range: &Range) -> Reply {
    let order = |a: &Cursor, b: &Cursor| if range.reverse { b.cmp(a) } else { a.cmp(b) };
    let stopped = pages.iter().filter_map(|page| page.next.clone()).min_by(order);
    let (mut rows, mut position) = (Vec::new(), BTreeMap::new());
    for page in pages {
        position.extend(page.position);
        rows.extend(page.rows.into_iter().filter_map(|row| Some((row.cursor?, row.fields))));
    }
    rows.retain(|(cursor, _)| stopped.as_ref().is_none_or(|stopped| order(cursor, stopped).is_le()));
    rows.sort_by(|(a, _), (b, _)| order(a, b));
    // A task that moved between the answers may be in two of them.
    rows.dedup_by(|(a, _), (b, _)| a == b);
    let next = match rows.get(range.limit) {
        Some(_) => rows.get(range.limit - 1).map(|(cursor, _)| cursor.clone()),
        None => stopped,
    };
    rows.truncate(range.limit);
    let rows = rows.into_iter().map(|(cursor, fields)| Row { fields, cursor: Some(cursor) }).collect();
    Reply { rows, next, position, elsewhere: BTreeMap::new() }
}

/// A cursor as text.
pub(crate) fn to_hex(cursor: &Cursor) -> String {
    cursor.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cursor that a text is.
pub(super) fn from_hex(text: &str) -> Option<Cursor> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    pairs.collect::<Option<Vec<u8>>>().map(Cursor::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_from_text_as_they_were() {
        let cursor = Cursor::from(vec![0, 1, 0x7f, 0xff]);
        assert_eq!(to_hex(&cursor), "00017fff");
        assert_eq!(from_hex("00017fff"), Some(cursor));
        for wrong in ["0", "0g", "+1"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pages_of_instances_are_merged_as_far_as_all_of_them_are_known() {
        let page = |keys: &[u8], next: Option<u8>| Reply {
            rows: keys
                .iter()
                .map(|key| Row { fields: Map::new(), cursor: Some(vec![*key].into()) })
                .collect(),
            next: next.map(|next| vec![next].into()),
            position: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
        };
        for (limit, expected, next) in
            [(2, vec![1, 2], Some(2)), (3, vec![1, 2, 3], Some(3)), (9, vec![1, 2, 3, 4], Some(4))]
        {
            let range = Range { limit, ..Range::default() };
            let merged = merge(vec![page(&[1, 3, 4], Some(4)), page(&[2, 3, 9], None)], &range);
            let keys: Vec<u8> = merged
                .rows
                .iter()
                .filter_map(|row| row.cursor.as_ref())
                .map(|key| key.as_bytes()[0])
                .collect();
            assert_eq!(keys, expected);
            assert_eq!(merged.next, next.map(|next: u8| vec![next].into()));
        }
    }
}
