//! The door before all endpoints: who may ask goes in. How the application is may be asked by everybody who can connect:
//! what watches it has no secrets. Must not know any endpoint.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::Failure;
use crate::access::Access;
use crate::tls::Peer;

/// Paths that everybody may ask.
const OPEN: [&str; 2] = ["/health/live", "/health/ready"];

pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let may_ask = !access.is_protected()
        || peer.has_certificate
        || OPEN.contains(&request.uri().path())
        || said(request.headers()).is_some_and(|token| access.is_token(&token));
    match may_ask {
        true => next.run(request).await,
        // Makes a browser ask for user and password.
        false => Failure::new(
            StatusCode::UNAUTHORIZED,
            "This needs the token, as `Authorization: Bearer …` or as the password of any user, or a client's certificate.",
        )
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"candlewick\""))
        .into_response(),
    }
}

/// The token that a request says.
fn said(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let words = STANDARD.decode(rest.trim()).ok()?;
    let colon = words.iter().position(|byte| *byte == b':')?;
    Some(words[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_said_in_two_ways() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).expect("visible characters"));
            said(&headers)
        };
        assert_eq!(of("Bearer a:b"), Some(b"a:b".to_vec()));
        // `printf 'me:a:b' | base64`
        assert_eq!(of("basic bWU6YTpi"), Some(b"a:b".to_vec()));
        for nothing in ["a:b", "Digest a", "Basic ???", "Basic bWU="] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
