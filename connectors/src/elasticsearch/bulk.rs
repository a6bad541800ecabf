//! Bulk requests and their answers: what is sent for a record, and what each item's answer means for it. Pure: no
//! network, no log.

use bytes::Bytes;
use candlewick::TopicPartition;
use serde::Deserialize;
use serde_json::{Value, json};

/// One document on its way: the lines of its request, and where its record stands.
#[derive(Clone, Debug)]
pub(super) struct BulkItem {
    /// The record's partition.
    pub(super) source: TopicPartition,
    /// The record's offset.
    pub(super) offset: i64,
    /// Whether it deletes.
    pub(super) deletes: bool,
    /// The action and, unless it deletes, the document: one line each, without the last line's end.
    pub(super) lines: Bytes,
}

impl BulkItem {
    /// The item that writes `document` under `id`, or deletes it when there is none. The offset is the document's
    /// version: a record that is read again never overwrites a younger one.
    pub(super) fn new(source: TopicPartition, offset: i64, id: &str, document: Option<&Value>) -> Self {
        let action = json!({"_id": id, "version": offset, "version_type": "external"});
        let lines = match document {
            Some(document) => format!("{{\"index\":{action}}}\n{document}"),
            None => format!("{{\"delete\":{action}}}"),
        };
        Self { source, offset, deletes: document.is_none(), lines: lines.into() }
    }
}

/// What an answer means for one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written, or a younger version is.
    Done,
    /// Not now: send it again.
    Again(String),
    /// Never: a dead letter.
    Dead(String),
}

/// What an answer means for the whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A verdict for each item, in order.
    Items(Vec<Verdict>),
    /// Not now: send it again.
    Again(String),
    /// The login is not enough.
    Denied(String),
    /// Too large or not understood: send it in halves, until the item at fault stands alone.
    Split(String),
}

#[derive(Deserialize)]
struct BulkResponse {
    errors: bool,
    items: Vec<ItemResponse>,
}

#[derive(Deserialize)]
struct ItemResponse {
    #[serde(alias = "index", alias = "delete", alias = "create", alias = "update")]
    result: ItemResult,
}

#[derive(Deserialize)]
struct ItemResult {
    status: u16,
    #[serde(default)]
    error: Option<ItemError>,
}

#[derive(Deserialize)]
struct ItemError {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    caused_by: Option<Box<ItemError>>,
}

impl ItemError {
    fn sentence(&self) -> String {
        let mut text = format!("{}: {}", self.r#type, self.reason.as_deref().unwrap_or("no reason given"));
        if let Some(cause) = &self.caused_by {
            text = format!("{text} ({})", cause.sentence());
        }
        text
    }
}

/// Errors with a status of the request's fault that are the cluster's own: they pass when somebody mends it.
const PASSING: [&str; 6] = [
    "cluster_block_exception",
    "index_not_found_exception",
    "index_closed_exception",
    "security_exception",
    "process_cluster_event_timeout_exception",
    "unavailable_shards_exception",
];

/// What the answer to a request of `sent` items means.
pub(super) fn judge(status: u16, body: &[u8], sent: &[BulkItem]) -> Answer {
    match status {
        200..=299 => {}
        401 | 403 => return Answer::Denied(shown(status, body)),
        400 | 413 => return Answer::Split(shown(status, body)),
        _ => return Answer::Again(shown(status, body)),
    }
    let response: BulkResponse = match serde_json::from_slice(body) {
        Ok(response) => response,
        Err(error) => return Answer::Again(format!("the answer is not Elasticsearch's: {error}")),
    };
    if response.items.len() != sent.len() {
        let (answered, sent) = (response.items.len(), sent.len());
        return Answer::Again(format!("{answered} answers for {sent} documents"));
    }
    if !response.errors {
        return Answer::Items(vec![Verdict::Done; sent.len()]);
    }
    let answers = response.items.iter().zip(sent);
    Answer::Items(answers.map(|(item, sent)| verdict(&item.result, sent)).collect())
}

fn verdict(result: &ItemResult, sent: &BulkItem) -> Verdict {
    let sentence = || match &result.error {
        Some(error) => error.sentence(),
        None => format!("status {}", result.status),
    };
    let kind = result.error.as_ref().map_or("", |error| error.r#type.as_str());
    match result.status {
        200..=299 => Verdict::Done,
        // A younger version stands there already: this record was read again.
        409 => Verdict::Done,
        404 if sent.deletes && kind != "index_not_found_exception" => Verdict::Done,
        429 | 500..=599 => Verdict::Again(sentence()),
        _ if PASSING.contains(&kind) => Verdict::Again(sentence()),
        _ => Verdict::Dead(sentence()),
    }
}

fn shown(status: u16, body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
    format!("status {status}: {}", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: i64) -> Vec<BulkItem> {
        let source = TopicPartition::new("candles", 0);
        (0..count).map(|n| BulkItem::new(source.clone(), n, &n.to_string(), Some(&json!({"n": n})))).collect()
    }

    fn verdicts(items: &[BulkItem], answers: &[Value]) -> Vec<Verdict> {
        let body = json!({"took": 1, "errors": true, "items": answers}).to_string();
        match judge(200, body.as_bytes(), items) {
            Answer::Items(verdicts) => verdicts,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_index_has_two_lines_and_a_delete_one_with_the_offset_as_external_version() {
        let source = TopicPartition::new("candles", 0);
        let index = BulkItem::new(source.clone(), 7, "a|\"b\"\n", Some(&json!({"x": 1.5, "text": "1\n2"})));
        let text = std::str::from_utf8(&index.lines).expect("text");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let action = json!({"_id": "a|\"b\"\n", "version": 7, "version_type": "external"});
        assert_eq!(lines, [json!({"index": action}), json!({"x": 1.5, "text": "1\n2"})]);
        let delete = BulkItem::new(source, 8, "a", None);
        let action = json!({"_id": "a", "version": 8, "version_type": "external"});
        assert_eq!(serde_json::from_slice::<Value>(&delete.lines).expect("JSON"), json!({"delete": action}));
    }

    #[test]
    fn conflicts_and_missing_documents_to_delete_count_as_done() {
        let mut sent = items(2);
        sent.push(BulkItem::new(TopicPartition::new("candles", 0), 2, "x", None));
        let conflict =
            json!({"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "newer"}});
        let answers = [
            json!({"index": {"status": 201}}),
            json!({"index": conflict}),
            json!({"delete": {"status": 404, "result": "not_found"}}),
        ];
        assert_eq!(verdicts(&sent, &answers), [Verdict::Done, Verdict::Done, Verdict::Done]);
    }

    #[test]
    fn overload_is_sent_again_and_a_mapping_error_is_dead_with_its_cause() {
        let rejected = json!({"type": "es_rejected_execution_exception", "reason": "queue is full"});
        let cause = json!({"type": "number_format_exception", "reason": "For input string: \"x\""});
        let mapping =
            json!({"type": "document_parsing_exception", "reason": "failed to parse", "caused_by": cause});
        let blocked = json!({"type": "cluster_block_exception", "reason": "disk usage exceeded flood-stage"});
        let missing = json!({"type": "index_not_found_exception", "reason": "no such index"});
        let answers = [
            json!({"index": {"status": 429, "error": rejected}}),
            json!({"index": {"status": 400, "error": mapping}}),
            json!({"index": {"status": 403, "error": blocked}}),
            json!({"index": {"status": 404, "error": missing}}),
            json!({"index": {"status": 503}}),
        ];
        let verdicts = verdicts(&items(5), &answers);
        assert!(matches!(&verdicts[0], Verdict::Again(text) if text.contains("queue is full")));
        let dead =
            "document_parsing_exception: failed to parse (number_format_exception: For input string: \"x\")";
        assert_eq!(verdicts[1], Verdict::Dead(dead.to_string()));
        for verdict in &verdicts[2..] {
            assert!(matches!(verdict, Verdict::Again(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_request_that_fails_as_a_whole_is_repeated_split_or_named() {
        let sent = items(2);
        for status in [429, 500, 502, 503, 504, 301] {
            assert!(matches!(judge(status, b"busy", &sent), Answer::Again(text) if text.contains("busy")));
        }
        assert!(matches!(judge(413, b"", &sent), Answer::Split(_)));
        assert!(matches!(judge(400, b"", &sent), Answer::Split(_)));
        assert!(matches!(judge(401, b"", &sent), Answer::Denied(_)));
        assert!(matches!(judge(200, b"<html>", &sent), Answer::Again(_)));
        assert!(matches!(judge(200, b"{\"errors\":false,\"items\":[]}", &sent), Answer::Again(_)));
        let fine = br#"{"errors":false,"items":[{"index":{"status":201}},{"index":{"status":200}}]}"#;
        assert_eq!(judge(200, fine, &sent), Answer::Items(vec![Verdict::Done, Verdict::Done]));
    }
}
