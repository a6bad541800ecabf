//! # candlewick-sql
//!
//! The stores of a running application as tables behind PostgreSQL's protocol: `psql`, Grafana's PostgreSQL data source and
//! whatever speaks JDBC lists them and asks for rows, joins, aggregates and time ranges. It asks an
//! [`Application`](candlewick_server::Application), and other instances for what is with them. It must not know how
//! records are processed, and changes nothing.

mod catalog;
mod engine;
mod error;
mod options;
mod sql_server;
mod statement;
mod tables;
mod wire;

pub use error::SqlError;
pub use options::SqlOptions;
pub use sql_server::SqlServer;

/// Where SQL is answered unless it is told otherwise: PostgreSQL's port, seen by this machine alone.
pub const DEFAULT_ADDRESS: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5432);
