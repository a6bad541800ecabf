//! The part of the command line that is about who may ask a running application, and how: the status server's access, and
//! SQL. Owns flags and their defaults; does nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::parse_duration;
use crate::secret::Secret;

/// Who may ask the status server: an address that other machines reach needs a token or certificates.
#[derive(Clone, Debug, Args)]
pub struct AccessFlags {
    /// The token that the status server asks for, as a bearer's or as the password of any user; rather by its variable.
    #[arg(long, env = "CANDLEWICK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,
    /// The status server's certificate, in PEM: its connections are encrypted.
    #[arg(long, env = "CANDLEWICK_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The key of that certificate, in PEM and not encrypted.
    #[arg(long, env = "CANDLEWICK_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Who signs clients' certificates, in PEM: whoever shows one may ask.
    #[arg(long, env = "CANDLEWICK_TLS_CLIENTS", value_name = "FILE", requires = "tls_certificate")]
    pub tls_clients: Option<PathBuf>,
}

/// SQL over the stores, for `psql`, Grafana and what speaks JDBC. The build needs the cargo feature `sql`.
#[derive(Clone, Debug, Args)]
pub struct SqlFlags {
    /// Answer SQL over the stores at this address, by PostgreSQL's protocol; 127.0.0.1:5432 is where clients look first.
    #[arg(long = "sql", env = "CANDLEWICK_SQL", value_name = "ADDRESS")]
    pub address: Option<SocketAddr>,
    /// The password that clients of SQL must know, whatever user they name; rather by its variable. An address that other
    /// machines reach needs one.
    #[arg(
        long = "sql-password",
        env = "CANDLEWICK_SQL_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub password: Option<Secret>,
    /// How long a statement may take.
    #[arg(
        long = "sql-timeout",
        env = "CANDLEWICK_SQL_TIMEOUT",
        default_value = "30s",
        value_parser = parse_duration,
        value_name = "DURATION"
    )]
    pub timeout: Duration,
    /// Connections for SQL at the same time.
    #[arg(
        long = "sql-connections",
        env = "CANDLEWICK_SQL_CONNECTIONS",
        default_value_t = 32,
        value_name = "NUMBER"
    )]
    pub connections: usize,
    /// Rows that one statement may read from one store.
    #[arg(
        long = "sql-scan-rows",
        env = "CANDLEWICK_SQL_SCAN_ROWS",
        default_value_t = 1_000_000,
        value_name = "NUMBER"
    )]
    pub scan_rows: usize,
    /// Bytes of memory for sorting, grouping and joining, of all statements together.
    #[arg(
        long = "sql-memory-bytes",
        env = "CANDLEWICK_SQL_MEMORY_BYTES",
        default_value_t = 256 << 20,
        value_name = "BYTES"
    )]
    pub memory_bytes: usize,
}
