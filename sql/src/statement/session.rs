//! What one connection has set: settings of PostgreSQL's that clients read back. Owns their names and defaults; none of them
//! changes what a query answers, and one how long it may take.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Refusal;

/// The one database there is.
pub(crate) const DATABASE: &str = "candlewick";
/// The version of PostgreSQL whose catalog clients may expect.
pub(crate) const SERVER_VERSION: &str = "15.0";

/// The settings that are known from the beginning.
const DEFAULTS: &[(&str, &str)] = &[
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "150000"),
    ("session_authorization", ""),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
];

/// Settings that clients may not change, with the rest of the server.
const FIXED: &[&str] = &["server_version", "server_version_num", "server_encoding", "is_superuser"];

/// One connection's settings and user.
#[derive(Debug, Default)]
pub(crate) struct Session {
    user: String,
    set: Mutex<BTreeMap<String, String>>,
}

impl Session {
    pub(crate) fn new(user: &str) -> Self {
        Self { user: user.to_owned(), set: Mutex::default() }
    }

    /// Who is connected.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The value of a setting.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        if let Some(value) = self.set().get(&name) {
            return Some(value.clone());
        }
        DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    /// Sets it. Time is always told in UTC: another zone is taken note of, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be set.
    pub(crate) fn set_to(&self, name: &str, value: &str) -> Result<(), Refusal> {
        const SETTINGS_MAX: usize = 200;
        let name = name.to_ascii_lowercase();
        let mut set = self.set();
        if FIXED.contains(&name.as_str()) || set.len() >= SETTINGS_MAX {
            return Err(Refusal::ReadOnly { statement: format!("SET {name}") });
        }
        set.insert(name, value.to_owned());
        Ok(())
    }

    /// How long the client wants a statement to take at most; nought is as long as it may.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let told = self.get("statement_timeout")?;
        let digits = told.find(|c: char| !c.is_ascii_digit()).unwrap_or(told.len());
        let (number, unit) = told.split_at(digits);
        let millis = match unit.trim() {
            "" | "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let timeout = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?);
        (!timeout.is_zero()).then_some(timeout)
    }

    /// Everything as it was in the beginning.
    pub(crate) fn reset(&self) {
        self.set().clear();
    }

    /// All settings with their values.
    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(self.set().clone());
        all
    }

    fn set(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_back_as_they_were_set_whatever_the_case() {
        let session = Session::new("me");
        assert_eq!(session.get("Search_Path").as_deref(), Some("public"));
        session.set_to("TimeZone", "Europe/Berlin").expect("it can be set");
        assert_eq!(session.get("timezone").as_deref(), Some("Europe/Berlin"));
        assert!(session.set_to("server_version", "99").is_err());
        session.reset();
        assert_eq!(session.get("timezone").as_deref(), Some("UTC"));
        assert_eq!(session.get("no_such_thing"), None);
    }

    #[test]
    fn a_client_may_want_its_statements_to_take_less() {
        let session = Session::new("me");
        assert_eq!(session.statement_timeout(), None);
        for (told, expected) in
            [("250", Some(250)), ("2s", Some(2_000)), ("1 min", Some(60_000)), ("0", None), ("x", None)]
        {
            session.set_to("statement_timeout", told).expect("it can be set");
            assert_eq!(session.statement_timeout(), expected.map(Duration::from_millis), "{told}");
        }
    }
}
