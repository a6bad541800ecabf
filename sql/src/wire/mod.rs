//! PostgreSQL's protocol: connections, logging in, statements with and without parameters, rows as text and as bytes. Must
//! not know what tables there are.

mod connection;
mod encode;
mod fault;
mod handler;
mod log_in;
mod numeric;
mod parameters;
mod rows;
mod scram;
mod startup;
mod types;

pub(crate) use connection::{Door, serve};
pub(crate) use log_in::Login;
pub(crate) use types::pg_type;
