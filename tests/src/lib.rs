//! # candlewick-tests
//!
//! What the tests across rooms share: the real servers they run against, and suites that run against several engines.
//! Owns the start and the end of those servers; must not know what is tested on them.

pub mod browser;
mod chance;
pub mod chaos;
mod checkout;
pub mod client_suite;
pub mod deploy;
pub mod oracle;
pub mod servers;
pub mod shipped;

pub use self::checkout::checkout;
