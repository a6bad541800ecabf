//! The drawing of the topology, as data, as text and as a page. Must not know how the page lays it out.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::answer::Failure;
use super::page;

/// `GET /topology`: JSON, or a page for those who accept HTML.
pub(super) async fn topology(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Failure> {
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let mut response = if accepted.contains("text/html") {
        page::topology().await
    } else {
        Json(shared.ask(|application| application.topology()).await?).into_response()
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("accept"));
    Ok(response)
}

/// `GET /topology.txt`: the description in the text format of Kafka Streams.
pub(super) async fn text(State(shared): State<Shared>) -> Result<String, Failure> {
    shared.ask(|application| application.describe()).await
}
