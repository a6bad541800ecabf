//! What the tests across rooms share: suites that run against several engines, and the real servers behind them. Knows
//! the public surface only.

pub mod client_suite;
pub mod servers;
