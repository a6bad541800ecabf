//! What is done about a record that will never be a document. Must not know why one is refused.

use std::fmt;
use std::str::FromStr;

/// What is done about a record that is no document, or that Elasticsearch refuses for good. What can be mended by trying again
/// is tried again whatever this says.
///
/// ```
/// use candlewick_connectors::elasticsearch::RefusedRecords;
/// let chosen: RefusedRecords = "skip".parse().expect("valid");
/// assert_eq!((chosen, chosen.to_string()), (RefusedRecords::Skip, "skip".to_owned()));
/// let error = "drop".parse::<RefusedRecords>().expect_err("not one of them");
/// assert_eq!(error, "drop is none of dead-letter, skip and fail");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusedRecords {
    /// It goes to the dead letter topic, and the sink goes on.
    #[default]
    DeadLetter,
    /// It is counted and told in the log, and the sink goes on.
    Skip,
    /// The sink ends with it. Nothing from it on is committed: the next start reads it again.
    Fail,
}

const NAMES: [(&str, RefusedRecords); 3] = [
    ("dead-letter", RefusedRecords::DeadLetter),
    ("skip", RefusedRecords::Skip),
    ("fail", RefusedRecords::Fail),
];

impl FromStr for RefusedRecords {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, chosen)| *chosen)
            .ok_or_else(|| format!("{text} is none of dead-letter, skip and fail"))
    }
}

impl fmt::Display for RefusedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, chosen)| chosen == self).map_or("", |(name, _)| name))
    }
}
