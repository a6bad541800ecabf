//! # candlewick-tests
//!
//! What the tests across rooms share: the real servers they run against. Owns the start and the end of those servers;
//! must not know what is tested on them.

pub mod servers;
//! What the tests across rooms share: suites that run against several engines. Knows the public surface only.

pub mod client_suite;
