//! What the tests across rooms share: suites that run against several engines. Knows the public surface only.

pub mod client_suite;
