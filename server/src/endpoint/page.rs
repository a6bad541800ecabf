//! The page and its files. Owns the headers that keep foreign code out; must not know what the page shows.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::Failure;
use crate::page::{PageFile, page_file};

/// Nothing but this server's own files runs in the page, and nothing else may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`: the market.
pub(super) async fn index() -> Response {
    named("index.html").into_response()
}

/// The drawing of the topology.
pub(super) async fn topology() -> Response {
    named("topology.html").into_response()
}

/// `GET /page/{file}`: a file of the page.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    named(&name).into_response()
}

fn named(name: &str) -> Result<Response, Failure> {
    let file = page_file(name).ok_or_else(|| {
        Failure::new(StatusCode::NOT_FOUND, format!("The page has no file named `{name}`; open / instead."))
    })?;
    Ok(respond(file))
}

fn respond(file: &'static PageFile) -> Response {
    let headers = [
        (header::CONTENT_TYPE, file.media_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, file.text).into_response()
}
