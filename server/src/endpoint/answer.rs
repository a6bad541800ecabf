//! Answers that went wrong, each a sentence in JSON. Owns their form and status; must not know any endpoint.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::application::ReadError;

/// An answer that went wrong: `{"error": "…"}`.
pub(crate) struct Failure {
    status: StatusCode,
    sentence: String,
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), header: None }
    }

    pub(super) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// What went wrong, for those who do not answer by HTTP.
    pub(crate) fn into_sentence(self) -> String {
        self.sentence
    }

    /// The application panicked over the question.
    pub(super) fn no_answer() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The application failed over this question; its log says why.",
        )
    }

    /// A read failed; `path` is what was asked for, with its query, and `scheme` how addresses of instances begin.
    pub(super) fn read(error: &ReadError, store: &str, (scheme, path): (&str, &str)) -> Self {
        let sentence = format!("Store `{store}`: {error}");
        match error {
            ReadError::UnknownStore => Self::new(StatusCode::NOT_FOUND, sentence),
            ReadError::Rebalancing | ReadError::Stale | ReadError::NotRunning => Self::busy(sentence),
            ReadError::Moved { to: Some(to) } => {
                let failure = Self::new(StatusCode::TEMPORARY_REDIRECT, sentence);
                match HeaderValue::try_from(format!("{scheme}://{to}{path}")) {
                    Ok(location) => failure.with_header(header::LOCATION, location),
                    Err(_) => failure,
                }
            }
            ReadError::Moved { to: None } | ReadError::Elsewhere(_) => {
                Self::new(StatusCode::BAD_GATEWAY, sentence)
            }
            ReadError::Unfit(_) => Self::new(StatusCode::BAD_REQUEST, sentence),
            ReadError::NotReadable => Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence),
            ReadError::Failed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence),
        }
    }

    /// It will work a little later.
    pub(super) fn busy(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.sentence }))).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

pub(super) async fn unknown_path(uri: Uri) -> Failure {
    let sentence = format!("There is nothing at {}; the page at / leads to everything.", uri.path());
    Failure::new(StatusCode::NOT_FOUND, sentence)
}

pub(super) async fn wrong_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "The status server only answers GET: it changes nothing.")
}
