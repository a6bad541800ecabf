//! Why a bucket cannot be used, in words that hold no secret. Owns what is said of the client's errors; must not know what
//! lies in the bucket.

use std::io;

use crate::error::{Classified, Domain, Retry};

/// Why snapshots cannot be kept at an address.
///
/// ```
/// use candlewick_connectors::snapshots::{ObjectSnapshots, ObjectSnapshotsError};
/// let error = ObjectSnapshots::open("ftp://snapshots").expect_err("no bucket has such an address");
/// assert!(matches!(error, ObjectSnapshotsError::Address { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectSnapshotsError {
    /// It is no address of a bucket.
    #[error(
        "{address} is no place for snapshots ({reason}): write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER"
    )]
    Address {
        /// The address, without what may be secret in it.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What the environment says of it cannot be used.
    #[error(
        "{address} cannot be opened ({reason}): set the variables {variables} as the provider's own tools know them"
    )]
    Settings {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
        /// Which variables are read.
        variables: &'static str,
    },
    /// The threads for its requests could not be made.
    #[error("the thread for requests to {address}: {source}")]
    Thread {
        /// The address.
        address: String,
        /// The cause.
        source: io::Error,
    },
}

impl Classified for ObjectSnapshotsError {
    fn domain(&self) -> Domain {
        match self {
            Self::Address { .. } | Self::Settings { .. } => Domain::User,
            Self::Thread { .. } => Domain::Internal,
        }
    }

    fn retry(&self) -> Retry {
        Retry::No
    }
}

/// An answer of the bucket at `address` as an error of input and output.
pub(super) fn told(address: &str, variables: &str, error: &object_store::Error) -> io::Error {
    use object_store::Error;
    let reason = brief(&scrubbed(&chain(error)));
    let is_denied = ["401 Unauthorized", "403 Forbidden"].iter().any(|status| reason.contains(status));
    let (kind, advice) = match error {
        Error::NotFound { .. } => (
            io::ErrorKind::NotFound,
            "check the bucket's name; another instance may have deleted a snapshot meanwhile".to_owned(),
        ),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (
            io::ErrorKind::PermissionDenied,
            format!("check {variables}, and grant the right to list, read, write and delete there"),
        ),
        _ if is_denied => (
            io::ErrorKind::PermissionDenied,
            format!("check {variables}, and grant the right to list, read, write and delete there"),
        ),
        Error::InvalidPath { .. } => (io::ErrorKind::InvalidInput, "use letters, digits, - and _".to_owned()),
        _ => (io::ErrorKind::Other, format!("check the address, {variables} and the network")),
    };
    io::Error::new(kind, format!("{address}: {reason}; {advice}"))
}

/// Of a page that a server has sent its sentence alone: the rest repeats the request, with its signature.
fn brief(text: &str) -> String {
    let Some((before, page)) = text.split_once("<?xml") else { return text.to_owned() };
    let sentence = page.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    let reason = sentence.map_or("no reason is given", |(sentence, _)| sentence);
    format!("{before}{reason}")
}

/// An error with all that caused it, each part once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Without the queries of addresses, where signatures and tokens stand.
pub(super) fn scrubbed(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        match word.split_once('?') {
            Some((before, _)) if before.contains("://") => words.push(format!("{before}?…")),
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_its_sentence_is_told() {
        let page = "<?xml version=\"1.0\"?> <Error><Message>No such key.</Message><Sent>sig</Sent></Error>";
        assert_eq!(brief(&format!("status 403 Forbidden: {page}")), "status 403 Forbidden: No such key.");
        assert_eq!(brief("connection refused"), "connection refused");
    }

    #[test]
    fn queries_of_addresses_are_not_told() {
        let told =
            "Error performing PUT https://x.blob.core.windows.net/c/app?sv=1&sig=hush in 3s - why? not";
        let expected = "Error performing PUT https://x.blob.core.windows.net/c/app?… in 3s - why? not";
        assert_eq!(scrubbed(told), expected);
    }
}
