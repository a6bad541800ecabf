//! The status server over real HTTP: every endpoint, by a client that knows only its address.

#![expect(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod access;
mod application;
mod feed;
mod health;
mod instances;
mod page;
mod server;
mod status;
mod store;
