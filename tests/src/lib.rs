//! # candlewick-tests
//!
//! What the tests across rooms share: the real servers they run against. Owns the start and the end of those servers;
//! must not know what is tested on them.

pub mod servers;
