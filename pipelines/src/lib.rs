//! # candlewick-pipelines
//!
//! The reference applications and what the `candlewick` binary is made of: command line, logs, trade sources and runs.
//! Each application is a `fn topology()` over the public DSL, with its options and its records. Must not know how the
//! framework runs it.

pub mod application;
pub mod backtest;
pub mod cli;
pub mod dead_letter;
pub mod dlq;
pub mod endpoints;
pub mod error;
pub mod feed;
pub mod health;
pub mod log;
pub mod market;
pub mod notional;
pub mod plan;
pub mod reset;
pub mod run;
pub mod secret;
pub mod show;
pub mod sink;
pub mod snapshots;
pub mod source;
pub mod sql;
pub mod train;
pub mod training;
