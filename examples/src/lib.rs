//! # candlewick-examples
//!
//! What the examples share: a log inside the process, and a short way to write into it and read from it. A program of your
//! own has its topics elsewhere; what it does with its topology is the same.

mod playground;

pub use playground::{Example, Playground};

// The examples name this crate as programs do.
#[cfg(test)]
extern crate self as candlewick_examples;

// One program runs the tests of all of them, because linking one for each would take longer than the tests.
#[cfg(test)]
#[path = "../04_candles.rs"]
mod candles;
#[cfg(test)]
#[path = "../11_exactly_once.rs"]
mod exactly_once;
#[cfg(test)]
#[path = "../07_final_results.rs"]
mod final_results;
#[cfg(test)]
#[path = "../01_hello_filter.rs"]
mod hello_filter;
#[cfg(test)]
#[path = "../05_join.rs"]
mod join;
#[cfg(test)]
#[expect(dead_code, reason = "its `main` looks for a broker of the user's; the test has its own")]
#[path = "../12_kafka.rs"]
mod kafka;
#[cfg(test)]
#[path = "../08_processor.rs"]
mod processor;
#[cfg(test)]
#[path = "../09_queries.rs"]
mod queries;
#[cfg(test)]
#[path = "../06_sessions.rs"]
mod sessions;
#[cfg(test)]
#[path = "../13_slow_calls.rs"]
mod slow_calls;
#[cfg(test)]
#[path = "../10_testing.rs"]
mod testing;
#[cfg(test)]
#[path = "../03_windowed_count.rs"]
mod windowed_count;
#[cfg(test)]
#[path = "../02_word_count.rs"]
mod word_count;
