//! What a SQL endpoint is told: its limits and its password. Owns the defaults; must not know what they are applied to.

use std::fmt;
use std::time::Duration;

use candlewick_server::Access;

/// What a SQL endpoint may cost, and who may ask. Every limit is per endpoint, of this instance alone.
///
/// ```
/// use std::time::Duration;
/// use candlewick_sql::SqlOptions;
/// let options = SqlOptions {
///     statement_timeout: Duration::from_secs(5),
///     memory_bytes_max: 64 << 20,
///     ..SqlOptions::default()
/// };
/// assert_eq!(options.connections_max, 32);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SqlOptions {
    /// Who connects has to know it; without one anybody may, and then only this machine is listened to. It is proven by
    /// SCRAM-SHA-256 and never sent. Any user name will do.
    pub password: Option<String>,
    /// Connections at the same time; 32 unless told. One more is refused with a sentence.
    pub connections_max: usize,
    /// How long a statement may take, from its text to its last row; 30 s unless told.
    pub statement_timeout: Duration,
    /// Bytes of memory for sorting, grouping and joining, of all statements together; 256 MiB unless told. A statement that
    /// would need more fails; nothing is written to disk.
    pub memory_bytes_max: usize,
    /// Rows that one statement may read from one store; 1,000,000 unless told.
    pub scan_rows_max: usize,
    /// Bytes of rows that one statement may answer; 64 MiB unless told.
    pub result_bytes_max: usize,
    /// Bytes of one statement's text; 256 KiB unless told.
    pub statement_bytes_max: usize,
    /// How old what is read may be; without it the last commit will do. A bound far below the commit interval makes a
    /// commit with every page that is read.
    pub staleness_max: Option<Duration>,
    /// Threads that plan and run statements; 2 unless told.
    pub threads: usize,
    /// How the status servers of other instances are protected, which are asked for what is not here.
    pub access: Access,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            password: None,
            connections_max: 32,
            statement_timeout: Duration::from_secs(30),
            memory_bytes_max: 256 << 20,
            scan_rows_max: 1_000_000,
            result_bytes_max: 64 << 20,
            statement_bytes_max: 256 << 10,
            staleness_max: None,
            threads: 2,
            access: Access::default(),
        }
    }
}

/// Everything but the password.
impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("password", &self.password.as_ref().map(|_| "set"))
            .field("connections_max", &self.connections_max)
            .field("statement_timeout", &self.statement_timeout)
            .field("memory_bytes_max", &self.memory_bytes_max)
            .field("scan_rows_max", &self.scan_rows_max)
            .field("result_bytes_max", &self.result_bytes_max)
            .field("statement_bytes_max", &self.statement_bytes_max)
            .field("staleness_max", &self.staleness_max)
            .field("threads", &self.threads)
            .field("access", &self.access)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let options = SqlOptions { password: Some("hush".to_owned()), ..SqlOptions::default() };
        let shown = format!("{options:?}");
        assert!(!shown.contains("hush") && shown.contains("password: Some(\"set\")"), "{shown}");
    }
}
